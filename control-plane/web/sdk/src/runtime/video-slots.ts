import { VoiceError } from "../errors";
import type { QueuePlace, Resumed, VideoSource } from "../payloads";
import type { Request } from "./signaling";

export type { VideoSource };

/** The room's few places for video: asked for before capture, so that nobody captures in vain. */
export class VideoSlots {
  #places = new Map<VideoSource, QueuePlace>();
  #granted = new Set<VideoSource>();

  constructor(private readonly send: Request) {}

  /** True: capture and produce. False: queued; the server says when it is our turn. */
  async request(source: VideoSource): Promise<boolean> {
    try {
      const { granted, position = 1, current, max } = await this.send("voice:video:requestSlot", { source });
      if (granted) this.#take(source);
      else this.#places.set(source, { source, position, current, max });
      return granted;
    } catch (error) {
      // A server without a queue decides when video is produced.
      if (VoiceError.from(error).code === "INVALID_PAYLOAD") return true;
      throw error;
    }
  }

  /** Gives up a place in the queue, or a grant that was not used. */
  async release(source: VideoSource): Promise<void> {
    this.#places.delete(source);
    this.#granted.delete(source);
    await this.send("voice:video:releaseSlot", { source }).catch(() => undefined);
  }

  place(source: VideoSource): QueuePlace | null {
    return this.#places.get(source) ?? null;
  }

  /** It is our turn, for half a minute. */
  isGranted(source: VideoSource): boolean {
    return this.#granted.has(source);
  }

  moved(place: QueuePlace): void {
    this.#granted.delete(place.source);
    this.#places.set(place.source, place);
  }

  granted(source: VideoSource): void {
    this.#take(source);
    this.#granted.add(source);
  }

  used(source: VideoSource): void {
    this.#granted.delete(source);
  }

  /** As a resumed session has them. */
  restore(queue: Resumed["queue"]): void {
    this.clear();
    for (const { source, granted, position = 1, current, max } of queue) {
      if (granted) this.#granted.add(source);
      else this.#places.set(source, { source, position, current, max });
    }
  }

  clear(): void {
    this.#places.clear();
    this.#granted.clear();
  }

  #take(source: VideoSource): void {
    this.#places.delete(source);
  }
}
