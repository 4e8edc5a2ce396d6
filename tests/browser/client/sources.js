/** What a client sends: its own tone and its own colour. */

const WIDTH = 960;
const HEIGHT = 540;
const FRAME_RATE = 15;
/** Pixels of one grain's side. */
const GRAIN = 12;
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
  return paintedTrack([WIDTH, HEIGHT], moving, (context, frame) => {
    context.fillStyle = `rgb(${red}, ${green}, ${blue})`;
    context.fillRect(0, 0, WIDTH, HEIGHT);
    context.fillStyle = "white";
    context.fillRect((frame * 16) % WIDTH, 0, 32, 32);
  });
}

/** `width` by 9/16 of it, at as many frames a second, of grain of which a third changes: as many bits as an encoder is given. */
export function grainTrack(width) {
  const [columns, rows] = [Math.floor(width / GRAIN), Math.floor((width * 9) / 16 / GRAIN)];
  const change = (context, count) => {
    for (let at = 0; at < count; at += 1) {
      const grey = 100 + Math.floor(60 * Math.random());
      context.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
      const [x, y] = [Math.random() * columns, Math.random() * rows].map((place) => Math.floor(place) * GRAIN);
      context.fillRect(x, y, GRAIN, GRAIN);
    }
  };
  return paintedTrack([width, (width * 9) / 16], true, (context, frame) => {
    change(context, frame === 1 ? 3 * columns * rows : (columns * rows) / 3);
  });
}

function paintedTrack([width, height], moving, draw) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  let frame = 0;
  const paint = () => draw(context, (frame += 1));
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
