import type { Call } from "./call";
import type { Remote, RemoteProducer } from "./session";
import { icon, renderTiles, type Tile } from "./tiles";
import type { Tier } from "./wire";

/** The page's elements; index.html holds them. */
const byId = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const elements = {
  where: byId("where"),
  notice: byId("notice"),
  join: byId<HTMLFormElement>("join"),
  joinButton: byId<HTMLButtonElement>("join-button"),
  name: byId<HTMLInputElement>("name"),
  tier: byId<HTMLFieldSetElement>("tier"),
  call: byId("call"),
  tiles: byId("tiles"),
  people: byId("people"),
  count: byId("count"),
  sound: byId("sound"),
  controls: byId("controls"),
  mute: byId<HTMLButtonElement>("mute"),
  camera: byId<HTMLButtonElement>("camera"),
  screen: byId<HTMLButtonElement>("screen"),
  leave: byId<HTMLButtonElement>("leave"),
};

/** Milliseconds that a notice stays. */
const NOTICE_TIME = 10_000;

/** Draws a call and turns the page's buttons into its methods. */
export class View {
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly call: Call,
    hasToken: boolean,
  ) {
    // With a token of one's own, the token says who one is and what one may do.
    elements.tier.hidden = hasToken;
    elements.join.addEventListener("submit", (event) => {
      event.preventDefault();
      const fields = new FormData(elements.join);
      const text = (name: string) => String(fields.get(name) ?? "").trim();
      this.notice("");
      void call.join({ name: text("name"), channel: text("channel"), tier: text("tier") as Tier });
    });
    elements.mute.addEventListener("click", () => void call.toggleMute());
    elements.camera.addEventListener("click", () => void call.toggleVideo("camera"));
    elements.screen.addEventListener("click", () => void call.toggleVideo("screen"));
    elements.leave.addEventListener("click", () => call.leave());
    call.onChange = () => this.render();
    call.onNotice = (text) => this.notice(text);
    this.render();
  }

  /** Shows a sentence for a while, or none. */
  notice(text: string): void {
    clearTimeout(this.#noticeTimer);
    elements.notice.textContent = text;
    elements.notice.hidden = text === "";
    if (text) this.#noticeTimer = setTimeout(() => this.notice(""), NOTICE_TIME);
  }

  render(): void {
    const { call } = this;
    const inCall = call.status === "joined" || call.status === "rejoining";
    const wasInCall = !elements.call.hidden;
    elements.join.hidden = inCall;
    elements.call.hidden = !inCall;
    elements.controls.hidden = !inCall;
    elements.joinButton.disabled = call.status === "joining";
    elements.joinButton.textContent = call.status === "joining" ? "Joining…" : "Join";
    elements.where.textContent = inCall
      ? `Channel ${call.form?.channel ?? ""}${call.status === "rejoining" ? " · coming back…" : ""}`
      : "";

    renderTiles(elements.tiles, inCall ? this.#tiles() : []);
    this.#renderPeople(inCall);
    this.#renderSound();
    this.#renderControls();
    // The focused element has just disappeared with the other half of the page.
    if (inCall && !wasInCall) elements.mute.focus();
    if (!inCall && wasInCall) elements.name.focus();
  }

  #tiles(): Tile[] {
    const { call } = this;
    const name = call.form?.name ?? "";
    const own: Tile = {
      key: "own",
      name,
      own: true,
      muted: call.muted,
      screen: false,
      video: call.ownTrack("camera"),
    };
    const tiles = [own];
    const ownScreen = call.ownTrack("screen");
    if (ownScreen) tiles.push({ ...own, key: "own-screen", muted: false, screen: true, video: ownScreen });
    for (const remote of call.remotes) {
      const base = { key: remote.sessionId, name: remote.name, own: false, muted: isMuted(remote) };
      tiles.push({ ...base, screen: false, video: trackOf(remote, "camera") });
      const screen = trackOf(remote, "screen");
      if (screen) {
        tiles.push({ ...base, key: `${remote.sessionId}-screen`, muted: false, screen: true, video: screen });
      }
    }
    return tiles;
  }

  #renderPeople(inCall: boolean): void {
    const { call } = this;
    const people = inCall
      ? [
          { name: `${call.form?.name ?? ""} (you)`, muted: call.muted },
          ...call.remotes.map((remote) => ({ name: remote.name, muted: isMuted(remote) })),
        ]
      : [];
    elements.count.textContent = inCall ? `(${people.length})` : "";
    elements.people.replaceChildren(
      ...people.map(({ name, muted }) => {
        const item = document.createElement("li");
        const label = document.createElement("span");
        label.textContent = name;
        item.append(label);
        if (muted) {
          const state = document.createElement("span");
          state.className = "state";
          const mark = icon("icon-mic-off", "");
          mark.setAttribute("aria-hidden", "true");
          state.append(mark, "muted");
          item.append(state);
        }
        return item;
      }),
    );
  }

  /** One hidden audio element for each sound that is received. */
  #renderSound(): void {
    const tracks = new Map<string, MediaStreamTrack>();
    for (const remote of this.call.remotes) {
      for (const { consumer } of remote.producers.values()) {
        if (consumer?.kind === "audio") tracks.set(consumer.id, consumer.track);
      }
    }
    for (const element of [...elements.sound.children] as HTMLAudioElement[]) {
      const key = element.dataset["key"] ?? "";
      if (tracks.has(key)) tracks.delete(key);
      else element.remove();
    }
    for (const [key, track] of tracks) {
      const audio = document.createElement("audio");
      audio.autoplay = true;
      audio.dataset["key"] = key;
      audio.srcObject = new MediaStream([track]);
      elements.sound.append(audio);
    }
  }

  #renderControls(): void {
    const { call } = this;
    const ready = call.status === "joined";
    const label = (button: HTMLButtonElement, symbol: string, text: string) => {
      button.querySelector("use")?.setAttribute("href", `#${symbol}`);
      const span = button.querySelector("span");
      if (span) span.textContent = text;
    };
    label(elements.mute, call.muted ? "icon-mic-off" : "icon-mic", call.muted ? "Unmute" : "Mute");
    elements.mute.classList.toggle("off", call.muted);
    setUnavailable(elements.mute, !ready || call.isBusy("mic"));
    const video = {
      camera: ["Start camera", "Stop camera"],
      screen: ["Share screen", "Stop sharing"],
    } as const;
    for (const source of ["camera", "screen"] as const) {
      const on = call.isOn(source);
      const locked = ready && !call.isAllowed(source);
      const [start, stop] = video[source];
      label(elements[source], locked ? "icon-lock" : `icon-${source}`, on ? stop : start);
      elements[source].classList.toggle("on", on);
      setUnavailable(elements[source], !ready || call.isBusy(source));
      elements[source].title = locked ? "Needs Pro" : "";
    }
  }
}

/** A button that is `disabled` would lose the keyboard's focus; the call ignores these presses anyway. */
function setUnavailable(button: HTMLButtonElement, unavailable: boolean): void {
  button.setAttribute("aria-disabled", String(unavailable));
}

function isMuted(remote: Remote): boolean {
  const mic = producerOf(remote, "mic");
  return remote.muted || !mic || mic.paused;
}

function trackOf(remote: Remote, source: string): MediaStreamTrack | undefined {
  const producer = producerOf(remote, source);
  return producer && !producer.paused ? producer.consumer?.track : undefined;
}

function producerOf(remote: Remote, source: string): RemoteProducer | undefined {
  return [...remote.producers.values()].find((producer) => producer.source === source);
}
