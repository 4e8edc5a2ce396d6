import { Device, type types } from "mediasoup-client";
import { waitBefore } from "../contract";
import { VoiceError } from "../errors";
import type { RtcConfig, Source } from "../wire";
import type { Request } from "./signaling";
import { sleep } from "./wait";

export type Direction = "send" | "recv";

export interface MediaHandlers {
  /** The server's codecs are known. */
  capabilities(): void;
  /** A transport's connection changed; `failed` and `disconnected` need help. */
  connection(direction: Direction, state: RTCPeerConnectionState | string): void;
}

/** The WebRTC side of one stay in a room: a device and a transport each way. */
export class Media {
  private constructor(
    private readonly request: Request,
    readonly device: Device,
    readonly send: types.Transport,
    readonly recv: types.Transport,
  ) {}

  /** `preparing`: from `prepareDevice`. */
  static async open(
    request: Request,
    rtcConfig: RtcConfig,
    preparing: Promise<Device>,
    handlers: MediaHandlers,
  ): Promise<Media> {
    const { rtpCapabilities } = await request("voice:rtc:getRouterRtpCapabilities", {});
    handlers.capabilities();
    // The browser looks its codecs up while the server answers.
    const [sendOptions, recvOptions, device] = await Promise.all([
      createTransport(request, "send"),
      createTransport(request, "recv"),
      preparing.then(async (prepared) => {
        await prepared.load({ routerRtpCapabilities: rtpCapabilities });
        return prepared;
      }),
    ]);
    const media = new Media(
      request,
      device,
      device.createSendTransport({ ...sendOptions, ...rtcConfig }),
      device.createRecvTransport({ ...recvOptions, ...rtcConfig }),
    );
    media.#wire(handlers);
    return media;
  }

  #wire(handlers: MediaHandlers): void {
    for (const transport of [this.send, this.recv]) {
      transport.on("connect", ({ dtlsParameters }, done, failed) => {
        this.request("voice:rtc:connectTransport", { transportId: transport.id, dtlsParameters }).then(
          () => done(),
          failed,
        );
      });
      transport.on("connectionstatechange", (state) => handlers.connection(transport.direction, state));
    }
    this.send.on("produce", ({ kind, rtpParameters, appData }, done, failed) => {
      const source = appData["source"] as Source;
      this.request("voice:rtc:produce", {
        transportId: this.send.id,
        kind,
        rtpParameters,
        appData: { source },
      }).then(done, failed);
    });
  }

  async consume(producerId: string): Promise<types.Consumer> {
    const reply = await this.request("voice:rtc:consume", {
      transportId: this.recv.id,
      producerId,
      rtpCapabilities: this.device.recvRtpCapabilities,
    });
    if (this.recv.closed) throw new VoiceError("CANCELLED", "the call was left meanwhile");
    const { id, kind, rtpParameters } = reply;
    return this.recv.consume({ id, producerId, kind, rtpParameters });
  }

  /** New ICE credentials for a transport that lost its path; DTLS and SRTP go on. */
  async restartIce(direction: Direction): Promise<void> {
    const transport = this[direction];
    const { iceParameters } = await this.request("voice:rtc:restartIce", { transportId: transport.id });
    await transport.restartIce({ iceParameters });
  }

  /** Relay credentials that were renewed; they count from the next ICE restart on. */
  async updateIceServers(iceServers: RTCIceServer[]): Promise<void> {
    await Promise.all([this.send, this.recv].map((transport) => transport.updateIceServers({ iceServers })));
  }

  close(): void {
    this.send.close();
    this.recv.close();
  }
}

/** What this browser can send and receive. It takes a moment, and needs no server. */
export function prepareDevice(): Promise<Device> {
  const device = Device.factory().catch(() => {
    throw new VoiceError("UNSUPPORTED_BROWSER", "this browser has no WebRTC that mediasoup-client knows");
  });
  // Whoever opens the media hears of it; until then nobody listens.
  device.catch(() => undefined);
  return device;
}

async function createTransport(request: Request, direction: Direction) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await request("voice:rtc:createTransport", { direction });
    } catch (error) {
      const { retryAfterMs, fatal, code } = VoiceError.from(error);
      const wait = waitBefore("createTransport", tried, retryAfterMs);
      if (wait === null || fatal || code === "UNREACHABLE") throw error;
      await sleep(wait);
    }
  }
}
