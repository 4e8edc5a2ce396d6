import type { Trouble } from "@railgun/voice";
import { picture } from "./avatar";
import { h, icon, setText } from "./dom";
import { hueOf, initialOf } from "./names";
import { t } from "./texts";
import { Zoom } from "./zoom";

export interface TileData {
  sessionId: string;
  source: "camera" | "screen";
  name: string;
  avatar: string | null;
  own: boolean;
  muted: boolean;
  deafened: boolean;
  speaking: boolean;
  /** The one who is heard most. */
  active: boolean;
  video: MediaStreamTrack | null;
  /** There is a video that has not come yet. */
  pending: boolean;
  /** What of theirs does not arrive as it should. */
  trouble: Trouble | null;
  /** Shown large by choice. */
  pinned: boolean;
  hand: boolean;
}

export interface TileHandlers {
  /** Pinned, or not any more. */
  pin(): void;
  /** The other camera of a phone; absent: there is none. */
  flip?: (() => void) | undefined;
  /** Its picture is another size. */
  zoomed(): void;
}

/** As long as its animation. */
const REACTION_MS = 3_000;
const TROUBLE: Record<Trouble, string> = t.tile.trouble;

/** A person, or a shared screen: picture or initial, name, and what they are doing. */
export class Tile {
  readonly element: HTMLElement;
  readonly sessionId: string;
  readonly source: "camera" | "screen";
  readonly own: boolean;
  #video: HTMLVideoElement | null = null;
  #avatar: HTMLElement;
  #name: HTMLElement;
  #marks: HTMLElement;
  #shownMarks = "";
  #trouble = h("span", { class: "trouble" });

  #pin: HTMLButtonElement;
  #flip: HTMLButtonElement;
  #window: HTMLButtonElement;
  #full: HTMLButtonElement;
  /** Of a screen that somebody else shares. */
  #zoom: Zoom | null = null;
  #zoomButton: HTMLButtonElement;

  constructor({ sessionId, source, name, avatar, own }: TileData, handlers: TileHandlers) {
    this.sessionId = sessionId;
    this.source = source;
    this.own = own;
    this.#avatar = h(
      "div",
      { class: "avatar", "aria-hidden": "true" },
      source === "screen" ? icon("screen") : initialOf(name),
      source === "camera" && picture(avatar),
    );
    this.#name = h("span", { class: "name" });
    this.#marks = h("span", { class: "marks" });
    const action = (symbol: string, label: string, run: () => unknown) =>
      h("button", { type: "button", class: "round", title: label, "aria-label": label, onclick: run }, icon(symbol));
    const what = source === "screen" ? (own ? t.tile.ownScreen : t.tile.screenOf(name)) : own ? t.tile.yourself : name;
    this.#pin = action("pin", t.tile.pin(what), () => handlers.pin());
    this.#flip = action("echo", t.tile.flip, () => handlers.flip?.());
    this.#flip.classList.add("flip");
    this.#window = action("window", t.tile.window(what), () => void this.#toWindow());
    this.#full = action("full", t.tile.full(what), () => void this.#toFull());
    if (source === "screen" && !own) this.#zoom = new Zoom(t.tile.zoomed(what), () => this.#onZoom(handlers));
    this.#zoomButton = action("zoom", t.tile.zoom(what), () => this.#zoom?.step());
    this.element = h(
      "figure",
      { class: `tile ${source}${own ? " own" : ""}` },
      this.#avatar,
      this.#zoom?.element,
      h("figcaption", {}, this.#marks, this.#name, this.#trouble),
      h("div", { class: "tile-actions" }, this.#flip, this.#zoomButton, this.#window, this.#full, this.#pin),
    );
    this.element.style.setProperty("--hue", String(hueOf(name)));
  }

  update({ name, own, source, muted, deafened, speaking, active, video, pending, trouble, pinned, hand }: TileData, flip?: () => void): void {
    setText(
      this.#name,
      source === "screen" ? (own ? t.tile.yourScreen : t.tile.screenOf(name)) : own ? t.people.you(name) : name,
    );
    this.element.classList.toggle("speaking", speaking);
    if (active && !this.element.classList.contains("active")) {
      this.element.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    this.element.classList.toggle("active", active);
    this.element.classList.toggle("pending", pending && !video);
    this.#pin.setAttribute("aria-pressed", String(pinned));
    this.element.classList.toggle("pinned", pinned);
    this.#flip.hidden = !flip || !own || source !== "camera" || !video;
    this.#zoomButton.hidden = !video || !this.#zoom;
    this.#window.hidden = !video || !document.pictureInPictureEnabled;
    this.#full.hidden = !video || !document.fullscreenEnabled;
    // What looks away from its owner is no mirror.
    this.element.classList.toggle("away", video?.getSettings?.().facingMode === "environment");
    setText(this.#trouble, trouble ? TROUBLE[trouble] : "");
    this.#showMarks(muted, deafened, hand);
    this.element.classList.toggle("hand", hand);
    this.#showVideo(video, name);
  }

  /** How much larger than the tile its picture is. */
  get zoom(): number {
    return this.#zoom?.factor ?? 1;
  }

  #onZoom(handlers: TileHandlers): void {
    this.#zoomButton.setAttribute("aria-pressed", String(this.zoom > 1));
    handlers.zoomed();
  }

  close(): void {
    if (this.#video) this.#video.srcObject = null;
  }

  /** Browsers refuse without a click, or while another window has it; the picture stays where it is then. */
  async #toWindow(): Promise<void> {
    if (document.pictureInPictureElement === this.#video) await document.exitPictureInPicture().catch(() => undefined);
    else await this.#video?.requestPictureInPicture().catch(() => undefined);
  }

  async #toFull(): Promise<void> {
    if (document.fullscreenElement) await document.exitFullscreen().catch(() => undefined);
    else await this.element.requestFullscreen().catch(() => undefined);
  }

  /** For a moment; what is announced is another's to do. */
  react(emoji: string): void {
    const shown = h("span", { class: "reaction", "aria-hidden": "true" }, emoji);
    this.element.append(shown);
    setTimeout(() => shown.remove(), REACTION_MS);
  }

  #showMarks(muted: boolean, deafened: boolean, hand: boolean): void {
    const marks = `${muted}${deafened}${hand}`;
    if (marks === this.#shownMarks) return;
    this.#shownMarks = marks;
    this.#marks.replaceChildren(
      ...(hand ? [icon("hand", t.gestures.hand)] : []),
      ...(deafened ? [icon("deafen-off", t.people.deafened)] : []),
      ...(muted ? [icon("mic-off", t.people.muted)] : []),
    );
  }

  #showVideo(track: MediaStreamTrack | null, name: string): void {
    if (!track) {
      this.#video?.remove();
      this.#video = null;
      this.#zoom?.reset();
      return;
    }
    if (this.#video?.dataset["track"] === track.id) return;
    const video = this.#video ?? h("video", { autoplay: true, playsinline: true });
    // Sound has elements of its own; a muted video may always start by itself.
    video.muted = true;
    video.dataset["track"] = track.id;
    video.setAttribute("aria-label", t.tile.videoOf(name));
    video.srcObject = new MediaStream([track]);
    void video.play().catch(() => undefined);
    if (this.#zoom) this.#zoom.element.append(video);
    else if (!this.#video) this.#avatar.after(video);
    this.#video = video;
  }
}
