/** RNNoise in the audio thread. It works on 480 samples at a time and so delays by as many. */
import loadRnnoise, { type Rnnoise } from "@jitsi/rnnoise-wasm/dist/rnnoise.js";

const FRAME = 480;
const BYTES = 4 * FRAME;
/** RNNoise counts in 16-bit samples. */
const SCALE = 32_768;

class DenoiseProcessor extends AudioWorkletProcessor {
  #rnnoise: Rnnoise | null = null;
  #state = 0;
  #buffer = 0;
  #frame = new Float32Array(FRAME);
  #done = new Float32Array(FRAME);
  #position = 0;

  constructor({ processorOptions }: { processorOptions: { module: WebAssembly.Module } }) {
    super();
    const instantiateWasm = (
      imports: WebAssembly.Imports,
      done: (instance: WebAssembly.Instance) => void,
    ) => {
      const instance = new WebAssembly.Instance(processorOptions.module, imports);
      done(instance);
      return instance.exports;
    };
    loadRnnoise({ instantiateWasm }).then(
      (rnnoise) => {
        this.#state = rnnoise._rnnoise_create(0);
        this.#buffer = rnnoise._malloc(BYTES);
        this.#rnnoise = rnnoise;
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
      if (this.#position === FRAME) this.#denoise();
    }
    return true;
  }

  #denoise(): void {
    this.#position = 0;
    if (!this.#rnnoise) return;
    // The memory moves when it grows.
    const memory = this.#rnnoise.HEAPF32.subarray(this.#buffer / 4, this.#buffer / 4 + FRAME);
    memory.set(this.#frame);
    this.#rnnoise._rnnoise_process_frame(this.#state, this.#buffer, this.#buffer);
    this.#done.set(memory);
  }
}

registerProcessor("railgun-denoise", DenoiseProcessor);
