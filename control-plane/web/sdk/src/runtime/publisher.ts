import type { types } from "mediasoup-client";
import { VoiceError } from "../errors";
import type { Plan } from "../optimizer";
import type { Sent } from "../state-machine";
import type { Permissions, ProducerInfo, Source } from "../payloads";
import { captureCamera, captureScreen } from "./capture";
import { encodingsOf, produceOptions, type Shape, shapeSender } from "./encodings";
import { type Media, produce } from "./media";
import type { Microphone } from "./microphone";
import type { Request } from "./signaling";
import type { VideoSlots, VideoSource } from "./video-slots";

export interface PublisherHandlers {
  changed(): void;
  /**
   * The device behind a source, or the permission for it, is gone, or the browser's own "stop sharing" was pressed.
   * `captured`: it was no track of the application's own.
   */
  ended(source: VideoSource | "screenAudio", captured: boolean): void;
  /** The application's own track in place of the microphone ended. */
  micEnded(): void;
  /** The server refused, after a join, a resume or another transport, what was sent before. */
  failed(source: Source, error: unknown): void;
}

/** What encryption adds to each Opus packet, in bits per second at 50 of them, so that the tier's limit holds. */
const SFRAME_BITRATE = 27 * 8 * 50;

const NO_PLAN: Plan = { videoFactor: 1, audioFactor: 1, protectAudio: false, pauseVideo: false, micBoost: 0 };

/** What this user sends. Tracks outlive a stay in a room, so that they can be sent again in the next. */
export class Publisher {
  muted = false;
  /** What was asked for last: nothing is heard from the moment it is true, whatever is still under way. */
  wantsMuted = false;
  cameraId = "";
  /** The application's own tracks in place of what would be captured. It ends them, not we. */
  #given = new Map<Source, MediaStreamTrack>();
  #media: Media | null = null;
  #permissions: Permissions | null = null;
  #producers = new Map<Source, types.Producer>();
  #tracks = new Map<Source, MediaStreamTrack>();
  #plan = NO_PLAN;
  /** By producer: the highest layer that anybody receives, as far as the server said. */
  #layers = new Map<string, number | null>();

  constructor(
    private readonly request: Request,
    private readonly microphone: Microphone,
    private readonly slots: VideoSlots,
    private readonly handlers: PublisherHandlers,
  ) {}

  /** The most that is sent, for the state. */
  get sent(): Sent {
    return (["screen", "camera", "mic"] as const).find((source) => this.#producers.has(source)) ?? "nothing";
  }

  isSending(source: Source): boolean {
    return this.#producers.has(source);
  }

  /** Held back because the network is too bad for it. */
  isHeldBack(source: VideoSource): boolean {
    return this.#plan.pauseVideo && this.#producers.has(source);
  }

  track(source: VideoSource): MediaStreamTrack | null {
    return this.#tracks.get(source) ?? null;
  }

  /** What is sent as the microphone; null while nothing is open. */
  get #mic(): MediaStreamTrack | null {
    return this.#given.get("mic") ?? this.microphone.track;
  }

  producer(source: Source): types.Producer | undefined {
    return this.#producers.get(source);
  }

