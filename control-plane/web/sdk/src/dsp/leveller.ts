import { fromPower, toGain } from "./decibel";

export const LEVEL_TARGET_DB = -18;
const GAIN_MAX_DB = 24;
const GAIN_MIN_DB = -24;
/** Speech is measured over this long, pauses left out. */
const MEMORY_S = 1.2;
const BLOCK_S = 0.01;
/** Decibels a second; down is faster, since too loud hurts and too quiet does not. */
const RISE_DB_S = 10;
const FALL_DB_S = 30;
/** What is this far below the measured speech is a pause in it. */
const PAUSE_DB = 15;
/** Nothing below this is speech. */
const FLOOR_DB = -55;

/** Brings speech to the same loudness whoever speaks; pauses are neither measured nor pulled up. */
export class Leveller {
  readonly #rate: number;
  readonly #blockLength: number;
  #blockSum = 0;
  #blockCount = 0;
  /** Mean square of the speech before any gain; null before there was some. */
  #power: number | null = null;
  #gainDb = 0;
  #gain = 1;

  constructor(sampleRate: number) {
    this.#rate = sampleRate;
    this.#blockLength = Math.round(BLOCK_S * sampleRate);
  }

  get gainDb(): number {
    return this.#gainDb;
  }

  process(samples: Float32Array): void {
    for (let i = 0; i < samples.length; i += 1) {
      const sample = samples[i] ?? 0;
      this.#blockSum += sample * sample;
      this.#blockCount += 1;
      if (this.#blockCount === this.#blockLength) this.#endBlock();
      // A tenth of a block's change at a time, so that no step is heard.
      this.#gain += (toGain(this.#gainDb) - this.#gain) * (10 / this.#blockLength);
      samples[i] = sample * this.#gain;
    }
  }

  #endBlock(): void {
    const power = this.#blockSum / this.#blockCount;
    const seconds = this.#blockCount / this.#rate;
    this.#blockSum = 0;
    this.#blockCount = 0;
    if (!this.#isSpeech(power)) return;
    const weight = 1 - Math.exp(-seconds / MEMORY_S);
    this.#power = this.#power === null ? power : this.#power + (power - this.#power) * weight;
    const wanted = Math.min(GAIN_MAX_DB, Math.max(GAIN_MIN_DB, LEVEL_TARGET_DB - fromPower(this.#power)));
    const step = Math.min(RISE_DB_S * seconds, Math.max(-FALL_DB_S * seconds, wanted - this.#gainDb));
    this.#gainDb += step;
  }

  #isSpeech(power: number): boolean {
    const level = fromPower(power);
    if (level < FLOOR_DB) return false;
    if (this.#power === null || level > fromPower(this.#power) - PAUSE_DB) return true;
    // Somebody quiet took over: forget slowly how loud it was, or they would never be measured.
    this.#power *= 0.99;
    return false;
  }
}
