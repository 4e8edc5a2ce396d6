/** What TypeScript's DOM library lacks of the audio thread (Web Audio API, section 1.32). */
declare const sampleRate: number;
declare function registerProcessor(
  name: string,
  processor: new (options: never) => AudioWorkletProcessor,
): void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

/** What we use of Emscripten's wrapping of RNNoise. Pointers are numbers. */
declare module "@jitsi/rnnoise-wasm/dist/rnnoise.js" {
  export interface Rnnoise {
    readonly HEAPF32: Float32Array;
    _malloc(bytes: number): number;
    /** 0: the model that is built in. */
    _rnnoise_create(model: number): number;
    _rnnoise_process_frame(state: number, output: number, input: number): number;
  }
  interface Options {
    instantiateWasm(
      imports: WebAssembly.Imports,
      done: (instance: WebAssembly.Instance) => void,
    ): WebAssembly.Exports;
  }
  export default function load(options: Options): Promise<Rnnoise>;
}
