import { listDevices, type VoiceService, type VoiceSnapshot } from "@railgun/voice";
import type { Gestures } from "@railgun/voice/gestures";
import { h, Keyed } from "./dom";
import { bestGrid } from "./grid";
import { preferences } from "./preferences";
import { Tile, type TileData } from "./tile";
import { avatarInToken } from "./token";
import { t } from "./texts";

const GAP = 10;

/** The tiles, as large as they fit, and word to the service of how large each is shown. */
export class Stage {
  readonly element = h("section", { class: "stage", "aria-label": t.call.video });
  #main = h("div", { class: "focus" });
  #grid = h("div", { class: "grid", role: "group", "aria-label": t.call.people });
  #tiles = new Keyed<TileData, Tile>(
    this.#grid,
    (data, key) => this.#make(data, key),
    (tile, data) => tile.update(data, this.#flip),
    (tile) => tile.close(),
  );
  #screens = new Keyed<TileData, Tile>(
    this.#main,
    (data, key) => this.#make(data, key),
    (tile, data) => tile.update(data, this.#flip),
    (tile) => tile.close(),
  );
  #resized = new ResizeObserver(() => this.#layout());
  #visible = new WeakSet<Element>();
  #seen: IntersectionObserver;
  /** The key of who is shown large by choice. */
  #pinned: string | null = null;
  #speaker: string | null = null;
  #ownCamera: MediaStreamTrack | null = null;
  #ownAvatar = avatarInToken();
  #again: () => void = () => undefined;
  /** Goes over to the next camera; undefined while there is but one. */
  #flip: (() => void) | undefined;

