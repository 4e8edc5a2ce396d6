/**
 * The signaling contract: requests with their replies, and what the server says unasked. Names and numbers
 * come from the server's own tables (`generated.ts`); the payloads are those of `shared/protocol/src/signal`.
 */
import type { types } from "mediasoup-client";
import type { ERROR_CODES, REQUEST_NAMES, SOURCES } from "./generated";

export type Source = (typeof SOURCES)[number];
export type ErrorCode = (typeof ERROR_CODES)[number];
export type NetworkType = "wifi" | "cellular" | "ethernet" | "vpn" | "other" | "unknown";

export interface ProducerInfo {
  producerId: string;
  kind: types.MediaKind;
  appData: { source: Source };
  paused: boolean;
}

export interface ParticipantInfo {
  userId: string;
  sessionId: string;
  name?: string;
  muted: boolean;
  deafened: boolean;
  speaking: boolean;
  /** It lost its socket longer than 15 s ago and its media goes on; absent: no. */
  reconnecting?: boolean;
  producers: ProducerInfo[];
}

/** What this user may send. */
export interface Permissions {
  audio: boolean;
  video: boolean;
  screenshare: boolean;
  /** Ceiling of the audio bitrate, in bits per second. */
  maxBitrate: number;
}

/** How much the room takes. */
export interface RoomLimits {
  participants: number;
  videoPublishers: number;
}

export interface RtcConfig {
  iceServers: RTCIceServer[];
  iceTransportPolicy: RTCIceTransportPolicy;
}

export interface QueuePlace {
  source: "camera" | "screen";
  position: number;
  current: number;
  max: number;
}

/** Why a request was refused. */
export interface Refusal {
  code: ErrorCode;
  error: string;
  details?: Record<string, unknown>;
  /** The session cannot go on. */
  fatal?: boolean;
}

/** What a join and a resume tell alike. */
export interface RoomState {
  channelId: string;
  sessionId: string;
  participants: ParticipantInfo[];
  permissions: Permissions;
  limits: RoomLimits;
  resumeToken?: string;
  roomSeq: number;
}

export interface Joined extends RoomState {
  sfuEndpoint?: string;
  rtcConfig: RtcConfig;
  /** ISO 8601. */
  turnCredentialExpiresAt?: string;
}

/** The state of a session that came back on a new socket, its media untouched. */
export interface Resumed extends RoomState {
  /** Our own. */
  producers: ProducerInfo[];
  consumers: { consumerId: string; producerId: string }[];
  /** Video slots held and not yet used, and places in the queue for one. */
  queue: (SlotReply & { source: "camera" | "screen" })[];
}

export interface PermissionChange {
  permissions: Permissions;
  limits: RoomLimits;
  reason: "expired" | "revoked" | "upgraded" | "refreshed";
}

export interface SlotReply {
  granted: boolean;
  /** Until when a grant is held, RFC 3339. */
  expiresAt?: string;
  position?: number;
  current: number;
  max: number;
}

/** What was not measured is left out. */
export interface StatsReport {
  transport: "udp" | "tcp" | "turn";
  /** Milliseconds. */
  rtt?: number;
  /** Milliseconds. */
  jitter?: number;
  /** Percent, 0 to 100. */
  packetLoss?: number;
  mos?: number;
  networkType?: NetworkType;
}

type Nothing = Record<never, never>;
type OfProducer = { producerId: string };
type OfConsumer = { consumerId: string };

