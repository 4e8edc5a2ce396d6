/** Soft signals of the page's own: who comes and goes, and whether one is heard. */
import { preferences } from "./preferences";

export type Signal = "joined" | "left" | "muted" | "unmuted" | "ringing";

/** Hertz, one note after the other. */
const NOTES: Record<Signal, readonly number[]> = {
  joined: [440, 660],
  left: [440, 330],
  muted: [300],
  unmuted: [520],
  ringing: [660, 880, 660, 880],
};
const NOTE_S = 0.09;
/** Quieter than any voice. */
const GAIN = 0.06;

let context: AudioContext | null = null;

/** Plays it, unless the user wants none. */
export function play(signal: Signal): void {
  if (!preferences.values.sounds) return;
  context ??= new AudioContext();
  const gain = new GainNode(context, { gain: 0 });
  gain.connect(context.destination);
  const start = context.currentTime + 0.01;
  const notes = NOTES[signal];
  for (const [index, frequency] of notes.entries()) {
    const at = start + index * NOTE_S;
    const tone = new OscillatorNode(context, { frequency });
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(GAIN, at + 0.015);
    gain.gain.linearRampToValueAtTime(0, at + NOTE_S);
    tone.connect(gain);
    tone.start(at);
    tone.stop(at + NOTE_S);
  }
}