  constructor(
    private readonly voice: VoiceService,
    private readonly gestures: Gestures,
  ) {
    this.element.append(this.#main, this.#grid);
    this.#seen = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          if (isIntersecting) this.#visible.add(target);
          else this.#visible.delete(target);
        }
        this.#tellViewports();
      },
      { root: null },
    );
    this.#resized.observe(this.element);
    document.addEventListener("visibilitychange", this.#tellViewports);
  }

  close(): void {
    this.#resized.disconnect();
    this.#seen.disconnect();
    document.removeEventListener("visibilitychange", this.#tellViewports);
  }

  #make(data: TileData, key: string): Tile {
    return new Tile(data, {
      pin: () => {
        this.#pinned = this.#pinned === key ? null : key;
        this.#again();
      },
      flip: () => this.#flip?.(),
      zoomed: () => this.#tellViewports(),
    });
  }

  /** Of several others, who spoke last; with the speaker view alone. */
  #speakerOf({ participants, activeSpeaker }: VoiceSnapshot): string | null {
    if (!preferences.values.speakerView || participants.length < 2) return null;
    const speaking = participants.filter((person) => person.speaking).map(({ sessionId }) => sessionId);
    const isHere = participants.some(({ sessionId }) => sessionId === this.#speaker);
    // The server's choice first; whoever fell silent stays until somebody else speaks.
    if (activeSpeaker && speaking.includes(activeSpeaker)) this.#speaker = activeSpeaker;
    else if (speaking[0] && !speaking.includes(this.#speaker ?? "")) this.#speaker = speaking[0];
    else if (!isHere) this.#speaker = participants[0]?.sessionId ?? null;
    return this.#speaker;
  }

  /** A phone's other camera, once the browser says that there is one. */
  async #lookForCameras(): Promise<void> {
    const cameras = (await listDevices().catch(() => null))?.cameras ?? [];
    const isHandheld = matchMedia("(pointer: coarse)").matches;
    this.#flip =
      isHandheld && cameras.length > 1
        ? () => {
            const used = this.voice.ownTrack("camera")?.getSettings().deviceId;
            const next = (cameras.findIndex(({ deviceId }) => deviceId === used) + 1) % cameras.length;
            void this.voice.setCamera(cameras[next]?.deviceId ?? "").catch(() => undefined);
          }
        : undefined;
    this.#again();
  }

  /** `sessionId`: null for oneself. */
  react(sessionId: string | null, emoji: string): void {
    const key = sessionId ?? "own";
    (this.#tiles.get(key) ?? this.#screens.get(key))?.react(emoji);
  }

  render(snapshot: VoiceSnapshot, ownName: string, ownSpeaking: boolean): void {
    this.#again = () => this.render(this.voice.snapshot, ownName, ownSpeaking);
    if (snapshot.camera.track && this.#ownCamera !== snapshot.camera.track) void this.#lookForCameras();
    this.#ownCamera = snapshot.camera.track;
    const people = new Map<string, TileData>();
    const screens = new Map<string, TileData>();
    const { muted, deafened, camera, screen, activeSpeaker } = snapshot;
    const own = {
      sessionId: "own",
      name: ownName,
      avatar: this.#ownAvatar,
      own: true,
      deafened,
      speaking: ownSpeaking && !muted,
      active: false,
      pending: false,
      trouble: null,
      pinned: false,
      hand: false,
    };
    people.set("own", { ...own, muted, hand: this.gestures.handRaised, source: "camera", video: camera.track });
    if (screen.track) {
      // As a tile beside the others: at full size a shared screen would show itself in itself without end.
      people.set("own-screen", {
        ...own,
        muted: false,
        deafened: false,
        speaking: false,
        source: "screen",
        video: screen.track,
      });
    }
    for (const person of snapshot.participants) {
      const { sessionId, name, avatar, sends } = person;
      const base = { sessionId, name, avatar, own: false, active: false, pinned: false, hand: false };
      const { muted: isMuted, deafened: isDeaf, speaking } = person;
      people.set(sessionId, {
        ...base,
        muted: isMuted,
        deafened: isDeaf,
        hand: this.gestures.hands.has(sessionId),
        speaking,
        active: sessionId === activeSpeaker && snapshot.participants.length > 1,
        source: "camera",
        video: person.camera,
        pending: sends.camera,
        trouble: person.trouble,
      });
      if (!sends.screen) continue;
      screens.set(`${sessionId}-screen`, {
        ...base,
        muted: false,
        deafened: false,
        speaking: false,
        source: "screen",
        video: person.screen,
        pending: true,
        trouble: null,
      });
    }
    if (this.#pinned && !people.has(this.#pinned) && !screens.has(this.#pinned)) this.#pinned = null;
    const key = this.#pinned ?? (screens.size === 0 ? this.#speakerOf(snapshot) : null);
    // What is pinned has the large place alone; other screens are tiles beside the faces meanwhile.
    const large = key ? (people.get(key) ?? screens.get(key)) : undefined;
    if (key && large) {
      for (const [other, data] of screens) people.set(other, data);
      people.delete(key);
      screens.clear();
      screens.set(key, { ...large, pinned: key === this.#pinned });
    }
    this.#tiles.render(people);
    this.#screens.render(screens);
    this.element.classList.toggle("focused", screens.size > 0);
    this.element.classList.toggle("duo", screens.size === 0 && people.size === 2 && !screen.track);
    // The strip scrolls, so it must be within the keyboard's reach.
    if (screens.size > 0) this.#grid.tabIndex = 0;
    else this.#grid.removeAttribute("tabindex");
    for (const tile of this.#all()) this.#seen.observe(tile.element);
    this.#layout();
  }

  #layout(): void {
    // The first screen leaves a strip for the faces; without one they have it all.
    const box = this.#grid.getBoundingClientRect();
    const count = this.#grid.children.length;
    if (count === 0 || box.width === 0) return;
    const isStrip = this.element.classList.contains("focused");
    const { columns, width, ratio } = bestGrid(count, box.width, Math.max(box.height, 120), GAP);
    this.#grid.style.setProperty("--ratio", isStrip ? "" : String(ratio));
    this.#grid.style.setProperty("--columns", String(columns));
    this.#grid.style.setProperty("--tile-width", isStrip ? "" : `${Math.floor(width)}px`);
    this.#tellViewports();
  }

  #tellViewports = (): void => {
    for (const { element, own, sessionId, source, zoom } of this.#all()) {
      if (own) continue;
      const isSeen = this.#visible.has(element) && document.visibilityState === "visible";
      const { width, height } = element.getBoundingClientRect();
      this.voice.setViewport(
        sessionId,
        source,
        isSeen ? { width: width * zoom, height: height * zoom, pixelRatio: devicePixelRatio } : null,
      );
    }
  };

  *#all(): Generator<Tile> {
    yield* this.#tiles.values();
    yield* this.#screens.values();
  }
}
