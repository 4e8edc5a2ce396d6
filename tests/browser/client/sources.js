/** What a client sends: its own tone and its own colour. */

const WIDTH = 960;
const HEIGHT = 540;
const FRAME_RATE = 15;
const BURST_S = 0.35;
const PAUSE_S = 0.25;

/** A tone of `hertz` in bursts; a steady one is what the server takes for a noise loop. */
export function toneTrack(audio, hertz) {
  const rate = audio.sampleRate;
  const buffer = audio.createBuffer(1, Math.round((BURST_S + PAUSE_S) * rate), rate);
  const samples = buffer.getChannelData(0);
  const burst = Math.round(BURST_S * rate);
  const fade = Math.round(0.01 * rate);
  for (let i = 0; i < burst; i += 1) {
    const envelope = Math.min(1, i / fade, (burst - i) / fade);
    samples[i] = 0.4 * envelope * Math.sin((2 * Math.PI * hertz * i) / rate);
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
