/** Made-up sound, at a rate that is quick to compute; nothing that is tested knows the rate but as a number. */
export const RATE = 16_000;

export function tone(hertz: number, amplitude: number, seconds: number): Float32Array {
  const samples = new Float32Array(Math.round(seconds * RATE));
  for (let i = 0; i < samples.length; i += 1)
    samples[i] = amplitude * Math.sin((2 * Math.PI * hertz * i) / RATE);
  return samples;
}

/** Numbers that look random and are the same every time. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Like speech in what matters here: a buzz with overtones, syllables four a second of uneven loudness, and
 * a pause after every second of it. `levelDb`: of the syllables' loudest parts, roughly.
 */
export function speech(levelDb: number, seconds: number, seed = 1): Float32Array {
  const samples = new Float32Array(Math.round(seconds * RATE));
  const next = random(seed);
  const syllable = RATE / 4;
  let loudness = 1;
  for (let i = 0; i < samples.length; i += 1) {
    if (i % syllable === 0) loudness = 0.7 + 0.3 * next();
    const time = i / RATE;
    const isPause = time % 1.6 > 1;
    const shape = isPause ? 0 : loudness * Math.sin((Math.PI * (i % syllable)) / syllable) ** 0.7;
    const pitch = 120 + 20 * Math.sin(2 * Math.PI * 0.7 * time);
    let wave = 0;
    for (const overtone of [1, 2, 3, 5, 8])
      wave += Math.sin(2 * Math.PI * pitch * overtone * time) / overtone;
    samples[i] = 10 ** (levelDb / 20) * shape * wave * 0.8 + 0.0003 * (next() - 0.5);
  }
  return samples;
}

/** Level of what is spoken, in dBFS: of the 20 ms blocks that are within 15 dB of the loudest. */
export function activeLevel(samples: Float32Array): number {
  const powers: number[] = [];
  const length = RATE / 50;
  for (let start = 0; start + length <= samples.length; start += length) {
    let sum = 0;
    for (const sample of samples.subarray(start, start + length)) sum += sample * sample;
    powers.push(sum / length);
  }
  const loudest = Math.max(...powers);
  const active = powers.filter((power) => power > loudest / 10 ** 1.5);
  return 10 * Math.log10(active.reduce((sum, power) => sum + power, 0) / active.length);
}

/** In pieces of 128 samples, as the browser does. */
export function inBlocks(samples: Float32Array, process: (block: Float32Array) => void): Float32Array {
  const result = samples.slice();
  for (let start = 0; start < result.length; start += 128) process(result.subarray(start, start + 128));
  return result;
}
