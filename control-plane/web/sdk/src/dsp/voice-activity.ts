import { fromPower } from "./decibel";

const BLOCK_S = 0.01;
/** Above the noise by this much is a voice. */
const ABOVE_NOISE_DB = 9;
const QUIETEST_VOICE_DB = -55;
/** How fast the idea of the noise follows what lasts. */
const NOISE_RISE_DB_S = 3;
/** What is louder than this is always let through, however long it lasts. */
const NOISE_MAX_DB = -35;
/** Ends of words are quiet. */
const HANG_S = 0.4;

/** Whether somebody speaks, from the level against a noise floor that follows the room. */
export class VoiceActivity {
  readonly #rate: number;
  readonly #blockLength: number;
  #sum = 0;
  #count = 0;
  #noiseDb = QUIETEST_VOICE_DB - ABOVE_NOISE_DB;
  #levelDb = -100;
  /** Seconds until a voice that fell silent counts as silent. */
  #hang = 0;

  constructor(sampleRate: number) {
    this.#rate = sampleRate;
    this.#blockLength = Math.round(BLOCK_S * sampleRate);
  }

  get active(): boolean {
    return this.#hang > 0;
  }

  /** Of the last block, in dBFS. */
  get levelDb(): number {
    return this.#levelDb;
  }

  process(samples: Float32Array): void {
    for (const sample of samples) {
      this.#sum += sample * sample;
      this.#count += 1;
      if (this.#count === this.#blockLength) this.#endBlock();
    }
  }

  #endBlock(): void {
    const seconds = this.#count / this.#rate;
    const level = fromPower(this.#sum / this.#count);
    this.#sum = 0;
    this.#count = 0;
    this.#levelDb = level;
    const rise = this.#noiseDb + NOISE_RISE_DB_S * seconds;
    this.#noiseDb = Math.min(level, rise, NOISE_MAX_DB);
    const isVoice = level > Math.max(QUIETEST_VOICE_DB, this.#noiseDb + ABOVE_NOISE_DB);
    this.#hang = isVoice ? HANG_S : Math.max(0, this.#hang - seconds);
  }
}

/** Opens and closes softly; closed it gives exact zeros, which the encoder does not send (DTX). */
export class Gate {
  readonly #open: number;
  readonly #close: number;
  #gain = 0;

  constructor(sampleRate: number) {
    this.#open = 1 / (0.003 * sampleRate);
    this.#close = 1 / (0.05 * sampleRate);
  }

  process(samples: Float32Array, open: boolean): void {
    for (let i = 0; i < samples.length; i += 1) {
      this.#gain = open ? Math.min(1, this.#gain + this.#open) : Math.max(0, this.#gain - this.#close);
      samples[i] = (samples[i] ?? 0) * this.#gain;
    }
  }
}
