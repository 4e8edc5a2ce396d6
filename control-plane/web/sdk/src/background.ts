/** `@railgun/voice/background`: blurs the camera's background where the system does it, and processes its frames elsewhere. */
import { VoiceError } from "./errors";
import { captureCamera } from "./runtime/capture";
import type { VoiceService } from "./voice-service";

/** Of Media Capture Extensions; TypeScript's library does not have it yet. */
type Blurs = MediaTrackCapabilities & { backgroundBlur?: boolean[] };

/** Whether the system can blur what this camera sees. It may also blur all the time, whatever a page asks for. */
export function canBlur(track: MediaStreamTrack | null): boolean {
  const { backgroundBlur = [] } = (track?.getCapabilities?.() ?? {}) as Blurs;
  return backgroundBlur.includes(true) && backgroundBlur.includes(false);
}

/** Blurs what this camera sees, or not; whether it is so afterwards: false where the system cannot. */
export async function blur(track: MediaStreamTrack, on: boolean): Promise<boolean> {
  if (!canBlur(track)) return false;
  await track.applyConstraints({ ...track.getConstraints(), backgroundBlur: on } as MediaTrackConstraints);
  return on;
}

/** Keeps the background of one's own camera blurred, in whichever camera is used next as well. */
export class BackgroundBlur {
  /** Null: nobody chose. */
  #on: boolean | null = null;
  /** The last track that was asked. */
  #track: MediaStreamTrack | null = null;
  #stop: () => void;

  constructor(private readonly voice: VoiceService) {
    this.#stop = voice.on("change", ({ camera }) => void this.#apply(camera.track).catch(() => undefined));
  }

  /** Whether it is so afterwards: false where the system cannot, and while the camera is off; it begins with the camera then. */
  async set(on: boolean): Promise<boolean> {
    this.#on = on;
    this.#track = null;
    return this.#apply(this.voice.ownTrack("camera"));
  }

  close(): void {
    this.#stop();
  }

  async #apply(track: MediaStreamTrack | null): Promise<boolean> {
    const isNew = track !== this.#track;
    this.#track = track;
    // Until somebody asks for it, the system's own setting stays.
    if (!track || this.#on === null) return false;
    return isNew ? blur(track, this.#on) : this.#on;
  }
}

/** Gives the frame to send in place of one that was captured; it closes what it does not give back. */
export type FrameTransform = (frame: VideoFrame) => VideoFrame | Promise<VideoFrame>;

export interface ProcessedCamera {
  /** For `publishTrack(track, { source: "camera" })`. */
  readonly track: MediaStreamTrack;
  /** Ends the track, and lets go of the camera. */
  stop(): void;
}

type Breakout = {
  MediaStreamTrackProcessor?: new (init: { track: MediaStreamTrack }) => { readable: ReadableStream<VideoFrame> };
  MediaStreamTrackGenerator?: new (init: { kind: "video" }) => MediaStreamTrack & { writable: WritableStream<VideoFrame> };
};

/** Whether this browser gives a page the frames of its camera: Chromium does. */
export function canProcess(): boolean {
  const { MediaStreamTrackProcessor, MediaStreamTrackGenerator } = globalThis as Breakout;
  return MediaStreamTrackProcessor !== undefined && MediaStreamTrackGenerator !== undefined;
}

/**
 * Captures a camera and passes each of its frames through `transform`: a background of the application's own, for
 * example. What it throws costs that frame. Fails with `UNSUPPORTED_BROWSER` where `canProcess` is false.
 */
export async function processedCamera(transform: FrameTransform, deviceId = ""): Promise<ProcessedCamera> {
  const { MediaStreamTrackProcessor, MediaStreamTrackGenerator } = globalThis as Breakout;
  if (!MediaStreamTrackProcessor || !MediaStreamTrackGenerator) {
    throw new VoiceError("UNSUPPORTED_BROWSER", "this browser does not give a page the frames of its camera");
  }
  const source = await captureCamera(deviceId);
  const generator = new MediaStreamTrackGenerator({ kind: "video" });
  generator.contentHint = source.contentHint;
  const process = async (frame: VideoFrame, controller: TransformStreamDefaultController<VideoFrame>) => {
    try {
      controller.enqueue(await transform(frame));
    } catch {
      // A frame that is not closed keeps the camera from giving others.
      frame.close();
    }
  };
  const ended = new AbortController();
  const stop = () => {
    ended.abort();
    source.stop();
    generator.stop();
  };
  // Its camera was unplugged, or the permission taken back: `publishTrack` hears of it by the track's end.
  source.addEventListener("ended", () => {
    stop();
    generator.dispatchEvent(new Event("ended"));
  });
  new MediaStreamTrackProcessor({ track: source }).readable
    .pipeThrough(new TransformStream({ transform: process }), { signal: ended.signal })
    .pipeTo(generator.writable, { signal: ended.signal })
    .catch(() => undefined);
  return { track: generator, stop };
}
