/** Beside the page: when a button is pressed, when anything is heard after it, and what happens between. */
const LOUD = 0.01;
const LOOK_MS = 4;

let audio;
window.steps = [];
const step = (name) => window.steps.push([name, performance.now()]);

document.addEventListener(
  "click",
  () => {
    window.steps = [];
    step("click");
  },
  { capture: true },
);

window.WebSocket = class extends WebSocket {
  constructor(...options) {
    super(...options);
    step("socket opens");
    this.addEventListener("message", ({ data }) =>
      step(`reply ${/"([\w:]+)"/.exec(data)?.[1] ?? data.slice(0, 2)}`),
    );
  }

  send(data) {
    if (typeof data === "string") step(`request ${/"([\w:]+)"/.exec(data)?.[1] ?? data.slice(0, 2)}`);
    super.send(data);
  }
};

window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...options) {
    super(...options);
    this.addEventListener("connectionstatechange", () => step(`connection ${this.connectionState}`));
    this.addEventListener("track", ({ track }) => {
      if (track.kind !== "audio") return;
      step("track");
      audio ??= new AudioContext();
      const analyser = new AnalyserNode(audio, { fftSize: 256 });
      const stream = new MediaStream([track]);
      const element = Object.assign(new Audio(), { srcObject: stream, muted: true, autoplay: true });
      audio.createMediaStreamSource(stream).connect(analyser);
      const samples = new Float32Array(256);
      const timer = setInterval(() => {
        analyser.getFloatTimeDomainData(samples);
        if (samples.every((sample) => Math.abs(sample) < LOUD)) return;
        step("sound");
        clearInterval(timer);
        element.srcObject = null;
      }, LOOK_MS);
    });
  }
};