  /** In a new room: everything that was sent before is sent again, the microphone once it is open. */
  async attach(media: Media, permissions: Permissions, microphone: Promise<unknown>): Promise<void> {
    this.#media = media;
    this.#permissions = permissions;
    this.#layers.clear();
    await microphone.catch(() => undefined);
    if (this.#media !== media) return;
    if (this.#mic && !this.wantsMuted) await this.#produceAgain("mic", this.#mic);
    for (const source of ["camera", "screen"] as const) {
      if (this.#tracks.has(source)) await this.#startAgain(source);
    }
  }

  /** The room is gone, the tracks stay. */
  detach(): void {
    this.#media = null;
    this.#producers.clear();
  }

  /** Everything off. */
  stop(): void {
    for (const producer of this.#producers.values()) producer.close();
    this.detach();
    for (const source of [...this.#tracks.keys()]) this.#endTrack(source);
    this.#given.clear();
    this.microphone.close();
    this.#plan = NO_PLAN;
  }

  /**
   * After a resume: what the server no longer has is sent anew, what it has alone is closed there, and pauses are as
   * they are here.
   */
  async reconcile(known: ProducerInfo[]): Promise<void> {
    const own = [...this.#producers];
    // An answer or a request was lost with the socket. The source could not be sent again beside it.
    for (const { producerId } of known) if (!own.some(([, { id }]) => id === producerId)) await this.#end(producerId);
    for (const [source, producer] of own) {
      // A screen's sound was sent again with it.
      if (this.#producers.get(source) !== producer) continue;
      const there = known.find(({ producerId }) => producerId === producer.id);
      if (!there) await this.#produceAnew(source, producer);
      else if (there.paused !== producer.paused) await this.#tellPaused(producer, producer.paused);
    }
  }

  /** No sound leaves from now on. The caller tells the server. */
  muteNow(): void {
    this.wantsMuted = this.muted = true;
    this.#producers.get("mic")?.pause();
    // What is just being produced has no producer yet.
    if (this.#mic) this.#mic.enabled = false;
    this.handlers.changed();
  }

  /** Opens the microphone if need be. Fails when there is none to be had. */
  async setMuted(muted: boolean): Promise<void> {
    const producer = this.#producers.get("mic");
    if (producer) {
      // Here first, so that nothing is heard while the request is on its way; the other way round coming back.
      if (muted) producer.pause();
      this.muted = muted;
      // A server that is just out of reach hears of it when the session is resumed.
      await this.#tellPaused(producer, muted).catch(unlessUnreachable);
      if (!muted && !this.wantsMuted) producer.resume();
      this.muted = this.wantsMuted;
    } else if (!muted) {
      const track = this.#mic ?? (await this.microphone.open());
      if (this.wantsMuted) return;
      this.muted = false;
      track.enabled = true;
      await this.#produce("mic", track);
    } else {
      this.muted = true;
    }
    this.handlers.changed();
  }

  /** Sends the application's own track as `source` from now on; null: what is captured. */
  async give(source: Source, track: MediaStreamTrack | null): Promise<void> {
    if (track) this.#given.set(source, track);
    else this.#given.delete(source);
    if (source === "mic") return this.#changeMic();
    const producer = this.#producers.get(source);
    if (!track || !producer) return;
    const before = this.#tracks.get(source);
    this.#keep(source, track);
    await producer.replaceTrack({ track });
    if (before !== track) before?.stop();
    this.handlers.changed();
  }

  async #changeMic(): Promise<void> {
    const given = this.#given.get("mic");
    given?.addEventListener("ended", () => {
      if (this.#given.get("mic") === given) this.handlers.micEnded();
    });
    if (given) this.microphone.close();
    const producer = this.#producers.get("mic");
    if (!producer && this.wantsMuted) return;
    const track = given ?? (await this.microphone.open());
    if (producer) await producer.replaceTrack({ track });
    else if (this.#media) await this.#produce("mic", track);
    this.handlers.changed();
  }

  /** Captures and sends, unless it is no longer wanted; the slot must be there. */
  async start(source: VideoSource, isWanted: () => boolean = () => true): Promise<boolean> {
    const given = this.#given.get(source);
    if (given?.readyState === "ended") this.#given.delete(source);
    else if (given) {
      await this.startTrack(source, given);
      return true;
    }
    const captured = source === "camera" ? { video: await captureCamera(this.cameraId), audio: null } : await captureScreen();
    const { video, audio } = captured;
    try {
      if (!isWanted()) throw new VoiceError("CANCELLED", `${source} was given up meanwhile`);
      await this.startTrack(source, video);
    } catch (error) {
      video.stop();
      audio?.stop();
      if (!isWanted()) return false;
      throw error;
    }
    // Without its sound a screen is still worth seeing.
    if (audio) await this.startTrack("screenAudio", audio).catch(() => audio.stop());
    return true;
  }

  async stopSource(source: VideoSource | "screenAudio"): Promise<void> {
    const all: Source[] = source === "screen" ? ["screen", "screenAudio"] : [source];
    for (const one of all) {
      this.#endTrack(one);
      this.#given.delete(one);
      const producer = this.#producers.get(one);
      this.#producers.delete(one);
      producer?.close();
      if (producer) await this.#end(producer.id);
    }
    this.handlers.changed();
  }

  async setCamera(deviceId: string): Promise<void> {
    this.cameraId = deviceId;
    const before = this.#tracks.get("camera");
    this.handlers.changed();
    if (!before || this.#given.has("camera")) return;
    const track = await captureCamera(deviceId);
    this.#keep("camera", track);
    await this.#producers.get("camera")?.replaceTrack({ track });
    before.stop();
    this.handlers.changed();
  }

  /** The microphone's track became another one. */
  async replaceMicTrack(track: MediaStreamTrack): Promise<void> {
    if (!this.#given.has("mic")) await this.#producers.get("mic")?.replaceTrack({ track });
  }

  /** The server closed one of ours; which one, if it was. */
  closedByServer(producerId: string): Source | null {
    for (const [source, producer] of this.#producers) {
      if (producer.id !== producerId) continue;
      this.#producers.delete(source);
      producer.close();
      this.#endTrack(source);
      if (source === "mic") {
        this.muteNow();
        this.microphone.close();
      }
      this.handlers.changed();
      return source;
    }
    return null;
  }

  setPermissions(permissions: Permissions): void {
    this.#permissions = permissions;
    this.#reshapeAll();
  }

  setLayers(producerId: string, maxSpatialLayer: number | null): void {
    this.#layers.set(producerId, maxSpatialLayer);
    this.#reshapeAll();
  }

  async apply(plan: Plan): Promise<void> {
    const pauses = plan.pauseVideo !== this.#plan.pauseVideo;
    this.#plan = plan;
    this.microphone.change({ boostDb: plan.micBoost });
    this.#reshapeAll();
    if (!pauses) return;
    for (const source of ["camera", "screen"] as const) {
      const producer = this.#producers.get(source);
      if (!producer) continue;
      if (plan.pauseVideo) producer.pause();
      await this.#tellPaused(producer, plan.pauseVideo).catch(() => undefined);
      if (!plan.pauseVideo) producer.resume();
    }
    this.handlers.changed();
  }

  async startTrack(source: VideoSource | "screenAudio", track: MediaStreamTrack): Promise<void> {
    this.#keep(source, track);
    try {
      await this.#produce(source, track);
    } catch (error) {
      if (this.#tracks.get(source) === track) this.#endTrack(source);
      throw error;
    }
  }

  #endTrack(source: Source): void {
    const track = this.#tracks.get(source);
    this.#tracks.delete(source);
    if (track && this.#given.get(source) !== track) track.stop();
  }

  #keep(source: VideoSource | "screenAudio", track: MediaStreamTrack): void {
    this.#tracks.set(source, track);
    for (const name of ["mute", "unmute"]) track.addEventListener(name, () => this.handlers.changed());
    track.addEventListener("ended", () => {
      if (this.#tracks.get(source) === track) this.handlers.ended(source, this.#given.get(source) !== track);
    });
  }

  /** In the next room the slot has to be asked for again. */
  async #startAgain(source: VideoSource): Promise<void> {
    const tracks: Source[] = source === "screen" ? ["screen", "screenAudio"] : ["camera"];
    const mayStart = await this.slots.request(source).catch(() => false);
    for (const one of tracks) {
      const track = this.#tracks.get(one);
      if (track && mayStart) await this.#produceAgain(one, track);
      else this.#endTrack(one);
    }
  }

  /** Fails only if the transport was given up meanwhile: the next transport sends the track. */
  async #produceAgain(source: Source, track: MediaStreamTrack): Promise<void> {
    try {
      await this.#produce(source, track);
    } catch (error) {
      // It was turned off while the server answered.
      if (source !== "mic" && this.#tracks.get(source) !== track) return;
      if (VoiceError.from(error).code === "CANCELLED") throw error;
      this.#endTrack(source);
      this.handlers.failed(source, error);
    }
  }

  async #produce(source: Source, track: MediaStreamTrack): Promise<void> {
    const media = this.#media;
    const over = () => new VoiceError("CANCELLED", `${source} was given up meanwhile`);
    if (!media) throw over();
    const { send } = media;
    const shape = this.#shape();
    const isOver = () => this.#media !== media || media.send !== send;
    const options = { track, ...produceOptions(source, shape.audioBitrate) };
    const producer = await produce(media, source, options).catch((error: unknown) => {
      throw isOver() ? over() : error;
    });
    if (isOver()) {
      producer.close();
      throw over();
    }
    if (source !== "mic" && this.#tracks.get(source) !== track) {
      // It was turned off while the server answered.
      producer.close();
      await this.#end(producer.id);
      throw over();
    }
    this.#producers.set(source, producer);
    // The server hears of it by the change that is queued behind this one.
    if (source === "mic" && this.wantsMuted) producer.pause();
    // The server may have said already that nobody receives it.
    this.#reshapeAll();
    this.handlers.changed();
  }

  async #produceAnew(source: Source, old: types.Producer): Promise<void> {
    const track = source === "mic" ? this.#mic : this.#tracks.get(source);
    this.#producers.delete(source);
    old.close();
    if (!track || (source === "mic" && this.wantsMuted)) return;
    const again = source === "camera" || source === "screen" ? this.#startAgain(source) : this.#produceAgain(source, track);
    await again.catch(() => undefined);
  }

  /** At the server. */
  #end(producerId: string): Promise<unknown> {
    return this.request("voice:rtc:closeProducer", { producerId }).catch(() => undefined);
  }

  #tellPaused(producer: types.Producer, paused: boolean): Promise<unknown> {
    const name = paused ? "voice:rtc:pauseProducer" : "voice:rtc:resumeProducer";
    return this.request(name, { producerId: producer.id });
  }

  #shape(): Shape {
    return {
      audioBitrate: (this.#permissions?.maxBitrate ?? 32_000) - (this.#media?.encryption ? SFRAME_BITRATE : 0),
      audioFactor: this.#plan.audioFactor,
      videoFactor: this.#plan.videoFactor,
      protectAudio: this.#plan.protectAudio,
    };
  }

  #reshapeAll(): void {
    const shape = this.#shape();
    for (const [source, producer] of this.#producers) {
      // Nothing was said of it: somebody may receive everything.
      const layers = this.#layers.get(producer.id);
      const top = encodingsOf(source).length - 1;
      shapeSender(producer, source, shape, layers === undefined ? top : layers);
    }
  }
}

function unlessUnreachable(error: unknown): void {
  const { code } = VoiceError.from(error);
  if (code !== "UNREACHABLE" && code !== "TIMEOUT") throw error;
}
