import type { types } from "mediasoup-client";
import { Media } from "./media";
import type { Signaling } from "./signaling";
import type { Permissions, ServerEvents, Source, WireParticipant, WireProducer } from "./wire";

/** Why a session ended although the user did not leave. */
export type EndReason =
  | { kind: "lost" }
  | { kind: "failed" }
  | { kind: "kicked"; reason: string }
  | { kind: "rejoin"; retryAfterMs: number };

/** Somebody else's producer, and our consumer of it once there is one. */
export interface RemoteProducer {
  id: string;
  source: string;
  paused: boolean;
  consumer?: types.Consumer;
}

export interface Remote {
  sessionId: string;
  name: string;
  muted: boolean;
  producers: Map<string, RemoteProducer>;
}

export interface SessionHandlers {
  changed(): void;
  ended(reason: EndReason): void;
  /** A stream of somebody else could not be received. */
  consumeFailed(name: string, error: unknown): void;
}

/** One stay in one room, from the join to the leave: who is there, and their media. */
export class Session {
  readonly remotes = new Map<string, Remote>();
  #media!: Media;
  #permissions!: Permissions;
  #closed = false;
  /** Room events that came before the state they build on was taken over. */
  #early: (() => void)[] | null = [];
  #mediaReady = false;
  #entered = false;

  private constructor(
    private readonly signaling: Signaling,
    private readonly handlers: SessionHandlers,
  ) {}

  static async join(signaling: Signaling, channelId: string, handlers: SessionHandlers): Promise<Session> {
    const session = new Session(signaling, handlers);
    session.#listen();
    try {
      await session.#enter(channelId);
      session.#entered = true;
    } catch (error) {
      session.#shut();
      throw error;
    }
    return session;
  }

  get permissions(): Permissions {
    return this.#permissions;
  }

  publish(source: Source, track: MediaStreamTrack): Promise<void> {
    return this.#media.publish(source, track);
  }

  unpublish(source: Source): Promise<void> {
    return this.#media.unpublish(source);
  }

  isPublishing(source: Source): boolean {
    return this.#media.isPublishing(source);
  }

  ownTrack(source: Source): MediaStreamTrack | undefined {
    return this.#media.track(source);
  }

  /** Tells the room and stops or starts the microphone. */
  async setMuted(muted: boolean): Promise<void> {
    await this.#media.setMicPaused(muted);
    await this.signaling.request("voice:state:update", { muted });
  }

  async leave(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#media.close();
    // The call is over for the user either way; closing the socket cleans up as well.
    await this.signaling.request("voice:leave", {}).catch(() => undefined);
    this.signaling.close();
  }

  async #enter(channelId: string): Promise<void> {
    const joined = await this.signaling.request("voice:join", { channelId });
    this.#permissions = joined.permissions;
    for (const participant of joined.participants) {
      if (participant.sessionId !== joined.sessionId) this.#addRemote(participant);
    }
    const early = this.#early ?? [];
    this.#early = null;
    for (const apply of early) apply();

