/** Makes a voice louder than an element can, by a gain before it. */

export interface Boost {
  gain: GainNode;
  stop(): void;
}

/** Null: without a running audio context it stays as loud as it comes. `isWanted`: asked once the context runs. */
export async function boost(
  context: AudioContext,
  element: HTMLAudioElement,
  track: MediaStreamTrack,
  isWanted: () => boolean,
): Promise<Boost | null> {
  await context.resume().catch(() => undefined);
  if (context.state !== "running" || !isWanted()) return null;
  const stream = new MediaStream([track]);
  // Chromium gives a remote track's sound to Web Audio only while an element has it as well.
  const keeper = new Audio();
  keeper.muted = true;
  keeper.srcObject = stream;
  void keeper.play().catch(() => undefined);
  const source = context.createMediaStreamSource(stream);
  const gain = new GainNode(context);
  const output = context.createMediaStreamDestination();
  source.connect(gain).connect(output);
  element.srcObject = output.stream;
  const stop = () => {
    source.disconnect();
    keeper.pause();
    keeper.srcObject = null;
  };
  return { gain, stop };
}
