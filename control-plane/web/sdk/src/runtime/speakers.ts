import { fromAmplitude, SILENCE_DB } from "../dsp/decibel";
import type { Boost } from "./louder";

interface Voice {
  readonly userId: string;
  readonly sessionId: string;
  readonly isMic: boolean;
  readonly element: HTMLAudioElement;
  readonly track: MediaStreamTrack;
  /** Louder than an element can be; null until that was asked for. */
  boost: Boost | null;
  readonly receiver: RTCRtpReceiver | undefined;
}

/** Of one user, and of everything: twice as loud as it comes. */
const VOLUME_MAX = 2;

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
  /** Made when somebody is to be louder than they come. */
  #context: AudioContext | null = null;

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
    const voice: Voice = { ...of, element, receiver, track, boost: null };
    this.#voices.set(key, voice);
    this.#adjust(voice);
    if (this.#deviceId) void setSink(element, this.#deviceId);
    this.#start(element);
  }

  stop(key: string): void {
    const voice = this.#voices.get(key);
    if (!voice) return;
    this.#voices.delete(key);
    voice.boost?.stop();
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

  /** 0 to 2. */
  set volume(volume: number) {
    this.#volume = clamp(volume, VOLUME_MAX);
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
    this.#userVolumes.set(userId, clamp(volume, VOLUME_MAX));
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

  #adjust(voice: Voice): void {
    const { element, userId } = voice;
    const volume = this.#volume * this.#duck * this.userVolume(userId);
    element.muted = this.#deafened;
    if (volume > 1 && !voice.boost) void this.#boost(voice);
    element.volume = voice.boost ? 1 : Math.min(1, volume);
    if (voice.boost) voice.boost.gain.gain.value = volume;
  }

  async #boost(voice: Voice): Promise<void> {
    const context = (this.#context ??= new AudioContext({ latencyHint: "interactive" }));
    const { element, track } = voice;
    const isWanted = () => !voice.boost && [...this.#voices.values()].includes(voice);
    const boosted = await import("./louder").then(({ boost }) => boost(context, element, track, isWanted)).catch(() => null);
    if (!boosted) return;
    voice.boost = boosted;
    this.#adjust(voice);
    this.#start(element);
  }
}

async function setSink(element: HTMLAudioElement, deviceId: string): Promise<void> {
  // Safari and older Firefox cannot choose; the system's device is then the only one.
  await element.setSinkId?.(deviceId);
}

function clamp(value: number, most = 1): number {
  return Number.isFinite(value) ? Math.min(most, Math.max(0, value)) : 1;
}
