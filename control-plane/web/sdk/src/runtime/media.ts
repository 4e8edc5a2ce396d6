import { Device, type types } from "mediasoup-client";
import { waitBefore } from "../contract";
import { VoiceError } from "../errors";
import type { Encryption } from "../e2ee/encryption";
import type { RtcConfig, Source } from "../payloads";
import type { Request } from "./signaling";
import { sleep } from "./wait";

export type Direction = "send" | "recv";

export interface MediaHandlers {
  /** The server's codecs are known. */
  capabilities(): void;
  /** A transport's parameters are on their way to the server: ICE and DTLS follow. */
  connecting(direction: Direction): void;
  /** A transport's connection changed. */
  connection(direction: Direction, state: RTCPeerConnectionState | string): void;
}

/** The WebRTC side of one stay in a room: a device and a transport each way. */
export class Media {
  #send: types.Transport;
  #recv: types.Transport;

  private constructor(
    private readonly request: Request,
    readonly device: Device,
    private readonly handlers: MediaHandlers,
    private rtcConfig: RtcConfig,
    /** Of a call that is encrypted from end to end. */
    readonly encryption: Encryption | null | undefined,
    { send, recv }: Record<Direction, TransportOptions>,
  ) {
    this.#send = this.#make("send", send);
    this.#recv = this.#make("recv", recv);
  }

  get send(): types.Transport {
    return this.#send;
  }

  get recv(): types.Transport {
    return this.#recv;
  }

  /** `preparing`: from `prepareDevice`. */
  static async open(
    request: Request,
    rtcConfig: RtcConfig,
    preparing: Promise<Device>,
    handlers: MediaHandlers,
    admitted?: Encryption | Promise<Encryption | null>,
  ): Promise<Media> {
    const { rtpCapabilities } = await request("voice:rtc:getRouterRtpCapabilities", {});
    handlers.capabilities();
    // The browser looks its codecs up while the server answers.
    const [send, recv, device, encryption] = await Promise.all([
      createTransport(request, "send"),
      createTransport(request, "recv"),
      preparing.then(async (prepared) => {
        await prepared.load({ routerRtpCapabilities: rtpCapabilities });
        return prepared;
      }),
      admitted,
    ]);
    return new Media(request, device, handlers, rtcConfig, encryption, { send, recv });
  }

  #make(direction: Direction, options: TransportOptions): types.Transport {
    const both = { ...options, ...this.rtcConfig };
    const { device, handlers, request } = this;
    const transport = direction === "send" ? device.createSendTransport(both) : device.createRecvTransport(both);
    transport.on("connect", ({ dtlsParameters }, done, failed) => {
      handlers.connecting(direction);
      request("voice:rtc:connectTransport", { transportId: transport.id, dtlsParameters }).then(
        () => done(),
        failed,
      );
    });
    transport.on("connectionstatechange", (state) => handlers.connection(direction, state));
    transport.on("produce", ({ kind, rtpParameters, appData }, done, failed) => {
      const source = appData["source"] as Source;
      request("voice:rtc:produce", {
        transportId: transport.id,
        kind,
        rtpParameters,
        appData: { source },
      }).then(done, failed);
    });
    return transport;
  }

  /** Another transport in place of one that does not connect; whatever went over the old one is gone. */
  async renew(direction: Direction): Promise<void> {
    const before = this[direction];
    const options = await createTransport(this.request, direction);
    if (before.closed) throw new VoiceError("CANCELLED", "the call was left meanwhile");
    before.close();
    const transport = this.#make(direction, options);
    if (direction === "send") this.#send = transport;
    else this.#recv = transport;
  }

  /** `of`: whose it is, as the room says. */
  async consume(producerId: string, of?: { sessionId: string; source: Source }): Promise<types.Consumer> {
    const { recv, encryption } = this;
    const reply = await this.request("voice:rtc:consume", {
      transportId: recv.id,
      producerId,
      rtpCapabilities: this.device.recvRtpCapabilities,
    });
    if (recv.closed) throw new VoiceError("CANCELLED", "the call was left meanwhile");
    const { id, kind, rtpParameters } = reply;
    if (!encryption) return recv.consume({ id, producerId, kind, rtpParameters });
    const [codec] = rtpParameters.codecs;
    let isOpened = false;
    const onRtpReceiver = (receiver: RTCRtpReceiver) => {
      if (!of) return;
      encryption.open(receiver, of, codec?.mimeType ?? "");
      isOpened = true;
    };
    const consumer = await recv.consume({ id, producerId, kind, rtpParameters, onRtpReceiver });
    if (isOpened) return consumer;
    // Nothing is played that did not pass a transform.
    consumer.close();
    throw new VoiceError("INTERNAL", "a receiver without decryption was about to be used", {}, true);
  }

  /** New ICE credentials for a transport that lost its path; DTLS and SRTP go on. */
  async restartIce(direction: Direction): Promise<void> {
    const transport = this[direction];
    const { iceParameters } = await this.request("voice:rtc:restartIce", { transportId: transport.id });
    await transport.restartIce({ iceParameters });
  }

  /** Relay credentials that were renewed; they count from the next ICE restart on. */
  async updateIceServers(iceServers: RtcConfig["iceServers"]): Promise<void> {
    this.rtcConfig = { ...this.rtcConfig, iceServers };
    await Promise.all([this.send, this.recv].map((transport) => transport.updateIceServers({ iceServers })));
  }

  close(): void {
    this.send.close();
    this.recv.close();
  }
}

/** As the transport's `produce`, encrypted if the call is. */
export async function produce(
  { send, encryption }: Pick<Media, "send" | "encryption">,
  source: Source,
  options: types.ProducerOptions,
): Promise<types.Producer> {
  if (!encryption) return send.produce(options);
  let transform: number | null = null;
  const onRtpSender = (sender: RTCRtpSender) => void (transform = encryption.seal(sender, source));
  const producer = await send.produce({ ...options, onRtpSender });
  try {
    encryption.sealed(producer.rtpSender, transform, producer.rtpParameters);
  } catch (error) {
    producer.close();
    throw error;
  }
  return producer;
}

/** What this browser can send and receive. It takes a moment, and needs no server. */
export function prepareDevice(): Promise<Device> {
  const device = Device.factory().catch(() => {
    throw new VoiceError("UNSUPPORTED_BROWSER", "mediasoup-client does not know this browser");
  });
  // Whoever opens the media hears of it; until then nobody listens.
  device.catch(() => undefined);
  return device;
}

type TransportOptions = Awaited<ReturnType<typeof createTransport>>;

async function createTransport(request: Request, direction: Direction) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await request("voice:rtc:createTransport", { direction });
    } catch (error) {
      const { retryAfterMs, fatal, code } = VoiceError.from(error);
      const wait = waitBefore("createTransport", tried, retryAfterMs);
      // What the server refuses for good, it refuses a second later as well.
      const isFinal = fatal || code === "UNREACHABLE" || code === "INVALID_STATE" || code === "INVALID_PAYLOAD";
      if (wait === null || isFinal) throw error;
      await sleep(wait);
    }
  }
}
