import { toGain } from "./decibel";

export const LIMITER_CEILING_DB = -3;
const LOOK_AHEAD_S = 0.005;
const RELEASE_S = 0.08;

/**
 * No sample leaves above the ceiling, and no gain moves in a step: the gain that each sample needs is known
 * before it leaves, as long as the look-ahead, and is approached on the way. Delays by the look-ahead.
 */
export class Limiter {
  readonly #ceiling: number;
  readonly #length: number;
  readonly #delayed: Float32Array;
  /** The gains of the last `length` samples and their sum: their mean is what is applied. */
  readonly #gains: Float32Array;
  #gainSum: number;
  /** A queue of falling needs: positions and gains, of which the head is the smallest in sight. */
  readonly #needAt: Float64Array;
  readonly #need: Float32Array;
  #head = 0;
  #count = 0;
  readonly #release: number;
  #gain = 1;
  #position = 0;

  constructor(sampleRate: number, ceilingDb = LIMITER_CEILING_DB) {
    this.#ceiling = toGain(ceilingDb);
    this.#length = Math.max(1, Math.round(LOOK_AHEAD_S * sampleRate));
    this.#delayed = new Float32Array(this.#length);
    this.#gains = new Float32Array(this.#length).fill(1);
    this.#gainSum = this.#length;
    this.#needAt = new Float64Array(this.#length + 1);
    this.#need = new Float32Array(this.#length + 1);
    this.#release = 1 - Math.exp(-1 / (RELEASE_S * sampleRate));
  }

  /** The delay in samples. */
  get delay(): number {
    return this.#length;
  }

  process(samples: Float32Array): void {
    const ceiling = this.#ceiling;
    for (let i = 0; i < samples.length; i += 1) {
      const input = samples[i] ?? 0;
      const size = Math.abs(input);
      const smallest = this.#smallestNeed(size > ceiling ? ceiling / size : 1);
      this.#gain = Math.min(smallest, this.#gain + (1 - this.#gain) * this.#release);

      const slot = this.#position % this.#length;
      this.#gainSum += this.#gain - (this.#gains[slot] ?? 1);
      this.#gains[slot] = this.#gain;
      const output = (this.#delayed[slot] ?? 0) * (this.#gainSum / this.#length);
      this.#delayed[slot] = input;
      // The sum drifts by rounding; the promise does not.
      samples[i] = Math.max(-ceiling, Math.min(ceiling, output));
      this.#position += 1;
    }
    this.#gainSum = this.#gains.reduce((sum, gain) => sum + gain, 0);
  }

  #smallestNeed(need: number): number {
    const capacity = this.#need.length;
    while (this.#count > 0 && (this.#need[(this.#head + this.#count - 1) % capacity] ?? 0) >= need) {
      this.#count -= 1;
    }
    const tail = (this.#head + this.#count) % capacity;
    this.#needAt[tail] = this.#position;
    this.#need[tail] = need;
    this.#count += 1;
    if ((this.#needAt[this.#head] ?? 0) < this.#position - this.#length) {
      this.#head = (this.#head + 1) % capacity;
      this.#count -= 1;
    }
    return this.#need[this.#head] ?? 1;
  }
}