    this.#media = await Media.open(this.signaling, joined.permissions, joined.rtcConfig);
    this.#media.onFailed(() => this.#end({ kind: "failed" }));
    this.#mediaReady = true;
    for (const remote of this.remotes.values()) {
      for (const producer of remote.producers.values()) void this.#consume(remote, producer);
    }
  }

  #listen(): void {
    this.#onRoom("voice:participant:joined", (participant) => this.#addRemote(participant));
    this.#onRoom("voice:participant:left", ({ sessionId }) => this.#removeRemote(sessionId));
    this.#onRoom("voice:participant:state", ({ sessionId, muted }) => {
      const remote = this.remotes.get(sessionId);
      if (remote) remote.muted = muted;
    });
    this.#onRoom("voice:newProducer", (producer) => {
      const remote = this.remotes.get(producer.sessionId);
      if (remote) this.#addProducer(remote, producer);
    });
    this.#onRoom("voice:producerPaused", ({ producerId }) => this.#setPaused(producerId, true));
    this.#onRoom("voice:producerResumed", ({ producerId }) => this.#setPaused(producerId, false));
    this.#onRoom("voice:producerClosed", ({ producerId }) => this.#removeProducer(producerId));
    this.signaling.on("voice:consumerClosed", ({ consumerId }) => this.#dropConsumer(consumerId));
    this.signaling.on("voice:kicked", ({ reason }) => this.#end({ kind: "kicked", reason }));
    this.signaling.on("voice:rejoin", ({ retryAfterMs }) => this.#end({ kind: "rejoin", retryAfterMs }));
    this.signaling.onLost(() => this.#end({ kind: "lost" }));
  }

  #onRoom<Name extends keyof ServerEvents>(name: Name, apply: (event: ServerEvents[Name]) => void): void {
    this.signaling.on(name, (event) => {
      if (this.#closed) return;
      const run = () => {
        apply(event);
        this.handlers.changed();
      };
      if (this.#early) this.#early.push(run);
      else run();
    });
  }

  #addRemote(participant: WireParticipant): void {
    if (this.remotes.has(participant.sessionId)) return;
    const { sessionId, userId, name, muted, producers } = participant;
    const remote: Remote = { sessionId, name: name || userId, muted, producers: new Map() };
    this.remotes.set(sessionId, remote);
    for (const producer of producers) this.#addProducer(remote, producer);
  }

  #removeRemote(sessionId: string): void {
    const remote = this.remotes.get(sessionId);
    if (!remote) return;
    this.remotes.delete(sessionId);
    for (const producer of remote.producers.values()) producer.consumer?.close();
  }

  #addProducer(remote: Remote, { producerId, appData, paused }: WireProducer): void {
    if (remote.producers.has(producerId)) return;
    const producer: RemoteProducer = { id: producerId, source: appData.source, paused };
    remote.producers.set(producerId, producer);
    if (this.#mediaReady) void this.#consume(remote, producer);
  }

  async #consume(remote: Remote, producer: RemoteProducer): Promise<void> {
    // It may close while we wait; then there is nothing to receive and nothing to report.
    const gone = () =>
      this.#closed || this.remotes.get(remote.sessionId)?.producers.get(producer.id) !== producer;
    try {
      const consumer = await this.#media.consume(producer.id);
      if (gone()) {
        consumer.close();
        return;
      }
      producer.consumer = consumer;
      if (consumer.kind === "video") await this.#media.start(consumer);
      this.handlers.changed();
    } catch (error) {
      if (!gone()) this.handlers.consumeFailed(remote.name, error);
    }
  }

  #setPaused(producerId: string, paused: boolean): void {
    for (const remote of this.remotes.values()) {
      const producer = remote.producers.get(producerId);
      if (producer) producer.paused = paused;
    }
  }

  #removeProducer(producerId: string): void {
    if (this.#mediaReady && this.#media.dropProducer(producerId)) return;
    for (const remote of this.remotes.values()) {
      const producer = remote.producers.get(producerId);
      if (!producer) continue;
      remote.producers.delete(producerId);
      producer.consumer?.close();
    }
  }

  #dropConsumer(consumerId: string): void {
    for (const remote of this.remotes.values()) {
      for (const producer of remote.producers.values()) {
        if (producer.consumer?.id !== consumerId) continue;
        producer.consumer.close();
        delete producer.consumer;
        this.handlers.changed();
      }
    }
  }

  #end(reason: EndReason): void {
    if (this.#closed) return;
    this.#shut();
    // Before that, the join itself fails: its outstanding request is never answered.
    if (this.#entered) this.handlers.ended(reason);
  }

  #shut(): void {
    this.#closed = true;
    if (this.#mediaReady) this.#media.close();
    this.signaling.close();
  }
}
