/** Amplitudes and powers relative to full scale, in decibels. */

/** Quieter than any converter; stands for silence. */
export const SILENCE_DB = -100;

export function toGain(db: number): number {
  return 10 ** (db / 20);
}

export function fromPower(meanSquare: number): number {
  return meanSquare > 1e-10 ? 10 * Math.log10(meanSquare) : SILENCE_DB;
}

export function fromAmplitude(amplitude: number): number {
  return fromPower(amplitude * amplitude);
}

/** Level of a block of samples. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return fromPower(samples.length ? sum / samples.length : 0);
}
