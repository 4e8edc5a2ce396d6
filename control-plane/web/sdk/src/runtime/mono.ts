/** How each step of the microphone's processing is made. */
export const MONO: AudioWorkletNodeOptions = {
  channelCount: 1,
  channelCountMode: "explicit",
  outputChannelCount: [1],
};
