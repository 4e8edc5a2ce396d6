/**
 * A tone to send and a meter for tones where no sound can be played: Firefox starts no AudioContext
 * without an output device, but it captures and records.
 */
import { Hits } from "./meters.js";

const BURST_MS = 350;
const PAUSE_MS = 250;
const RECORDING_MS = 800;
const WINDOW_S = 0.04;
const LOUD = 0.1;

/** The steady tone of the browser's made-up microphone, in bursts. */
export async function microphoneTrack() {
  const constraints = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: constraints });
  const [track] = stream.getAudioTracks();
  const toggle = () => {
    if (track.readyState === "ended") return;
    track.enabled = !track.enabled;
    setTimeout(toggle, track.enabled ? BURST_MS : PAUSE_MS);
  };
  toggle();
  return track;
}

/** Records a track piece by piece and keeps the frequency of every loud moment. */
export class RecordedToneMeter {
  #hits = new Hits();
  #decoder = new OfflineAudioContext(1, 1, 48_000);

  constructor(track) {
    const stream = new MediaStream([track]);
    this.element = Object.assign(new Audio(), { srcObject: stream, autoplay: true });
    this.recorder = new MediaRecorder(stream);
    this.recorder.ondataavailable = ({ data }) => this.#read(data, this.startedAt);
    this.recorder.onstop = () => this.#record();
    this.#record();
  }

  heardSince(since) {
    return this.#hits.agreedSince(since, 10);
  }

  get lastLoudAt() {
    return this.#hits.lastAt;
  }

  close() {
    clearTimeout(this.timer);
    this.recorder.onstop = null;
    if (this.recorder.state !== "inactive") this.recorder.stop();
    this.element.srcObject = null;
  }

  #record() {
    this.startedAt = Date.now();
    this.recorder.start();
    this.timer = setTimeout(() => this.recorder.stop(), RECORDING_MS);
  }

  async #read(data, startedAt) {
    const sound = await this.#decoder.decodeAudioData(await data.arrayBuffer());
    const samples = sound.getChannelData(0);
    const length = Math.round(WINDOW_S * sound.sampleRate);
    for (let start = 0; start + length <= samples.length; start += length) {
      const hertz = frequency(samples.subarray(start, start + length), sound.sampleRate);
      if (hertz) this.#hits.add(startedAt + (1000 * start) / sound.sampleRate, hertz);
    }
  }
}

/** Of a pure tone: how often it rises through zero. Null unless it is loud throughout. */
function frequency(samples, rate) {
  const quarter = samples.length / 4;
  const isLoud = (part) => Math.max(...samples.subarray(part * quarter, (part + 1) * quarter)) > LOUD;
  if (![0, 1, 2, 3].every(isLoud)) return null;
  const rises = [];
  for (let i = 1; i < samples.length; i += 1) {
    if (samples[i - 1] < 0 && samples[i] >= 0) rises.push(i);
  }
  return rises.length < 2 ? null : ((rises.length - 1) * rate) / (rises.at(-1) - rises[0]);
}
