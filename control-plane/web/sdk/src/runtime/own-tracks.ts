/** Tracks of the application's own, sent in place of what would be captured. */
import type { Source } from "../payloads";
import type { Emit } from "./emit";
import type { OwnVideo } from "./own-video";
import type { OwnVoice } from "./own-voice";
import type { Publisher } from "./publisher";

export class OwnTracks {
  constructor(
    private readonly publisher: Publisher,
    private readonly voice: OwnVoice,
    private readonly video: OwnVideo,
    private readonly handlers: { emit: Emit; isAllowed(source: "screen"): boolean },
  ) {}

  /** Whether it is sent. */
  async publish(source: Source, track: MediaStreamTrack): Promise<boolean> {
    const { publisher } = this;
    if (source === "mic") return !(await this.voice.change(() => publisher.give("mic", track)));
    await publisher.give(source, track);
    if (source !== "screenAudio") return publisher.isSending(source) || this.video.set(source, true);
    if (!this.handlers.isAllowed("screen")) {
      this.handlers.emit("upgradeNeeded", { source: "screen" });
      return false;
    }
    if (!publisher.isSending(source)) await publisher.startTrack(source, track);
    return true;
  }

  async unpublish(source: Source, mute = false): Promise<void> {
    if (source === "camera" || source === "screen") return void (await this.video.set(source, false));
    if (source === "screenAudio") return this.publisher.stopSource(source);
    if (mute) void this.voice.setMuted(true);
    await this.voice.change(() => this.publisher.give("mic", null));
  }
}
