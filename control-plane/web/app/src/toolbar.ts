import type { VideoState, VoiceSnapshot } from "@railgun/voice";
import { h, icon, setIcon, setText } from "./dom";
import type { Command } from "./shortcuts";
import { t } from "./texts";

type Button = Command | "leave";

interface Look {
  icon: string;
  text: string;
  /** `off`: something is switched off that is usually on; `on`: the other way round. */
  tone: "" | "on" | "off" | "waiting";
  locked?: boolean;
  pressed?: boolean;
}

/** The call's buttons. A busy one keeps the keyboard's focus; presses that come too soon do nothing. */
export class Toolbar {
  readonly element: HTMLElement;
  #buttons = new Map<Button, HTMLButtonElement>();

  constructor(run: (button: Button) => void) {
    const button = (name: Button, symbol: string, text: string) => {
      const element = h(
        "button",
        { type: "button", class: `tool tool-${name}`, onclick: () => run(name) },
        h("span", { class: "glyph" }, icon(symbol), h("span", { class: "lock", hidden: true }, icon("lock"))),
        h("span", { class: "text" }, text),
      );
      this.#buttons.set(name, element);
      return element;
    };
    // Most phones cannot share a screen.
    const canShare = !!navigator.mediaDevices?.getDisplayMedia;
    this.element = h(
      "footer",
      { class: "toolbar", "aria-label": t.tools.controls },
      h("div", { class: "tools" }, button("mute", "mic", t.tools.mute), button("deafen", "deafen", t.tools.deafen)),
      h(
        "div",
        { class: "tools" },
        button("camera", "camera", t.tools.startCamera),
        canShare && button("screen", "screen", t.tools.shareScreen),
      ),
      h(
        "div",
        { class: "tools" },
        button("react", "hand", t.gestures.react),
        button("people", "people", t.tools.people),
        button("stats", "signal", t.tools.quality),
        button("settings", "settings", t.tools.settings),
      ),
      h("div", { class: "tools" }, button("leave", "leave", t.tools.leave)),
    );
  }

  /** Where the menu of reactions opens. */
  button(name: Button): HTMLButtonElement | undefined {
    return this.#buttons.get(name);
  }

  focus(): void {
    this.#buttons.get("mute")?.focus();
  }

  render(
    { muted, deafened, camera, screen, encryption }: VoiceSnapshot,
    open: { people: boolean; stats: boolean },
    handRaised: boolean,
  ): void {
    // Without the key there is nobody who could read them.
    const react = this.#buttons.get("react");
    if (react) react.hidden = encryption?.mode === "endToEnd" && encryption.code === null;
    this.#show("react", { icon: "hand", text: t.gestures.react, tone: handRaised ? "on" : "" });
    this.#show("mute", {
      icon: muted ? "mic-off" : "mic",
      text: muted ? t.tools.unmute : t.tools.mute,
      tone: muted ? "off" : "",
    });
    this.#show("deafen", {
      icon: deafened ? "deafen-off" : "deafen",
      text: deafened ? t.tools.undeafen : t.tools.deafen,
      tone: deafened ? "off" : "",
    });
    this.#show("camera", videoLook(camera, "camera", t.tools.startCamera, t.tools.stopCamera));
    this.#show("screen", videoLook(screen, "screen", t.tools.shareScreen, t.tools.stopSharing));
    this.#show("people", { icon: "people", text: t.tools.people, tone: "", pressed: open.people });
    this.#show("stats", { icon: "signal", text: t.tools.quality, tone: "", pressed: open.stats });
  }

  #show(name: Button, look: Look): void {
    const button = this.#buttons.get(name);
    if (!button) return;
    setIcon(button, look.icon);
    const text = button.querySelector(".text");
    if (text) setText(text, look.text);
    button.title = look.locked ? t.tools.needsPro(look.text) : look.text;
    for (const tone of ["on", "off", "waiting"]) button.classList.toggle(tone, look.tone === tone);
    const lock = button.querySelector<HTMLElement>(".lock");
    if (lock) lock.hidden = !look.locked;
    if (look.pressed !== undefined) button.setAttribute("aria-pressed", String(look.pressed));
  }
}

function videoLook({ status, allowed }: VideoState, symbol: string, start: string, stop: string): Look {
  switch (status) {
    case "on":
    case "heldBack":
      return { icon: symbol, text: stop, tone: status === "on" ? "on" : "waiting" };
    case "starting":
      return { icon: symbol, text: t.tools.starting, tone: "waiting" };
    case "queued":
      return { icon: symbol, text: t.tools.leaveQueue, tone: "waiting" };
    case "granted":
      return { icon: symbol, text: t.tools.now(start), tone: "on" };
    default:
      return { icon: symbol === "camera" ? "camera-off" : symbol, text: start, tone: "", locked: !allowed };
  }
}