/** Each request's payload and reply. */
export interface Requests {
  "voice:join": { payload: { channelId: string; networkType?: NetworkType }; reply: Joined };
  "voice:leave": { payload: { channelId?: string }; reply: { channelId: string } };
  "voice:rtc:getRouterRtpCapabilities": {
    payload: Nothing;
    reply: { rtpCapabilities: types.RtpCapabilities };
  };
  "voice:rtc:createTransport": {
    payload: { direction: "send" | "recv" };
    reply: {
      id: string;
      iceParameters: types.IceParameters;
      iceCandidates: types.IceCandidate[];
      dtlsParameters: types.DtlsParameters;
    };
  };
  "voice:rtc:connectTransport": {
    payload: { transportId: string; dtlsParameters: types.DtlsParameters };
    reply: Nothing;
  };
  "voice:rtc:produce": {
    payload: {
      transportId: string;
      kind: types.MediaKind;
      rtpParameters: types.RtpParameters;
      appData: { source: Source };
    };
    reply: { id: string };
  };
  "voice:rtc:consume": {
    payload: { transportId: string; producerId: string; rtpCapabilities: types.RtpCapabilities };
    reply: {
      id: string;
      kind: types.MediaKind;
      rtpParameters: types.RtpParameters;
      producerPaused: boolean;
    };
  };
  "voice:rtc:pauseProducer": { payload: OfProducer; reply: Nothing };
  "voice:rtc:resumeProducer": { payload: OfProducer; reply: Nothing };
  "voice:rtc:pauseConsumer": { payload: OfConsumer; reply: Nothing };
  "voice:rtc:resumeConsumer": { payload: OfConsumer; reply: Nothing };
  "voice:rtc:closeProducer": { payload: OfProducer; reply: Nothing };
  "voice:state:update": {
    payload: { muted?: boolean; deafened?: boolean; speaking?: boolean };
    reply: Nothing;
  };
  "voice:rtc:setPreferredLayers": {
    payload: OfConsumer & { spatialLayer: number; temporalLayer?: number };
    reply: Nothing;
  };
  "voice:rtc:setPriority": { payload: OfConsumer & { priority: number }; reply: Nothing };
  "voice:rtc:requestKeyFrame": { payload: OfConsumer; reply: Nothing };
  "voice:rtc:restartIce": {
    payload: { transportId: string };
    reply: { iceParameters: types.IceParameters };
  };
  "voice:rtc:getStats": { payload: { transportId?: string }; reply: Record<string, unknown> };
  "voice:stats:report": { payload: StatsReport; reply: Nothing };
  "voice:turn:refresh": {
    payload: Nothing;
    reply: { iceServers: RTCIceServer[]; turnCredentialExpiresAt?: string };
  };
  "voice:entitlement:refresh": { payload: { token: string }; reply: PermissionChange };
  "voice:video:requestSlot": { payload: { source: "camera" | "screen" }; reply: SlotReply };
  "voice:video:releaseSlot": { payload: { source: "camera" | "screen" }; reply: Nothing };
  "voice:ui:event": {
    payload: { name: "upgrade_cta_shown" | "upgrade_cta_clicked" | "upgraded" };
    reply: Nothing;
  };
  "voice:ping": { payload: { sentAt: number; padding?: string }; reply: { sentAt: number; serverTime: number } };
}

/** Fails to compile when the server knows a request that stands nowhere above. */
export type EveryRequestIsKnown = Known<(typeof REQUEST_NAMES)[number]>;
type Known<Name extends keyof Requests> = Name;

interface OfRoom {
  roomSeq?: number;
}
interface OfMember extends OfRoom {
  userId: string;
  sessionId: string;
}

/** What the server says unasked. Room events carry their place in the room's order. */
export interface ServerEvents {
  "voice:resumed": Resumed;
  "voice:error": Refusal & { event?: string };
  "voice:participant:joined": ParticipantInfo & OfRoom;
  "voice:participant:left": OfMember;
  "voice:participant:state": OfMember & {
    muted: boolean;
    deafened: boolean;
    speaking: boolean;
    reconnecting?: boolean;
  };
  "voice:newProducer": ProducerInfo & OfMember;
  "voice:producerPaused": OfProducer & OfRoom;
  "voice:producerResumed": OfProducer & OfRoom;
  "voice:producerClosed": OfProducer & OfRoom & { reason?: string };
  "voice:consumerClosed": OfConsumer & { reason: string };
  "voice:rtc:transportState": { transportId: string; ice: string; dtls: string };
  "voice:consumerLayers": OfConsumer & {
    layers: { spatialLayer: number; temporalLayer?: number } | null;
  };
  "voice:consumerScore": OfConsumer & { score: number };
  "voice:producerScore": OfProducer & { score: number };
  "voice:producerLayers": OfProducer & { maxSpatialLayer: number | null };
  "voice:activeSpeaker": OfMember | null;
  "voice:audioLevels": { sessionId: string; level: number }[];
  "voice:permissions": PermissionChange;
  "voice:video:queue": QueuePlace;
  "voice:video:granted": { source: "camera" | "screen"; expiresAt?: string };
  "voice:muted": { reason: "noise_loop" | "admin"; strikes?: number };
  "voice:kicked": { reason: string; until?: string };
  "voice:rejoin": { reason: "node_lost" | "node_draining" | "worker_died"; retryAfterMs: number };
}
