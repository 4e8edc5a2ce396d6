import { INPUT_DEFAULTS, type InputLevels, type InputSettings } from "../dsp/input-chain";
import { VoiceError } from "../errors";
import { captureMicrophone } from "./capture";
import { MONO } from "./mono";
import { sleep, within } from "./wait";

// Beside the bundle of this package: browsers load what runs in the audio thread by URL. Bundlers know
// this form and carry the files along.
const INPUT_WORKLET = new URL("./input-worklet.js", import.meta.url);

/** A browser without an output device may never start an audio context; then sound is sent as it comes. */
const CONTEXT_START_MS = 1_500;
const DENOISE_START_MS = 4_000;

interface Graph {
  context: AudioContext;
  source: MediaStreamAudioSourceNode | null;
  denoise: AudioWorkletNode | null;
  input: AudioWorkletNode;
  track: MediaStreamTrack;
}

export interface MicrophoneHandlers {
  /** Twenty times a second while it is open. */
  levels?(levels: InputLevels): void;
  /** What is sent is another track now. Not called while the processing runs: its output stays the same. */
  track?(track: MediaStreamTrack): void;
  /** `isSilenced` may be another. */
  silenced?(): void;
  /** The device went away, and none took its place. */
  lost?(): void;
}

/** A microphone with its processing: the track to send stays the same whichever device is behind it. */
export class Microphone {
  #settings: InputSettings = { ...INPUT_DEFAULTS };
  #graph: Graph | null = null;
  #raw: MediaStreamTrack | null = null;
  /** The device that is open, or is to be opened; `""` is the system's choice. */
  deviceId = "";
  #denoise = false;
  /** How often it was closed; whatever was begun before gives up. */
  #closed = 0;

  constructor(private readonly handlers: MicrophoneHandlers = {}) {}

  /** What is to be sent; null while it is closed. */
  get track(): MediaStreamTrack | null {
    return this.#graph?.track ?? this.#raw;
  }

  /** The system, or a switch on the device, lets no sound through. */
  get isSilenced(): boolean {
    return this.#raw?.muted ?? false;
  }

  get settings(): Readonly<InputSettings> {
    return this.#settings;
  }

  /** Opens the device, or goes over to it when another is open. */
  async open(deviceId = this.deviceId): Promise<MediaStreamTrack> {
    const closed = this.#closed;
    const [raw, graph] = await Promise.all([
      // One that was chosen long ago may be gone.
      captureMicrophone(deviceId).catch((error: VoiceError) => {
        if (deviceId === "" || error.code !== "DEVICE_NOT_FOUND") throw error;
        return captureMicrophone("");
      }),
      this.#graph ?? within(CONTEXT_START_MS, openGraph(), null),
    ]);
    if (this.#closed !== closed) {
      // The user may take minutes to allow it, and be gone by then.
      raw.stop();
      if (graph && graph !== this.#graph) discard(graph);
      throw new VoiceError("CANCELLED", "the microphone was closed meanwhile");
    }
    const before = this.#raw;
    this.#raw = raw;
    this.deviceId = deviceId;
    raw.addEventListener("ended", () => void this.#onEnded(raw));
    for (const name of ["mute", "unmute"]) raw.addEventListener(name, () => this.handlers.silenced?.());
    if (graph) this.#connect(graph, raw);
    before?.stop();
    const track = graph?.track ?? raw;
    if (before && !graph) this.handlers.track?.(track);
    return track;
  }

  change(settings: Partial<InputSettings>): void {
    this.#settings = { ...this.#settings, ...settings };
    this.#graph?.input.port.postMessage(this.#settings);
  }

  /** RNNoise before everything else. It is loaded at the first use; whether it runs then is the answer. */
  async setDenoise(on: boolean): Promise<boolean> {
    this.#denoise = on;
    const graph = this.#graph;
    if (!graph) return on;
    if (on && !graph.denoise)
      graph.denoise = await within(DENOISE_START_MS, import("./denoise").then(({ openDenoise }) => openDenoise(graph.context)), null);
    if (!graph.denoise) this.#denoise = false;
    if (this.#raw && this.#graph === graph) this.#connect(graph, this.#raw);
    return this.#denoise;
  }

  close(): void {
    this.#closed += 1;
    this.#raw?.stop();
    this.#raw = null;
    if (this.#graph) discard(this.#graph);
    this.#graph = null;
  }

  #connect(graph: Graph, raw: MediaStreamTrack): void {
    const isNew = this.#graph !== graph;
    this.#graph = graph;
    graph.source?.disconnect();
    graph.denoise?.disconnect();
    graph.source = graph.context.createMediaStreamSource(new MediaStream([raw]));
    if (this.#denoise && graph.denoise) graph.source.connect(graph.denoise).connect(graph.input);
    else graph.source.connect(graph.input);
    if (!isNew) return;
    graph.input.port.onmessage = ({ data }: MessageEvent<InputLevels>) => this.handlers.levels?.(data);
    graph.input.port.postMessage(this.#settings);
    if (this.#denoise) void this.setDenoise(true);
  }

  /** Its cable was pulled: the system's own choice takes over. */
  async #onEnded(raw: MediaStreamTrack): Promise<void> {
    if (this.#raw !== raw) return;
    await this.open("").catch(() => this.handlers.lost?.());
  }
}

function discard({ track, context }: Graph): void {
  track.stop();
  void context.close();
}

async function openGraph(): Promise<Graph> {
  const context = new AudioContext({ sampleRate: 48_000, latencyHint: "interactive" });
  try {
    await Promise.race([
      Promise.all([context.resume(), context.audioWorklet.addModule(INPUT_WORKLET)]),
      sleep(CONTEXT_START_MS).then(() => Promise.reject(new Error("the audio thread did not start"))),
    ]);
  } catch (error) {
    void context.close();
    throw error;
  }
  const input = new AudioWorkletNode(context, "railgun-input", MONO);
  const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  input.connect(destination);
  const [track] = destination.stream.getAudioTracks();
  if (!track) throw new Error("no track behind the processing");
  return { context, source: null, denoise: null, input, track };
}
