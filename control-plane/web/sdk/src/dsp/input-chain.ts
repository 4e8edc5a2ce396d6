import { fromPower, toGain } from "./decibel";
import { Leveller } from "./leveller";
import { Limiter } from "./limiter";
import { Gate, VoiceActivity } from "./voice-activity";

/** What the microphone gives, for meters and for the call. */
export interface InputLevels {
  /** Before any gain, in dBFS. */
  input: number;
  /** After levelling and before boost and user's gain, in dBFS. */
  levelled: number;
  /** Of what is sent, in dBFS. */
  output: number;
  /** Greatest sample that was sent, 0 to 1. */
  peak: number;
  speaking: boolean;
}

export interface InputSettings {
  /** Factor of the user, 0 to 2. */
  gain: number;
  /** Added by the auto-optimisation after levelling, in decibels. */
  boostDb: number;
  /** Levelling to -18 dBFS. */
  level: boolean;
  /** Silence is not sent. */
  gate: boolean;
}

export const INPUT_DEFAULTS: InputSettings = { gain: 1, boostDb: 0, level: true, gate: true };

/** What a microphone goes through: levelling, gain, limiter, and a gate that a voice opens. */
export class InputChain {
  settings: InputSettings = INPUT_DEFAULTS;
  readonly #leveller: Leveller;
  readonly #limiter: Limiter;
  readonly #voice: VoiceActivity;
  readonly #gate: Gate;
  #inputSum = 0;
  #levelledSum = 0;
  #outputSum = 0;
  #peak = 0;
  #count = 0;

  constructor(sampleRate: number) {
    this.#leveller = new Leveller(sampleRate);
    this.#limiter = new Limiter(sampleRate);
    this.#voice = new VoiceActivity(sampleRate);
    this.#gate = new Gate(sampleRate);
  }

  /** In place. */
  process(samples: Float32Array): void {
    const { gain, boostDb, level, gate } = this.settings;
    this.#voice.process(samples);
    for (const sample of samples) this.#inputSum += sample * sample;
    if (level) this.#leveller.process(samples);
    for (const sample of samples) this.#levelledSum += sample * sample;
    // After the levelling, which would take back both.
    const factor = gain * toGain(boostDb);
    for (let i = 0; i < samples.length; i += 1) samples[i] = (samples[i] ?? 0) * factor;
    this.#limiter.process(samples);
    this.#gate.process(samples, !gate || this.#voice.active);
    for (const sample of samples) {
      this.#outputSum += sample * sample;
      this.#peak = Math.max(this.#peak, Math.abs(sample));
    }
    this.#count += samples.length;
  }

  /** Over all samples since the last time. */
  takeLevels(): InputLevels {
    const count = Math.max(1, this.#count);
    const levels = {
      input: fromPower(this.#inputSum / count),
      levelled: fromPower(this.#levelledSum / count),
      output: fromPower(this.#outputSum / count),
      peak: this.#peak,
      speaking: this.#voice.active,
    };
    this.#inputSum = this.#levelledSum = this.#outputSum = this.#peak = this.#count = 0;
    return levels;
  }
}
