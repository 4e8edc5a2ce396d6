/** What a client receives: the tone it hears and the colour it sees. */

const FFT_SIZE = 4096;
const SAMPLE_MS = 40;
/** Quieter than this is the pause between two bursts. */
const LOUD_DB = -60;
const LOWEST_HZ = 150;
const HIGHEST_HZ = 4000;
const SAMPLES_MIN = 6;

/** The frequency of every loud moment, the newest of them. */
export class Hits {
  #hits = [];

  add(at, hertz) {
    this.#hits.push({ at, hertz });
    if (this.#hits.length > 2000) this.#hits.splice(0, 1000);
  }

  /** The frequency since then (milliseconds since 1970), or null for silence or a mixture. */
  agreedSince(since, tolerance) {
    const heard = this.#hits.filter(({ at }) => at >= since).map(({ hertz }) => hertz);
    if (heard.length < SAMPLES_MIN) return null;
    const middle = [...heard].sort((a, b) => a - b)[Math.floor(heard.length / 2)];
    const agreeing = heard.filter((hertz) => Math.abs(hertz - middle) <= tolerance).length;
    return agreeing >= 0.8 * heard.length ? middle : null;
  }

  get lastAt() {
    return this.#hits.at(-1)?.at ?? 0;
  }
}

/** Listens to a track and keeps the loudest frequency of every moment. */
export class ToneMeter {
  #hits = new Hits();

  constructor(audio, track) {
    const stream = new MediaStream([track]);
    // Chromium feeds a remote track to Web Audio only while a media element plays it.
    this.element = Object.assign(new Audio(), { srcObject: stream, muted: true, autoplay: true });
    this.analyser = new AnalyserNode(audio, { fftSize: FFT_SIZE, smoothingTimeConstant: 0 });
    this.source = audio.createMediaStreamSource(stream);
    this.source.connect(this.analyser);
    this.bins = new Float32Array(this.analyser.frequencyBinCount);
    this.binHz = audio.sampleRate / FFT_SIZE;
    this.timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** The frequency heard since then (milliseconds since 1970), or null for silence or a mixture. */
  heardSince(since) {
    return this.#hits.agreedSince(since, 2 * this.binHz);
  }

  /** When something loud was last heard, in milliseconds since 1970. */
  get lastLoudAt() {
    return this.#hits.lastAt;
  }

  close() {
    clearInterval(this.timer);
    this.source.disconnect();
    this.element.srcObject = null;
  }

  #sample() {
    this.analyser.getFloatFrequencyData(this.bins);
    let loudest = Math.ceil(LOWEST_HZ / this.binHz);
    const end = Math.floor(HIGHEST_HZ / this.binHz);
    for (let bin = loudest; bin < end; bin += 1) {
      if (this.bins[bin] > this.bins[loudest]) loudest = bin;
    }
    if (this.bins[loudest] < LOUD_DB) return;
    this.#hits.add(Date.now(), loudest * this.binHz);
  }
}

/** Plays a track and reads the colour of its middle. */
export class ColourMeter {
  #frames = [];

  constructor(track) {
    this.video = Object.assign(document.createElement("video"), {
      srcObject: new MediaStream([track]),
      muted: true,
      autoplay: true,
      playsInline: true,
      width: 320,
    });
    document.body.append(this.video);
    this.canvas = Object.assign(document.createElement("canvas"), { width: 16, height: 9 });
    this.context = this.canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    const onFrame = (_, { width }) => {
      this.#frames.push({ at: Date.now(), width });
      if (this.#frames.length > 2000) this.#frames.splice(0, 1000);
      this.video.requestVideoFrameCallback(onFrame);
    };
    this.video.requestVideoFrameCallback(onFrame);
  }

  framesSince(since) {
    return this.#frames.filter(({ at }) => at >= since);
  }

  /** `[red, green, blue]` and `[width, height]` of the frame on show, and how many frames came since then. */
  seenSince(since) {
    const frames = this.framesSince(since).length;
    if (frames === 0) return { frames, colour: null, size: null };
    this.context.drawImage(this.video, 0, 0, 16, 9);
    const [red, green, blue] = this.context.getImageData(8, 5, 1, 1).data;
    return { frames, colour: [red, green, blue], size: [this.video.videoWidth, this.video.videoHeight] };
  }

  close() {
    this.video.srcObject = null;
    this.video.remove();
  }
}
