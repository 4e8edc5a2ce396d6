/** The microphone's processing, in the audio thread. */
import { INPUT_DEFAULTS, InputChain, type InputSettings } from "../dsp/input-chain";

const LEVELS_INTERVAL_S = 0.05;

class InputProcessor extends AudioWorkletProcessor {
  #chain = new InputChain(sampleRate);
  #sinceLevels = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<Partial<InputSettings>>) => {
      this.#chain.settings = { ...INPUT_DEFAULTS, ...this.#chain.settings, ...data };
    };
  }

  process([input]: Float32Array[][], [output]: Float32Array[][]): boolean {
    const channel = output?.[0];
    if (!channel) return true;
    if (input?.[0]) channel.set(input[0]);
    this.#chain.process(channel);
    this.#sinceLevels += channel.length / sampleRate;
    if (this.#sinceLevels >= LEVELS_INTERVAL_S) {
      this.#sinceLevels = 0;
      this.port.postMessage(this.#chain.takeLevels());
    }
    return true;
  }
}

registerProcessor("railgun-input", InputProcessor);
