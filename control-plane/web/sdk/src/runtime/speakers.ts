import { fromAmplitude, SILENCE_DB } from "../dsp/decibel";

interface Voice {
  readonly userId: string;
  readonly sessionId: string;
  readonly isMic: boolean;
  readonly element: HTMLAudioElement;
  readonly receiver: RTCRtpReceiver | undefined;
}

/** Levels that are older than this are of somebody who sends nothing any more, in milliseconds. */
const LEVEL_AGE_MAX = 400;

/** Plays what is heard: a media element a voice, so that the browser's echo canceller knows the sound. */
export class Speakers {
  #voices = new Map<string, Voice>();
  #userVolumes = new Map<string, number>();
  #volume = 1;
  /** Taken off because of feedback, 0 to 1. */
  #duck = 1;
  #deafened = false;
  #deviceId = "";

  /** `onBlocked`: the browser wants a click before it plays sound. */
  constructor(private readonly onBlocked: () => void) {}

  play(
    key: string,
    track: MediaStreamTrack,
    of: { userId: string; sessionId: string; isMic: boolean },
    receiver?: RTCRtpReceiver,
  ): void {
    this.stop(key);
    const element = new Audio();
    element.srcObject = new MediaStream([track]);
    element.autoplay = true;
    const voice: Voice = { ...of, element, receiver };
    this.#voices.set(key, voice);
    this.#adjust(voice);
    if (this.#deviceId) void setSink(element, this.#deviceId);
    this.#start(element);
  }

  stop(key: string): void {
    const voice = this.#voices.get(key);
    if (!voice) return;
    this.#voices.delete(key);
    voice.element.pause();
    voice.element.srcObject = null;
  }

  stopAll(): void {
    for (const key of [...this.#voices.keys()]) this.stop(key);
  }

  /** To be called from a click after `onBlocked`. */
  resume(): void {
    for (const { element } of this.#voices.values()) this.#start(element);
  }

  /** Fails with the browser's reason when the device cannot be used. */
  async setDevice(deviceId: string): Promise<void> {
    this.#deviceId = deviceId;
    await Promise.all([...this.#voices.values()].map(({ element }) => setSink(element, deviceId)));
  }

  get deviceId(): string {
    return this.#deviceId;
  }

  set deafened(deafened: boolean) {
    this.#deafened = deafened;
    this.#adjustAll();
  }

  /** 0 to 1. */
  set volume(volume: number) {
    this.#volume = clamp(volume);
    this.#adjustAll();
  }

  get volume(): number {
    return this.#volume;
  }

  /** Lowers everything to this part of it, 0 to 1. */
  set duck(factor: number) {
    this.#duck = clamp(factor);
    this.#adjustAll();
  }

  get duck(): number {
    return this.#duck;
  }

  setUserVolume(userId: string, volume: number): void {
    this.#userVolumes.set(userId, clamp(volume));
    this.#adjustAll();
  }

  userVolume(userId: string): number {
    return this.#userVolumes.get(userId) ?? 1;
  }

  /** How loud each session speaks, in dBFS, from what its packets say of themselves (RFC 6464). */
  levels(): Map<string, number> {
    const levels = new Map<string, number>();
    for (const { sessionId, receiver, isMic } of this.#voices.values()) {
      if (!isMic || !receiver) continue;
      const [source] = receiver.getSynchronizationSources();
      // The time is of the page's clock in some browsers and since 1970 in others.
      const now = source && source.timestamp > 1e11 ? Date.now() : performance.now();
      const isFresh = source !== undefined && now - source.timestamp < LEVEL_AGE_MAX;
      levels.set(sessionId, isFresh ? fromAmplitude(source.audioLevel ?? 0) : SILENCE_DB);
    }
    return levels;
  }

  #start(element: HTMLAudioElement): void {
    element.play().catch((error: DOMException) => {
      if (error.name === "NotAllowedError") this.onBlocked();
    });
  }

  #adjustAll(): void {
    for (const voice of this.#voices.values()) this.#adjust(voice);
  }

  #adjust({ element, userId }: Voice): void {
    element.muted = this.#deafened;
    element.volume = this.#volume * this.#duck * this.userVolume(userId);
  }
}

async function setSink(element: HTMLAudioElement, deviceId: string): Promise<void> {
  // Safari and older Firefox cannot choose; the system's device is then the only one.
  await element.setSinkId?.(deviceId);
}

function clamp(value: number): number {
  return Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 1;
}
