/** What TypeScript's DOM library lacks of the audio thread (Web Audio API, section 1.32). */
declare const sampleRate: number;
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
