import type { VoiceService } from "@railgun/voice";
import { type BackgroundBlur, canBlur } from "@railgun/voice/background";
import { DevicePickers } from "./device-pickers";
import { h, icon, range } from "./dom";
import { Meter } from "./meter";
import { Option } from "./option";
import { preferences } from "./preferences";
import { describe } from "./sentences";
import { TALK_KEY } from "./hold-to-talk";
import { SHORTCUTS } from "./shortcuts";
import { toast } from "./toasts";
import { t } from "./texts";

/** A dialog with a heading and a button that closes it. */
export function dialog(title: string, id: string, ...content: (Node | string)[]): HTMLDialogElement {
  const element = h(
    "dialog",
    { class: "dialog", "aria-labelledby": `${id}-title` },
    h(
      "header",
      {},
      h("h2", { id: `${id}-title` }, title),
      h(
        "button",
        { type: "button", class: "quiet small", "aria-label": t.close, onclick: () => element.close() },
        icon("close"),
      ),
    ),
    ...content,
  );
  // A click beside it, which is one on the dialog itself and not on what it holds.
  element.addEventListener("click", (event) => {
    if (event.target === element) element.close();
  });
  return element;
}

/** What Pro is, when somebody asks for a part of it. */
export class UpgradeDialog {
  readonly element: HTMLDialogElement;
  #what = h("p", { class: "lead" });

  constructor(voice: VoiceService) {
    const item = (text: string) => h("li", {}, icon("check"), text);
    this.element = dialog(
      t.upgrade.title,
      "upgrade",
      this.#what,
      h(
        "ul",
        { class: "perks" },
        ...t.upgrade.perks.map(item),
      ),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", onclick: () => this.element.close() }, t.upgrade.notNow),
        h(
          "button",
          {
            type: "button",
            class: "primary",
            onclick: () => {
              this.element.close();
              if (voice.openUpgrade()) return;
              toast({ text: t.upgrade.noShop, tone: "plain" });
            },
          },
          t.upgrade.get,
        ),
      ),
    );
  }

  open(source: "camera" | "screen"): void {
    this.#what.textContent = t.upgrade.what(source);
    if (!this.element.open) this.element.showModal();
  }
}

/** What one checkbox of the settings switches on. */
type Preference = "sounds" | "speakerView" | "denoise" | "blur";

/** Devices, their background and noise, and volumes while a call goes on. */
export class SettingsDialog {
  readonly element: HTMLDialogElement;
  #pickers: DevicePickers;
  #meter = new Meter(t.devices.level);
  #stop: () => void = () => undefined;
  #options = new Map<Preference, Option>();

  constructor(
    private readonly voice: VoiceService,
    private readonly blur: BackgroundBlur,
    /** What is shown of the call is another. */
    private readonly viewChanged: () => void,
  ) {
    const { values } = preferences;
    this.#pickers = new DevicePickers("call", (kind, deviceId) => {
      const set = { microphone: "setMicrophone", camera: "setCamera", speaker: "setSpeaker" } as const;
      voice[set[kind]](deviceId).catch((error: unknown) =>
        toast({ text: describe(error, kind === "camera" ? "camera" : "mic"), tone: "bad" }),
      );
    });
    this.element = dialog(
      t.settings.title,
      "settings",
      h("h3", {}, t.settings.devices),
      this.#pickers.field("microphone"),
      this.#meter.element,
      this.#pickers.field("speaker"),
      this.#pickers.field("camera"),
      this.#option("blur", t.settings.blur, t.settings.blurText, (on) => {
        this.blur.set(on).catch(() => toast({ text: t.settings.blurFailed, tone: "bad" }));
        return on;
      }),
      h("h3", {}, t.settings.sound),
      this.#option("denoise", t.settings.denoise, t.settings.denoiseText, async (on) => {
        const runs = await this.voice.setNoiseSuppression(on);
        if (on && !runs) toast({ text: t.settings.denoiseFailed, tone: "bad" });
        return runs;
      }),
      slider(t.settings.microphoneVolume, 200, values.inputVolume, (value) => {
        preferences.save({ inputVolume: value });
        voice.setInputVolume(value);
      }),
      slider(t.settings.callVolume, 200, values.outputVolume, (value) => {
        preferences.save({ outputVolume: value });
        voice.setOutputVolume(value);
      }),
      this.#option("sounds", t.settings.sounds, t.settings.soundsText),
      h("h3", {}, t.settings.view),
      this.#option("speakerView", t.settings.speakerView, t.settings.speakerViewText),
      h(
        "div",
        { class: "keyboard" },
        h("h3", {}, t.settings.keyboard),
        h(
          "dl",
          { class: "keys" },
          ...[...SHORTCUTS, { key: TALK_KEY, command: "talk" as const }].map(({ key, command }) =>
            h("div", {}, h("dt", {}, h("kbd", {}, key.toUpperCase())), h("dd", {}, t.shortcuts[command])),
          ),
        ),
      ),
    );
    this.element.addEventListener("close", () => {
      this.#stop();
      this.#pickers.close();
    });
  }

  open(): void {
    if (this.element.open) return;
    for (const [name, option] of this.#options) option.checked = preferences.values[name];
    // Where it is not a page's to choose, there is nothing to choose.
    const blur = this.#options.get("blur");
    if (blur) blur.element.hidden = !preferences.values.blur && !canBlur(this.voice.ownTrack("camera"));
    void this.#pickers.open();
    this.#stop = this.voice.on("inputLevel", ({ input }) => this.#meter.show(input));
    this.element.showModal();
  }

  /** `change`: gives what it is afterwards. */
  #option(
    name: Preference,
    title: string,
    text: string,
    change: (on: boolean) => boolean | Promise<boolean> = (on) => on,
  ): HTMLElement {
    const option = new Option(title, text, async (wanted) => {
      const on = await change(wanted);
      preferences.save({ [name]: on });
      this.viewChanged();
      return on;
    });
    this.#options.set(name, option);
    return option.element;
  }
}

/** `value` as a factor, shown in percent. */
function slider(label: string, max: number, value: number, change: (value: number) => void): HTMLElement {
  const output = h("output", {}, `${Math.round(value * 100)} %`);
  const input = range({ max, step: 5, value: Math.round(value * 100) }, (percent) => {
    output.textContent = `${percent} %`;
    change(percent / 100);
  });
  return h("label", { class: "slider" }, h("span", {}, label), input, output);
}
