/** RNNoise in the audio thread. It works on 480 samples at a time and so delays by as many. */
import { type DenoiseState, Rnnoise } from "@shiguredo/rnnoise-wasm";

/** RNNoise counts in 16-bit samples. */
const SCALE = 32_768;

class DenoiseProcessor extends AudioWorkletProcessor {
  #state: DenoiseState | null = null;
  #frame = new Float32Array(480);
  #done = new Float32Array(480);
  #position = 0;

  constructor() {
    super();
    Rnnoise.load().then(
      (rnnoise) => {
        this.#state = rnnoise.createDenoiseState();
        this.port.postMessage("ready");
      },
      (error: unknown) => this.port.postMessage(String(error)),
    );
  }

  process([input]: Float32Array[][], [output]: Float32Array[][]): boolean {
    const [from, to] = [input?.[0], output?.[0]];
    if (!from || !to) return true;
    for (let i = 0; i < from.length; i += 1) {
      to[i] = (this.#done[this.#position] ?? 0) / SCALE;
      this.#frame[this.#position] = (from[i] ?? 0) * SCALE;
      this.#position += 1;
      if (this.#position < this.#frame.length) continue;
      this.#position = 0;
      this.#state?.processFrame(this.#frame);
      this.#done.set(this.#frame);
    }
    return true;
  }
}

registerProcessor("railgun-denoise", DenoiseProcessor);
