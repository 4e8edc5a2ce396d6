import type { types } from "mediasoup-client";
import { VoiceError } from "../errors";
import { CAMERA_ENCODINGS, layerFor, SCREEN_ENCODINGS, type Viewport } from "../layers";
import type { Expected } from "./health";
import type { Media } from "./media";
import type { RemoteSource, Room } from "./room";
import type { Request } from "./signaling";
import type { Speakers } from "./speakers";

interface Reception {
  readonly source: RemoteSource;
  consumer: types.Consumer | null;
  /** What the server was last told; undefined before it was told anything. */
  layer: number | null | undefined;
  failed: boolean;
  /** The server sends no layer of it, though one is wanted. */
  heldBack: boolean;
}

/** Receives what the room sends: one consumer a producer, as large as it is shown. */
export class Receiver {
  #receptions = new Map<string, Reception>();
  #viewports = new Map<string, Viewport>();
  #deafened = false;

  constructor(
    private readonly media: Media,
    private readonly request: Request,
    private readonly room: Room,
    private readonly speakers: Speakers,
    private readonly handlers: { changed(): void; failed(source: RemoteSource, error: VoiceError): void },
  ) {}

  /** Brings the consumers in line with the room. */
  sync(): void {
    const wanted = new Map([...this.room.sources()].map((source) => [source.producerId, source]));
    for (const [producerId, reception] of this.#receptions) {
      // After a resume the room has new objects for the same producers.
      const source = wanted.get(producerId);
      if (!source) this.#drop(producerId);
      else if (reception.source !== source) this.#receptions.set(producerId, { ...reception, source });
    }
    for (const [producerId, source] of wanted) {
      if (!this.#receptions.has(producerId)) void this.#receive(source);
    }
  }

  /** After a resume: what the server no longer has, or what failed meanwhile, is received anew. */
  keepOnly(consumerIds: Set<string>): void {
    for (const [producerId, { consumer, failed }] of this.#receptions) {
      if (failed || (consumer && !consumerIds.has(consumer.id))) this.#drop(producerId);
    }
  }

  consumerClosed(consumerId: string): void {
    for (const { consumer, source } of this.#receptions.values()) {
      if (consumer?.id !== consumerId) continue;
      consumer.close();
      this.speakers.stop(source.producerId);
      this.#receptions.set(source.producerId, { source, consumer: null, layer: undefined, failed: true, heldBack: false });
      this.handlers.changed();
    }
  }

  track(producerId: string): MediaStreamTrack | null {
    return this.#receptions.get(producerId)?.consumer?.track ?? null;
  }

  /** The layers that the server sends; null is none. */
  layersChanged(consumerId: string, layers: unknown): void {
    for (const reception of this.#receptions.values()) {
      if (reception.consumer?.id === consumerId) reception.heldBack = layers === null;
    }
  }

  /** What should be arriving at this moment: nobody paused, muted or stopped it, and its sender is connected. */
  expected(): Expected[] {
    const found: Expected[] = [];
    for (const { source, consumer, layer, heldBack } of this.#receptions.values()) {
      const { sessionId, paused } = source;
      const participant = this.room.participants.get(sessionId);
      if (!consumer || consumer.closed || paused || !participant || participant.reconnecting) continue;
      const isAudio = consumer.kind === "audio";
      if (isAudio ? this.#deafened : layer === null || layer === undefined) continue;
      if (source.source === "mic" && participant.muted) continue;
      const trackId = consumer.track.id;
      found.push({ trackId, sessionId, source: source.source, heldBack: !isAudio && heldBack });
    }
    return found;
  }

  set deafened(deafened: boolean) {
    this.#deafened = deafened;
    this.speakers.deafened = deafened;
    for (const { consumer } of this.#receptions.values()) {
      if (consumer?.kind === "audio") this.#tell(consumer, deafened);
    }
  }

  /** How large a video is shown decides which layer of it is received; null receives none. */
  show(producerId: string, viewport: Viewport): void {
    this.#viewports.set(producerId, viewport);
    const reception = this.#receptions.get(producerId);
    if (reception?.consumer?.kind === "video") this.#chooseLayer(reception, reception.consumer);
  }

  close(): void {
    for (const producerId of [...this.#receptions.keys()]) this.#drop(producerId);
  }

  async #receive(source: RemoteSource): Promise<void> {
    const { producerId } = source;
    const mine: Reception = { source, consumer: null, layer: undefined, failed: false, heldBack: false };
    this.#receptions.set(producerId, mine);
    const isGone = () => !this.#receptions.has(producerId) || this.media.recv.closed;
    try {
      const consumer = await this.media.consume(producerId, source);
      const reception = this.#receptions.get(producerId);
      if (!reception || isGone()) {
        consumer.close();
        return;
      }
      reception.consumer = consumer;
      if (consumer.kind === "audio") {
        const { sessionId, userId } = source;
        const of = { sessionId, userId, isMic: source.source === "mic" };
        this.speakers.play(producerId, consumer.track, of, consumer.rtpReceiver);
        if (this.#deafened) this.#tell(consumer, true);
      } else {
        this.#chooseLayer(reception, consumer);
      }
      this.handlers.changed();
    } catch (error) {
      if (isGone()) return;
      const reception = this.#receptions.get(producerId);
      if (reception) reception.failed = true;
      const failure = VoiceError.from(error);
      // Without a socket it waits for the next one.
      if (failure.code !== "UNREACHABLE") this.handlers.failed(source, failure);
    }
  }

  #chooseLayer(reception: Reception, consumer: types.Consumer): void {
    const { source } = reception;
    const encodings = source.source === "screen" ? SCREEN_ENCODINGS : CAMERA_ENCODINGS;
    const viewport = this.#viewports.get(source.producerId);
    const top = encodings.length - 1;
    // Who says nothing about sizes gets everything.
    const layer = viewport === undefined ? top : layerFor(viewport, encodings.length);
    if (layer === reception.layer) return;
    const before = reception.layer;
    reception.layer = layer;
    if (layer === null) {
      this.#tell(consumer, true);
      return;
    }
    if (encodings.length > 1 && !(before === undefined && layer === top)) {
      this.#send(
        this.request("voice:rtc:setPreferredLayers", { consumerId: consumer.id, spatialLayer: layer }),
      );
    }
    // Video begins paused at the server, so that no key frame is sent before there is somebody to decode it.
    if (before === undefined || before === null) this.#tell(consumer, false);
  }

  #tell(consumer: types.Consumer, paused: boolean): void {
    const name = paused ? "voice:rtc:pauseConsumer" : "voice:rtc:resumeConsumer";
    this.#send(this.request(name, { consumerId: consumer.id }));
  }

  /** A consumer may close while the request is on its way, which is nobody's concern. */
  #send(request: Promise<unknown>): void {
    request.catch(() => undefined);
  }

  #drop(producerId: string): void {
    const reception = this.#receptions.get(producerId);
    if (!reception) return;
    this.#receptions.delete(producerId);
    this.#viewports.delete(producerId);
    reception.consumer?.close();
    this.speakers.stop(producerId);
  }
}
