/** What a client sends: its own tone and its own colour. */

const WIDTH = 960;
const HEIGHT = 540;
const FRAME_RATE = 15;
const BURST_S = 0.35;
const PAUSE_S = 0.25;

/**
 * Seconds of sound and of silence after it. A tone without pauses is what the server takes for a noise loop;
 * one that repeats itself cannot be told from its own echo.
 */
export const RHYTHMS = {
  bursts: [[BURST_S, PAUSE_S]],
  // Hardly a pause, for measuring when something is first heard.
  dense: [[0.3, 0.05]],
  // Whole oscillations of every tone.
  steady: [[1, 0]],
  speech: [
    [0.35, 0.25],
    [0.8, 0.15],
    [0.2, 0.6],
    [0.5, 0.1],
    [1.1, 0.35],
    [0.15, 0.2],
    [0.7, 0.9],
    [0.3, 0.4],
    [0.95, 0.2],
    [0.25, 0.75],
  ],
};

/** A tone of `hertz` in a rhythm, again and again. */
export function toneTrack(audio, hertz, rhythm = RHYTHMS.bursts) {
  const rate = audio.sampleRate;
  const fade = Math.round(0.01 * rate);
  const seconds = rhythm.flat().reduce((sum, part) => sum + part, 0);
  const buffer = audio.createBuffer(1, Math.round(seconds * rate), rate);
  const samples = buffer.getChannelData(0);
  let at = 0;
  for (const [sound, silence] of rhythm) {
    const length = Math.round(sound * rate);
    for (let i = 0; i < length && at + i < samples.length; i += 1) {
      const envelope = silence === 0 ? 1 : Math.min(1, i / fade, (length - i) / fade);
      samples[at + i] = 0.4 * envelope * Math.sin((2 * Math.PI * hertz * i) / rate);
    }
    at += length + Math.round(silence * rate);
  }
  const source = new AudioBufferSourceNode(audio, { buffer, loop: true });
  const destination = audio.createMediaStreamDestination();
  source.connect(destination);
  source.start();
  return destination.stream.getAudioTracks()[0];
}

/** 960x540 at 15 frames a second in one colour; a small moving mark makes every frame differ. */
export function colourTrack([red, green, blue], moving = false) {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  let frame = 0;
  const paint = () => {
    frame += 1;
    context.fillStyle = `rgb(${red}, ${green}, ${blue})`;
    context.fillRect(0, 0, WIDTH, HEIGHT);
    context.fillStyle = "white";
    context.fillRect((frame * 16) % WIDTH, 0, 32, 32);
  };
  paint();
  const timer = setInterval(paint, 1000 / FRAME_RATE);
  const [track] = canvas.captureStream(FRAME_RATE).getVideoTracks();
  // As text, or Chromium sends fewer and fewer pixels on a machine that is busy; but text has no layers.
  track.contentHint = moving ? "motion" : "detail";
  const stop = track.stop.bind(track);
  track.stop = () => {
    clearInterval(timer);
    stop();
  };
  return track;
}
