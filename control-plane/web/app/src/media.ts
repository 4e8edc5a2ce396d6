import { Device, type types } from "mediasoup-client";
import type { Signaling } from "./signaling";
import type { Permissions, Source } from "./wire";

/** The spec's ceilings in bits per second. */
const CAMERA_BITRATE = 2_500_000;
const SCREEN_BITRATE = 1_500_000;

/** The WebRTC side of one session: a device, one transport each way, own producers. */
export class Media {
  #producers = new Map<Source, types.Producer>();

  private constructor(
    private readonly signaling: Signaling,
    private readonly device: Device,
    private readonly send: types.Transport,
    private readonly recv: types.Transport,
    private readonly permissions: Permissions,
  ) {}

  static async open(
    signaling: Signaling,
    permissions: Permissions,
    rtcConfig: { iceServers: RTCIceServer[]; iceTransportPolicy: RTCIceTransportPolicy },
  ): Promise<Media> {
    const { rtpCapabilities } = await signaling.request("voice:rtc:getRouterRtpCapabilities", {});
    const device = await Device.factory();
    await device.load({ routerRtpCapabilities: rtpCapabilities });
    const [sendOptions, recvOptions] = await Promise.all([
      signaling.request("voice:rtc:createTransport", { direction: "send" }),
      signaling.request("voice:rtc:createTransport", { direction: "recv" }),
    ]);
    const send = device.createSendTransport({ ...sendOptions, ...rtcConfig });
    const recv = device.createRecvTransport({ ...recvOptions, ...rtcConfig });

    for (const transport of [send, recv]) {
      transport.on("connect", ({ dtlsParameters }, done, failed) => {
        signaling
          .request("voice:rtc:connectTransport", { transportId: transport.id, dtlsParameters })
          .then(done, failed);
      });
    }
    send.on("produce", ({ kind, rtpParameters, appData }, done, failed) => {
      const source = appData["source"] as Source;
      signaling
        .request("voice:rtc:produce", { transportId: send.id, kind, rtpParameters, appData: { source } })
        .then(done, failed);
    });
    return new Media(signaling, device, send, recv, permissions);
  }

  /** Calls back when a transport has lost its connection for good. */
  onFailed(handler: () => void): void {
    for (const transport of [this.send, this.recv]) {
      transport.on("connectionstatechange", (state) => {
        if (state === "failed") handler();
      });
    }
  }

  async publish(source: Source, track: MediaStreamTrack): Promise<void> {
    const options: types.ProducerOptions = { track, appData: { source } };
    if (source === "mic") {
      options.codecOptions = {
        opusStereo: false,
        opusDtx: true,
        opusFec: true,
        opusMaxAverageBitrate: this.permissions.maxBitrate,
      };
      // A muted microphone sends nothing at all.
      options.zeroRtpOnPause = true;
    } else {
      options.encodings = [{ maxBitrate: source === "screen" ? SCREEN_BITRATE : CAMERA_BITRATE }];
    }
    this.#producers.set(source, await this.send.produce(options));
  }

  async unpublish(source: Source): Promise<void> {
    const producer = this.#producers.get(source);
    if (!producer) return;
    this.#producers.delete(source);
    producer.close();
    await this.signaling.request("voice:rtc:closeProducer", { producerId: producer.id });
  }

  /** Pauses or resumes the microphone, here first so that nothing is sent meanwhile. */
  async setMicPaused(paused: boolean): Promise<void> {
    const producer = this.#producers.get("mic");
    if (!producer) return;
    if (paused) producer.pause();
    await this.signaling.request(paused ? "voice:rtc:pauseProducer" : "voice:rtc:resumeProducer", {
      producerId: producer.id,
    });
    if (!paused) producer.resume();
  }

  isPublishing(source: Source): boolean {
    return this.#producers.has(source);
  }

  track(source: Source): MediaStreamTrack | undefined {
    return this.#producers.get(source)?.track ?? undefined;
  }

  /** Forgets a producer that the server closed; true if it was ours. */
  dropProducer(producerId: string): boolean {
    for (const [source, producer] of this.#producers) {
      if (producer.id !== producerId) continue;
      this.#producers.delete(source);
      producer.close();
      return true;
    }
    return false;
  }

  /** Subscribes to a producer. Video is started by `start`, once the caller wants it. */
  async consume(producerId: string): Promise<types.Consumer> {
    const { id, kind, rtpParameters } = await this.signaling.request("voice:rtc:consume", {
      transportId: this.recv.id,
      producerId,
      rtpCapabilities: this.device.recvRtpCapabilities,
    });
    return this.recv.consume({ id, producerId, kind, rtpParameters });
  }

  /** Video consumers begin paused, so that no keyframe is sent before this side can decode it. */
  async start(consumer: types.Consumer): Promise<void> {
    await this.signaling.request("voice:rtc:resumeConsumer", { consumerId: consumer.id });
  }

  close(): void {
    this.send.close();
    this.recv.close();
    this.#producers.clear();
  }
}
