/** `@railgun/voice/diagnostics`: checks before a call: does my microphone work, do I hear anything, is the network good enough? */
import type { types } from "mediasoup-client";
import { DIAGNOSTICS_CHANNEL } from "./contract";
import { SILENCE_DB } from "./dsp/decibel";
import { FEEDBACK_READING_MS, hearsItself } from "./dsp/feedback-detector";
import type { InputLevels } from "./dsp/input-chain";
import { VoiceError } from "./errors";
import { measureBandwidth } from "./runtime/bandwidth";
import { Connection } from "./runtime/connection";
import { deviceIdOfProfile } from "./runtime/device-id";
import type { Media } from "./runtime/media";
import { Microphone } from "./runtime/microphone";
import { StatsReader } from "./runtime/stats";
import { relayReachable, testPicture } from "./runtime/trial-media";
import { measureUpload } from "./runtime/upload";
import { sleep } from "./runtime/wait";
import { StateMachine } from "./state-machine";
import type { VoiceOptions } from "./types";
import { BANDWIDTH_VIDEO, type NetworkReading, type Verdict, verdictOf } from "./verdict";
import type { Joined } from "./payloads";

export const ECHO_TEST_MS = 3_000;
const PINGS = 8;
const BANDWIDTH_TEST_MS = 4_000;
const CONNECT_MS = 10_000;
export interface EchoResult {
  /** Loudest moment of what came back, in dBFS. */
  level: number;
  /** The microphone heard the speakers. */
  echo: boolean;
  /** By way of the server, as in a call; otherwise only this device was tested. */
  throughServer: boolean;
}

export type EchoPhase = "connecting" | "recording" | "playing";

export interface NetworkResult extends NetworkReading {
  verdict: Verdict;
}

export { type NetworkReading, type Verdict, verdictOf } from "./verdict";

/** One visit to the tests. `close` it before a call: the microphone is in use until then. */
export class Diagnostics {
  #joined: Joined | null = null;
  #connection: Connection;
  #microphone: Microphone;
  #levels: InputLevels | null = null;

