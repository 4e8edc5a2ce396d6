/** RNNoise, with what the browser loads for it. */
import { MONO } from "./mono";

const WORKLET = new URL("./denoise-worklet.js", import.meta.url);
const RNNOISE = new URL("./rnnoise.wasm", import.meta.url);

export async function openDenoise(context: AudioContext): Promise<AudioWorkletNode> {
  const [module] = await Promise.all([
    WebAssembly.compileStreaming(fetch(RNNOISE)),
    context.audioWorklet.addModule(WORKLET),
  ]);
  const node = new AudioWorkletNode(context, "railgun-denoise", { ...MONO, processorOptions: { module } });
  await new Promise<void>((resolve, reject) => {
    node.port.onmessage = ({ data }: MessageEvent<string>) =>
      data === "ready" ? resolve() : reject(new Error(data));
  });
  return node;
}
