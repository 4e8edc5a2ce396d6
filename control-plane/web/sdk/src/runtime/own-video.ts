/** One's own camera and screen: permission, slot, capture and sending, in whatever order they are asked for. */
import { VoiceError } from "../errors";
import { queueText } from "../quality";
import type { Emit } from "./emit";
import type { Publisher } from "./publisher";
import { Switch } from "./switch";
import type { VideoSlots, VideoSource } from "./video-slots";

export interface OwnVideoHandlers {
  emit: Emit;
  changed(): void;
  isAllowed(source: VideoSource): boolean;
  /** The application was told that Pro is needed. */
  offered(): void;
}

export class OwnVideo {
  #switches = this.#make();

  constructor(
    private readonly publisher: Publisher,
    private readonly slots: VideoSlots,
    private readonly handlers: OwnVideoHandlers,
  ) {}

  isStarting(source: VideoSource): boolean {
    return this.#switches[source].isTurningOn;
  }

  /** On, on its way there, in the queue, or our turn. */
  isWanted(source: VideoSource): boolean {
    return this.isStarting(source) || this.publisher.isSending(source) || this.slots.place(source) !== null;
  }

  /** Whether it is sent afterwards. */
  set(source: VideoSource, on: boolean): Promise<boolean> {
    const { changed } = this.handlers;
    const change = this.#switches[source].set(on);
    changed();
    change.then(changed, changed);
    return change;
  }

  /** The call is over: whatever is under way gives up. */
  abandon(): void {
    for (const source of Object.values(this.#switches)) source.abandon();
    this.#switches = this.#make();
  }

  #make(): Record<VideoSource, Switch> {
    const of = (source: VideoSource) =>
      new Switch(
        (isWanted) => this.#start(source, isWanted),
        () => this.#stop(source),
      );
    return { camera: of("camera"), screen: of("screen") };
  }

  async #start(source: VideoSource, isWanted: () => boolean): Promise<boolean> {
    const { slots, publisher } = this;
    const { emit, isAllowed, offered } = this.handlers;
    if (publisher.isSending(source)) return true;
    if (!isAllowed(source)) {
      emit("upgradeNeeded", { source });
      offered();
      return false;
    }
    try {
      if (!(await slots.request(source))) {
        const place = slots.place(source);
        if (place) emit("notice", { kind: "queued", source, text: queueText(place) });
        return false;
      }
      if (isWanted() && (await publisher.start(source, isWanted))) {
        slots.used(source);
        return true;
      }
      await slots.release(source);
      return false;
    } catch (thrown) {
      await slots.release(source);
      const error = VoiceError.from(thrown);
      if (error.code === "CAPABILITY_REQUIRED") emit("upgradeNeeded", { source });
      throw error;
    }
  }

  async #stop(source: VideoSource): Promise<void> {
    const { slots, publisher } = this;
    if (slots.place(source) || slots.isGranted(source)) await slots.release(source);
    await publisher.stopSource(source);
  }
}
