import { h, icon, setText } from "./dom";
import { hueOf, initialOf } from "./names";

export interface TileData {
  sessionId: string;
  source: "camera" | "screen";
  name: string;
  own: boolean;
  muted: boolean;
  deafened: boolean;
  speaking: boolean;
  /** The one who is heard most. */
  active: boolean;
  video: MediaStreamTrack | null;
  /** There is a video that has not come yet. */
  pending: boolean;
}

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

  constructor({ sessionId, source, name, own }: TileData) {
    this.sessionId = sessionId;
    this.source = source;
    this.own = own;
    this.#avatar = h(
      "div",
      { class: "avatar", "aria-hidden": "true" },
      source === "screen" ? icon("screen") : initialOf(name),
    );
    this.#name = h("span", { class: "name" });
    this.#marks = h("span", { class: "marks" });
    this.element = h(
      "figure",
      { class: `tile ${source}${own ? " own" : ""}` },
      this.#avatar,
      h("figcaption", {}, this.#marks, this.#name),
    );
    this.element.style.setProperty("--hue", String(hueOf(name)));
  }

  update({ name, own, source, muted, deafened, speaking, active, video, pending }: TileData): void {
    setText(
      this.#name,
      source === "screen" ? (own ? "Your screen" : `${name}'s screen`) : own ? `${name} (you)` : name,
    );
    this.element.classList.toggle("speaking", speaking);
    if (active && !this.element.classList.contains("active")) {
      this.element.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    this.element.classList.toggle("active", active);
    this.element.classList.toggle("pending", pending && !video);
    this.#showMarks(muted, deafened);
    this.#showVideo(video, name);
  }

  close(): void {
    if (this.#video) this.#video.srcObject = null;
  }

  #showMarks(muted: boolean, deafened: boolean): void {
    const marks = `${muted}${deafened}`;
    if (marks === this.#shownMarks) return;
    this.#shownMarks = marks;
    this.#marks.replaceChildren(
      ...(deafened ? [icon("deafen-off", "deafened")] : []),
      ...(muted ? [icon("mic-off", "muted")] : []),
    );
  }

  #showVideo(track: MediaStreamTrack | null, name: string): void {
    if (!track) {
      this.#video?.remove();
      this.#video = null;
      return;
    }
    if (this.#video?.dataset["track"] === track.id) return;
    const video = this.#video ?? h("video", { autoplay: true, playsinline: true });
    // Sound has elements of its own; a muted video may always start by itself.
    video.muted = true;
    video.dataset["track"] = track.id;
    video.setAttribute("aria-label", `Video of ${name}`);
    video.srcObject = new MediaStream([track]);
    void video.play().catch(() => undefined);
    if (!this.#video) this.#avatar.after(video);
    this.#video = video;
  }
}
