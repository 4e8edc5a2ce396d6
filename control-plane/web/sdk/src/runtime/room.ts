import type { ServerEvent } from "./signaling";
import type {
  ParticipantInfo,
  PermissionChange,
  Permissions,
  ProducerInfo,
  RoomLimits,
  RoomState,
  Source,
} from "../payloads";

/** A producer of somebody else. */
export interface RemoteSource {
  readonly producerId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly source: Source;
  readonly kind: "audio" | "video";
  paused: boolean;
}

export interface RemoteParticipant {
  readonly sessionId: string;
  readonly userId: string;
  readonly name: string;
  readonly avatar: string | null;
  muted: boolean;
  deafened: boolean;
  speaking: boolean;
  reconnecting: boolean;
  readonly sources: Map<string, RemoteSource>;
}

/** Who is in the room and what they send, as the server's events tell it. No media, no sockets. */
export class Room {
  channelId: string | null = null;
  /** Told at a join; a resume leaves it. */
  isDm = false;
  sessionId: string | null = null;
  permissions: Permissions | null = null;
  limits: RoomLimits | null = null;
  activeSpeaker: string | null = null;
  readonly participants = new Map<string, RemoteParticipant>();

  /** Takes over the state of a join or resume, whatever was there before. */
  enter({ channelId, sessionId, participants, permissions, limits }: RoomState): void {
    this.channelId = channelId;
    this.sessionId = sessionId;
    this.permissions = permissions;
    this.limits = limits;
    this.activeSpeaker = null;
    this.participants.clear();
    for (const participant of participants) {
      if (participant.sessionId !== sessionId) this.#add(participant);
    }
  }

  leave(): void {
    this.isDm = false;
    this.channelId = this.sessionId = this.permissions = this.limits = this.activeSpeaker = null;
    this.participants.clear();
  }

  /** Whether the event was one about the room. */
  apply(event: ServerEvent): boolean {
    switch (event.name) {
      case "voice:participant:joined":
        this.#add(event.payload);
        return true;
      case "voice:participant:left":
        this.participants.delete(event.payload.sessionId);
        if (this.activeSpeaker === event.payload.sessionId) this.activeSpeaker = null;
        return true;
      case "voice:participant:state": {
        const { sessionId, muted, deafened, speaking, reconnecting = false } = event.payload;
        const participant = this.participants.get(sessionId);
        if (participant) Object.assign(participant, { muted, deafened, speaking, reconnecting });
        return true;
      }
      case "voice:newProducer": {
        const participant = this.participants.get(event.payload.sessionId);
        if (participant) addSource(participant, event.payload);
        return true;
      }
      case "voice:producerPaused":
        return this.#setPaused(event.payload.producerId, true);
      case "voice:producerResumed":
        return this.#setPaused(event.payload.producerId, false);
      case "voice:producerClosed":
        for (const { sources } of this.participants.values()) sources.delete(event.payload.producerId);
        return true;
      case "voice:activeSpeaker":
        this.activeSpeaker = event.payload?.sessionId ?? null;
        return true;
      case "voice:permissions":
        this.changePermissions(event.payload);
        return true;
      default:
        return false;
    }
  }

  changePermissions({ permissions, limits }: PermissionChange): void {
    this.permissions = permissions;
    this.limits = limits ?? this.limits;
  }

  get people(): RemoteParticipant[] {
    return [...this.participants.values()];
  }

  /** Everything that others send. */
  *sources(): Generator<RemoteSource> {
    for (const participant of this.participants.values()) yield* participant.sources.values();
  }

  #add(info: ParticipantInfo): void {
    if (info.sessionId === this.sessionId) return;
    const { sessionId, userId, muted, deafened, speaking, reconnecting = false } = info;
    const participant: RemoteParticipant = {
      sessionId,
      userId,
      name: info.name || userId,
      avatar: info.avatar ?? null,
      muted,
      deafened,
      speaking,
      reconnecting,
      sources: new Map(),
    };
    for (const producer of info.producers) addSource(participant, producer);
    this.participants.set(sessionId, participant);
  }

  #setPaused(producerId: string, paused: boolean): boolean {
    for (const { sources } of this.participants.values()) {
      const source = sources.get(producerId);
      if (source) source.paused = paused;
    }
    return true;
  }
}

function addSource({ sessionId, userId, sources }: RemoteParticipant, producer: ProducerInfo): void {
  const { producerId, kind, appData, paused } = producer;
  if (sources.has(producerId)) return;
  sources.set(producerId, { producerId, sessionId, userId, source: appData.source, kind, paused });
}