  constructor(
    options: VoiceOptions,
    private readonly onLevels: (levels: InputLevels) => void = () => undefined,
  ) {
    const { token } = options;
    this.#microphone = new Microphone({
      levels: (levels) => {
        this.#levels = levels;
        this.onLevels(levels);
      },
    });
    this.#connection = new Connection(
      {
        url: options.url,
        deviceId: `${options.deviceId ?? deviceIdOfProfile()}-diagnostics`,
        token: async () => (typeof token === "function" ? token() : token),
      },
      new StateMachine(),
      {
        joined: (joined) => {
          this.#joined = joined;
        },
        opened: async () => undefined,
        resumed: async () => undefined,
        interrupted: () => undefined,
        renewing: () => undefined,
        renewed: () => undefined,
        mediaState: () => undefined,
        event: ({ name }) => {
          // A room for tests is open for a minute; the next test opens another one.
          if (name === "voice:kicked") this.#connection.end(new VoiceError("CANCELLED", "the minute is over"));
        },
        ended: () => undefined,
        sent: () => "nothing",
      },
    );
  }

  /** Opens a microphone, or goes over to another; its levels come to `onLevels`. */
  async openMicrophone(deviceId = ""): Promise<void> {
    await this.#microphone.open(deviceId);
  }

  /** Records three seconds of what others would hear, and plays them. */
  async echoTest(onPhase: (phase: EchoPhase) => void = () => undefined, sinkId = ""): Promise<EchoResult> {
    onPhase("connecting");
    const track = this.#microphone.track ?? (await this.#microphone.open());
    const own = await this.#receiveOwn(track).catch(() => null);
    try {
      onPhase("recording");
      const recorded = await record(own?.consumer.track ?? track, () => this.#levels);
      onPhase("playing");
      const heard = await this.#play(recorded.sound, sinkId);
      const echo = hearsItself(recorded.levels, heard);
      return { level: Math.max(...recorded.levels), echo, throughServer: own !== null };
    } finally {
      own?.close();
    }
  }

  /** Some seconds of looking at the way to the server. Fails when that cannot be reached at all. */
  async networkTest(): Promise<NetworkResult> {
    const joined = await this.#join();
    const rtt = await this.#ping();
    const upload = await measureUpload(this.#connection.request, rtt);
    const [trial, turn] = await Promise.all([this.#tryMedia(), relayReachable(joined.rtcConfig.iceServers)]);
    const { packetLoss, udp } = trial;
    // What the browser finds by sending video is nearer to a call; most browsers and all Free users lack it.
    const bandwidth = trial.bandwidth ?? upload;
    const reading: NetworkReading = { rtt, packetLoss, bandwidth, udp, turn };
    return { ...reading, verdict: verdictOf(reading) };
  }

  async close(): Promise<void> {
    this.#microphone.close();
    await this.#connection.leave();
  }

  async #join(): Promise<Joined> {
    if (this.#connection.media && this.#joined) return this.#joined;
    await this.#connection.join(DIAGNOSTICS_CHANNEL);
    if (!this.#joined) throw new VoiceError("CANCELLED", "the tests were left meanwhile");
    return this.#joined;
  }

  /** Median of some round trips of signaling, in milliseconds. */
  async #ping(): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < PINGS; i += 1) {
      const sentAt = performance.now();
      await this.#connection.request("voice:ping", { sentAt });
      times.push(performance.now() - sentAt);
    }
    return times.sort((a, b) => a - b)[PINGS / 2] ?? 0;
  }

  /** Sends a track and receives it again. */
  async #receiveOwn(track: MediaStreamTrack, video = false): Promise<OwnReception> {
    await this.#join();
    const media = this.#connection.media;
    if (!media) throw new VoiceError("CANCELLED", "the tests were left meanwhile");
    const source = video ? "camera" : "mic";
    const producer = await media.send.produce({
      track,
      stopTracks: false,
      appData: { source },
      codecOptions: video ? { videoGoogleStartBitrate: 1_000 } : { opusDtx: true, opusFec: true },
    });
    const { request } = this.#connection;
    const close = () => {
      producer.close();
      request("voice:rtc:closeProducer", { producerId: producer.id }).catch(() => undefined);
    };
    try {
      const consumer = await media.consume(producer.id);
      if (video) await request("voice:rtc:resumeConsumer", { consumerId: consumer.id });
      await connected(media);
      return { media, consumer, close: () => (consumer.close(), close()) };
    } catch (error) {
      close();
      throw error;
    }
  }

  /** `bandwidth`: as Chromium estimates it from the video that Pro may send. */
  async #tryMedia(): Promise<Pick<NetworkReading, "packetLoss" | "bandwidth" | "udp">> {
    const pro = this.#joined?.permissions.video ?? false;
    const picture = testPicture(pro);
    try {
      const own = await this.#receiveOwn(picture.track, pro);
      const reader = new StatsReader();
      await reader.read(own.media);
      await sleep(BANDWIDTH_TEST_MS);
      const { packetLoss, available, transport } = await reader.read(own.media);
      const look = async () => (await reader.read(own.media)).available;
      const bandwidth = pro ? await measureBandwidth(available, BANDWIDTH_VIDEO, look) : null;
      own.close();
      return { packetLoss, bandwidth, udp: transport === null ? null : transport === "udp" };
    } catch (thrown) {
      // A server that has no room for tests still tells whether it can be reached.
      const isPath = VoiceError.from(thrown).code === "TRANSPORT_FAILED";
      return { packetLoss: null, bandwidth: null, udp: isPath ? false : null };
    } finally {
      picture.stop();
    }
  }

  /** What the microphone hears meanwhile, in dBFS, one reading every 50 ms. */
  async #play(sound: Blob, sinkId: string): Promise<number[]> {
    const url = URL.createObjectURL(sound);
    const audio = new Audio(url);
    if (sinkId) await audio.setSinkId?.(sinkId);
    const heard: number[] = [];
    let timer: ReturnType<typeof setInterval> | undefined;
    try {
      await audio.play();
      timer = setInterval(() => heard.push(this.#levels?.input ?? SILENCE_DB), FEEDBACK_READING_MS);
      await Promise.race([
        new Promise((resolve) => audio.addEventListener("ended", resolve, { once: true })),
        sleep(2 * ECHO_TEST_MS),
      ]);
    } finally {
      clearInterval(timer);
      URL.revokeObjectURL(url);
    }
    return heard;
  }
}

interface OwnReception {
  media: Media;
  consumer: types.Consumer;
  close(): void;
}

async function connected({ send, recv }: Media): Promise<void> {
  const end = Date.now() + CONNECT_MS;
  while (send.connectionState !== "connected" || recv.connectionState !== "connected") {
    if (Date.now() > end) throw new VoiceError("TRANSPORT_FAILED", "no path for sound and video");
    await sleep(50);
  }
}

interface Recording {
  sound: Blob;
  /** In dBFS, one every 50 ms. */
  levels: number[];
}

async function record(track: MediaStreamTrack, levels: () => InputLevels | null): Promise<Recording> {
  const stream = new MediaStream([track]);
  // Some browsers decode a remote track only while something plays it.
  const silent = new Audio();
  silent.muted = true;
  silent.srcObject = stream;
  await silent.play().catch(() => undefined);
  const recorder = new MediaRecorder(stream);
  const parts: Blob[] = [];
  recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
  const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
  recorder.start();
  const recorded: number[] = [];
  for (const end = Date.now() + ECHO_TEST_MS; Date.now() < end; ) {
    await sleep(FEEDBACK_READING_MS);
    recorded.push(levels()?.output ?? SILENCE_DB);
  }
  recorder.stop();
  await stopped;
  silent.srcObject = null;
  return { sound: new Blob(parts, { type: recorder.mimeType }), levels: recorded };
}

/** A short, friendly tone from the chosen speaker. */
export async function playTestTone(sinkId = ""): Promise<void> {
  const context = new AudioContext();
  try {
    const destination = context.createMediaStreamDestination();
    const element = new Audio();
    element.srcObject = destination.stream;
    if (sinkId) await element.setSinkId?.(sinkId);
    const start = context.currentTime + 0.1;
    for (const [index, hertz] of [523.25, 659.25, 783.99].entries()) {
      const tone = new OscillatorNode(context, { frequency: hertz });
      const gain = new GainNode(context, { gain: 0 });
      const at = start + index * 0.22;
      gain.gain.setValueAtTime(0, at);
      gain.gain.linearRampToValueAtTime(0.25, at + 0.03);
      gain.gain.exponentialRampToValueAtTime(0.001, at + 0.5);
      tone.connect(gain).connect(destination);
      tone.start(at);
      tone.stop(at + 0.5);
    }
    await element.play();
    await sleep(1_200);
  } finally {
    void context.close();
  }
}
