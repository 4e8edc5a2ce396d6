/**
 * The signaling contract. Written by `shared/protocol/src/typescript.rs` from the types of the servers;
 * RAILGUN_UPDATE=1 writes it anew.
 */
import type { types } from "mediasoup-client";

export const REQUEST_NAMES = [
  "voice:join",
  "voice:leave",
  "voice:rtc:getRouterRtpCapabilities",
  "voice:rtc:createTransport",
  "voice:rtc:connectTransport",
  "voice:rtc:produce",
  "voice:rtc:consume",
  "voice:rtc:pauseProducer",
  "voice:rtc:resumeProducer",
  "voice:rtc:pauseConsumer",
  "voice:rtc:resumeConsumer",
  "voice:rtc:closeProducer",
  "voice:state:update",
  "voice:rtc:setPreferredLayers",
  "voice:rtc:setPriority",
  "voice:rtc:requestKeyFrame",
  "voice:rtc:restartIce",
  "voice:rtc:getStats",
  "voice:stats:report",
  "voice:turn:refresh",
  "voice:entitlement:refresh",
  "voice:video:requestSlot",
  "voice:video:releaseSlot",
  "voice:data",
  "voice:e2ee:message",
  "voice:ui:event",
  "voice:channel:watch",
  "voice:channel:unwatch",
  "voice:ring",
  "voice:ring:decline",
  "voice:ping",
] as const;

export const ERROR_CODES = [
  "CHANNEL_NOT_FOUND",
  "CHANNEL_FULL",
  "PERMISSION_DENIED",
  "CAPABILITY_REQUIRED",
  "TRANSPORT_FAILED",
  "UNAUTHORIZED",
  "TOKEN_EXPIRED",
  "NOT_FOUND",
  "INVALID_PAYLOAD",
  "INVALID_STATE",
  "RATE_LIMITED",
  "VIDEO_LIMIT_REACHED",
  "UNSUPPORTED_CODEC",
  "NODE_UNAVAILABLE",
  "RESUME_FAILED",
  "INTERNAL",
] as const;

export const SOURCES = [
  "mic",
  "camera",
  "screen",
  "screenAudio",
] as const;

export const LIMITS = {
  audioBitrateFree: 32000,
  audioBitratePro: 64000,
  videoBitrate: 2500000,
  screenBitrate: 1500000,
  dataPerSecond: 5,
  dataKindBytes: 64,
  dataPayloadBytes: 1024,
  e2eeMessageBytes: 16384,
} as const;

/**
 * `appData`: of what the client sent, only the source is relayed.
 */
export type AppData = { source: Source, };

/**
 * How loud someone is, in dBov: 0 is the loudest, -127 silence (RFC 6464).
 */
export type AudioLevel = { sessionId: SessionId, level: number, };

/**
 * A voice channel of the product. A room is its live instance on one media node.
 */
export type ChannelId = string;

/**
 * A user who is in a channel, as whoever watches it is told: on several devices the user is one entry.
 */
export type ChannelPerson = { userId: UserId, name?: string, 
/**
 * On every device.
 */
muted: boolean, 
/**
 * The same.
 */
deafened: boolean, };

export type ConnectTransport = { transportId: TransportId, dtlsParameters: types.DtlsParameters, };

export type Consume = { transportId?: TransportId, producerId: ProducerId, rtpCapabilities?: types.RtpCapabilities, };

/**
 * Why a consumer was closed.
 */
export type ConsumerCloseReason = "producer_closed" | "transport_closed" | "replaced";

/**
 * One producer as forwarded to one session.
 */
export type ConsumerId = string;

/**
 * A consumer as its owner left it.
 */
export type ConsumerInfo = { consumerId: ConsumerId, producerId: ProducerId, kind: MediaKind, paused: boolean, producerPaused: boolean, };

/**
 * Layers of a consumer, counted from 0. Asked for without a temporal layer: all of them.
 */
export type ConsumerLayers = { spatialLayer: number, temporalLayer?: number, };

export type ConsumerStats = { consumerId: ConsumerId, producerId: ProducerId, kind: MediaKind, ssrc: number, rtxSsrc?: number, paused: boolean, producerPaused: boolean, priority: number, score: number, 
/**
 * Media alone, without what was sent again.
 */
sent: TrafficStats, 
/**
 * Retransmissions; no bitrate is measured.
 */
resent: TrafficStats, 
/**
 * Packets that the client asked for again, each time counted, whether or not it got them.
 */
nackedPackets: number, 
/**
 * Key frames that the client asked for, by PLI, FIR or request.
 */
plis: number, 
/**
 * By the client's last report.
 */
packetsLost?: number, fractionLost?: number, jitterMs?: number, 
/**
 * What it gets; absent for audio, and for video before the next key frame.
 */
currentLayers?: ConsumerLayers, 
/**
 * What it asked for; absent: everything.
 */
preferredLayers?: ConsumerLayers, };

export type CreateTransport = { direction: TransportDirection, };

/**
 * What a message is about, as the application calls it: 1 to 64 bytes.
 */
export type DataKind = string;

/**
 * A message to everybody else in the room, or to one session of it. The room adds whose it is.
 */
export type DataMessage = { 
/**
 * What it is about.
 */
kind: DataKind, 
/**
 * Its content.
 */
payload: DataPayload, 
/**
 * Absent: everybody else.
 */
to?: SessionId, };

/**
 * A message's content, which the servers do not look at: at most 1024 bytes in UTF-8. In a channel that is
 * encrypted end to end the client encrypts it first.
 */
export type DataPayload = string;

/**
 * How far DTLS is.
 */
export type DtlsState = "new" | "connecting" | "connected" | "failed" | "closed";

/**
 * One MLSMessage (RFC 9420, section 6) in base64, at most 16 KiB before it.
 */
export type E2eeData = string;

/**
 * A message of key agreement to everybody else in the room, or to one session of it.
 */
export type E2eeMessage = { 
/**
 * What `data` is.
 */
kind: E2eeMessageKind, 
/**
 * The epoch of its group that it was made in; of a proposal, a commit and a GroupInfo the one in `data`.
 */
epoch: number, 
/**
 * Absent: everybody else. A commit and a proposal are for everybody.
 */
to?: SessionId, 
/**
 * The message itself.
 */
data: E2eeData, };

/**
 * What a message of key agreement is, in words of MLS (RFC 9420).
 */
export type E2eeMessageKind = "proposal" | "commit" | "welcome" | "groupInfo";

/**
 * What end-to-end encryption a client can do.
 */
export type E2eeSupport = { 
/**
 * The highest version that it knows; it knows those below as well.
 */
version: number, 
/**
 * Cipher suites of SFrame by their numbers at IANA (RFC 9605, section 8.1): 4 is AES-128-GCM, which each client
 * has to have, 5 is AES-256-GCM. At most 16.
 */
suites: Array<number>, };

/**
 * How a channel's media is encrypted. It is one for all who are in the channel.
 */
export type Encryption = "transport" | "endToEnd";

export type ErrorCode = "CHANNEL_NOT_FOUND" | "CHANNEL_FULL" | "PERMISSION_DENIED" | "CAPABILITY_REQUIRED" | "TRANSPORT_FAILED" | "UNAUTHORIZED" | "TOKEN_EXPIRED" | "NOT_FOUND" | "INVALID_PAYLOAD" | "INVALID_STATE" | "RATE_LIMITED" | "VIDEO_LIMIT_REACHED" | "UNSUPPORTED_CODEC" | "NODE_UNAVAILABLE" | "RESUME_FAILED" | "INTERNAL";

export type GetStats = { transportId?: TransportId, };

/**
 * Why somebody's permissions are told anew.
 */
export type GrantReason = "expired" | "revoked" | "upgraded" | "refreshed";

export type IceServer = { urls: Array<string>, username?: string, credential?: string, };

/**
 * How far ICE is, by the checks that came.
 */
export type IceState = "new" | "connected" | "completed" | "disconnected" | "closed";

export type IceTransportPolicy = "all" | "relay";

export type Join = { channelId: ChannelId, rtpCapabilities?: types.RtpCapabilities, networkType?: NetworkType, e2ee?: E2eeSupport, };

/**
 * Why a session was put out of its room. On the wire it is its word, or the operator's text.
 */
export type KickReason = string;

export type Leave = { channelId?: ChannelId, };

/**
 * What a track is, and with it its codecs.
 */
export type MediaKind = "audio" | "video";

export type MuteReason = "noise_loop" | "admin";

export type NetworkType = "wifi" | "cellular" | "ethernet" | "vpn" | "other" | "unknown";

/**
 * `{}`.
 */
export type Nothing = Record<never, never>;

export type OfChannel = { channelId: ChannelId, };

export type OfConsumer = { consumerId: ConsumerId, };

export type OfName = { name: UiEventName, };

export type OfProducer = { producerId: ProducerId, };

export type OfSource = { source: VideoSource, };

export type OfToken = { token: Token, };

export type OfTransport = { transportId: TransportId, };

/**
 * A participant as others see it.
 */
export type ParticipantInfo = { userId: UserId, sessionId: SessionId, name?: string, muted: boolean, deafened: boolean, speaking: boolean, 
/**
 * It lost its socket longer than 15 s ago and its media goes on. Written only if so.
 */
reconnecting?: boolean, producers: Array<ProducerInfo>, };

/**
 * What a session may send. `maxBitrate` is the audio ceiling in bits per second.
 */
export type Permissions = { 
/**
 * A microphone.
 */
audio: boolean, 
/**
 * A camera.
 */
video: boolean, 
/**
 * A screen, and its sound.
 */
screenshare: boolean, 
/**
 * Of audio, in bits per second.
 */
maxBitrate: number, };

export type Ping = { sentAt: number; padding?: string };

export type Produce = { transportId: TransportId, kind: MediaKind, rtpParameters: types.RtpParameters, appData: ProduceAppData, };

export type ProduceAppData = { source: Source, };

/**
 * Why a producer was closed that its owner did not close.
 */
export type ProducerCloseReason = "bitrate";

/**
 * A media source that a session sends into its room.
 */
export type ProducerId = string;

/**
 * A producer as others see it.
 */
export type ProducerInfo = { producerId: ProducerId, kind: MediaKind, appData: AppData, paused: boolean, };

export type ProducerStats = { producerId: ProducerId, kind: MediaKind, source: Source, type: StreamType, paused: boolean, 
/**
 * Of its best stream.
 */
score: number, 
/**
 * The highest spatial layer that anyone receives or wants; absent: nobody, or it is audio.
 */
maxSpatialLayer?: number, 
/**
 * Packets dropped because it sent more than it may.
 */
policedPackets: number, 
/**
 * Simulcast layers that came so far, lowest first; one stream otherwise.
 */
streams: Array<ProducerStreamStats>, };

export type ProducerStreamStats = { ssrc: number, rtxSsrc?: number, rid?: string, 
/**
 * Its place among the producer's encodings, the lowest 0.
 */
encoding: number, received: TrafficStats, score: number, 
/**
 * Before repair; negative if more came twice than was lost (RFC 3550 section 6.4.1).
 */
packetsLost: number, 
/**
 * Of the last second.
 */
fractionLost: number, jitterMs: number, 
/**
 * Packets that the sender was asked for again, each time counted.
 */
nackedPackets: number, 
/**
 * Packets that were missing and came by retransmission.
 */
repairedPackets: number, 
/**
 * Key frames that the sender was asked for.
 */
plis: number, 
/**
 * The highest layers inside the stream that were seen.
 */
highestSpatialLayer: number, highestTemporalLayer: number, };

/**
 * A video slot held and not yet used, or a place in the queue for one.
 */
export type QueuePlace = { source: VideoSource, granted: boolean, 
/**
 * Until when a grant is held, RFC 3339.
 */
expiresAt?: string, 
/**
 * In the queue, from 1.
 */
position?: number, current: number, max: number, };

export type RejoinReason = "node_lost" | "node_draining" | "worker_died" | "encryption_changed";

/**
 * How a call that rang ended.
 */
export type RingEndReason = "answered" | "declined" | "missed" | "cancelled";

/**
 * Most participants, and most videos, of a room.
 */
export type RoomLimits = { 
/**
 * Who is over them is refused with `CHANNEL_FULL`.
 */
participants: number, 
/**
 * Cameras and screens together; who is over them waits in a queue.
 */
videoPublishers: number, };

export type RtcConfig = { iceServers: Array<IceServer>, iceTransportPolicy: IceTransportPolicy, };

/**
 * One authenticated socket: a user on a device, until it leaves or its resume window closes.
 */
export type SessionId = string;

export type SetPreferredLayers = { consumerId: ConsumerId, spatialLayer: number, temporalLayer?: number, };

export type SetPriority = { consumerId: ConsumerId, priority: number, };

/**
 * What a producer carries; `appData.source` on the wire.
 */
export type Source = "mic" | "camera" | "screen" | "screenAudio";

export type Speaker = { userId: UserId, sessionId: SessionId, };

/**
 * What a participant says of itself; an absent field stays as it was.
 */
export type StateUpdate = { muted?: boolean, deafened?: boolean, speaking?: boolean, };

export type Stats = { transports: Array<TransportStats>, producers: Array<ProducerStats>, consumers: Array<ConsumerStats>, };

/**
 * How a client's call is going, as the client measured it. What was not measured is absent.
 */
export type StatsReport = { 
/**
 * How its media travels: `udp`, `tcp`, or `turn` for through a relay.
 */
transport: "udp" | "tcp" | "turn", 
/**
 * Milliseconds.
 */
rtt?: number, 
/**
 * Milliseconds.
 */
jitter?: number, 
/**
 * Percent, 0 to 100.
 */
packetLoss?: number, 
/**
 * Mean opinion score, 1 to 5.
 */
mos?: number, networkType?: NetworkType, };

/**
 * How a consumer of this producer is forwarded.
 */
export type StreamType = "simple" | "simulcast" | "svc";

/**
 * A token as it came, which no log may show.
 */
export type Token = string;

/**
 * Packets, and the bytes in them.
 */
export type TrafficStats = { packets: number, bytes: number, bitrate: number, };

/**
 * As the client sees it. A transport carries media one way.
 */
export type TransportDirection = "send" | "recv";

/**
 * A WebRTC transport of a session: one ICE and DTLS association with the media node.
 */
export type TransportId = string;

export type TransportStats = { transportId: TransportId, direction: TransportDirection, ice: IceState, dtls: DtlsState, 
/**
 * RTP and RTCP from the client that was authentic.
 */
received: TrafficStats, 
/**
 * RTP and RTCP to the client.
 */
sent: TrafficStats, 
/**
 * By the client's reports, or by how soon it answers a NACK.
 */
roundTripMs?: number, 
/**
 * What the client's link is held to take, while it takes less than it is to get.
 */
availableBitrate?: number, };

/**
 * What the interface did that its operators count.
 */
export type UiEventName = "upgrade_cta_shown" | "upgrade_cta_clicked" | "upgraded";

/**
 * The token's `sub`.
 */
export type UserId = string;

/**
 * A source that takes a video slot.
 */
export type VideoSource = "camera" | "screen";

/** What the server says: replies to requests, and events that nobody asked for. */
export interface ServerEvents {
  "voice:joined": { channelId: ChannelId, 
/**
 * The channel is a DM, whose other members can be called. Written only if so.
 */
dm?: boolean, sessionId: SessionId, sfuEndpoint: string, participants: Array<ParticipantInfo>, permissions: Permissions, limits: RoomLimits, rtcConfig: RtcConfig, turnCredentialExpiresAt?: string, resumeToken?: string, 
/**
 * What holds for everybody in the room until it ends.
 */
encryption: Encryption, roomSeq: number, };
  "voice:left": { channelId: ChannelId, };
  "voice:routerRtpCapabilities": { rtpCapabilities: types.RtpCapabilities, };
  "voice:transportCreated": { direction: TransportDirection, transportId: TransportId, 
/**
 * The same; mediasoup-client's `createSendTransport` takes the reply as it is.
 */
id: TransportId, 
/**
 * Of the node, which is ICE-lite.
 */
iceParameters: types.IceParameters, 
/**
 * All that the node has; it sends no more later.
 */
iceCandidates: Array<types.IceCandidate>, 
/**
 * Of the node, whose role is `auto`.
 */
dtlsParameters: types.DtlsParameters, };
  "voice:transportConnected": { transportId: TransportId, };
  "voice:produced": { id: ProducerId, producerId: ProducerId, kind: MediaKind, appData: AppData, };
  "voice:consumed": { id: ConsumerId, consumerId: ConsumerId, producerId: ProducerId, userId: UserId, sessionId: SessionId, kind: MediaKind, type: StreamType, rtpParameters: types.RtpParameters, producerPaused: boolean, appData: AppData, };
  "voice:consumerPaused": { consumerId: ConsumerId, };
  "voice:consumerResumed": { consumerId: ConsumerId, };
  "voice:preferredLayersSet": { consumerId: ConsumerId, spatialLayer: number, temporalLayer?: number, };
  "voice:keyFrameRequested": { consumerId: ConsumerId, };
  "voice:iceRestarted": { transportId: TransportId, iceParameters: types.IceParameters, };
  "voice:prioritySet": { consumerId: ConsumerId, priority: number, };
  "voice:stats": { transports: Array<TransportStats>, producers: Array<ProducerStats>, consumers: Array<ConsumerStats>, };
  "voice:turn": { iceServers: Array<IceServer>, turnCredentialExpiresAt?: string, };
  "voice:video:slot": { granted: boolean, expiresAt?: string, position?: number, current: number, max: number, };
  "voice:video:slotReleased": { source: VideoSource, };
  "voice:channel:watched": { channelId: ChannelId, people: Array<ChannelPerson>, };
  "voice:channel:unwatched": { channelId: ChannelId, };
  "voice:resumed": { sessionId: SessionId, resumeToken: string, channelId: ChannelId, participants: Array<ParticipantInfo>, 
/**
 * The session's own.
 */
producers: Array<ProducerInfo>, consumers: Array<ConsumerInfo>, permissions: Permissions, limits: RoomLimits, queue: Array<QueuePlace>, 
/**
 * As it was when the session joined. Messages of key agreement that the session may have missed follow.
 */
encryption: Encryption, roomSeq: number, };
  "voice:producerPaused": { producerId: ProducerId, userId?: UserId, sessionId?: SessionId, roomSeq?: number, };
  "voice:producerResumed": { producerId: ProducerId, userId?: UserId, sessionId?: SessionId, roomSeq?: number, };
  "voice:producerClosed": { producerId: ProducerId, userId: UserId, 
/**
 * Why, if its owner did not ask for it.
 */
reason?: ProducerCloseReason, sessionId?: SessionId, roomSeq?: number, };
  "voice:participant:joined": { roomSeq: number, userId: UserId, sessionId: SessionId, name?: string, muted: boolean, deafened: boolean, speaking: boolean, 
/**
 * It lost its socket longer than 15 s ago and its media goes on. Written only if so.
 */
reconnecting?: boolean, producers: Array<ProducerInfo>, };
  "voice:participant:left": { userId: UserId, sessionId: SessionId, roomSeq: number, };
  "voice:participant:state": { userId: UserId, sessionId: SessionId, muted: boolean, deafened: boolean, speaking: boolean, 
/**
 * As in [`Participant`]; a client that does not know it loses nothing.
 */
reconnecting?: boolean, roomSeq: number, };
  "voice:newProducer": { producerId: ProducerId, userId: UserId, sessionId: SessionId, kind: MediaKind, appData: AppData, paused: boolean, roomSeq: number, };
  "voice:data": { userId: UserId, sessionId: SessionId, kind: DataKind, payload: DataPayload, roomSeq: number, };
  "voice:e2ee:message": { userId: UserId, sessionId: SessionId, kind: E2eeMessageKind, epoch: number, data: E2eeData, roomSeq: number, };
  "voice:consumerClosed": { consumerId: ConsumerId, reason: ConsumerCloseReason, };
  "voice:producerScore": { producerId: ProducerId, score: number, };
  "voice:consumerScore": { consumerId: ConsumerId, score: number, };
  "voice:consumerLayers": { consumerId: ConsumerId, layers: ConsumerLayers | null, };
  "voice:producerLayers": { producerId: ProducerId, maxSpatialLayer: number | null, };
  "voice:rtc:transportState": { transportId: TransportId, ice: IceState, dtls: DtlsState, };
  "voice:permissions": { permissions: Permissions, limits: RoomLimits, reason: GrantReason, };
  "voice:video:queue": { source: VideoSource, position: number, current: number, max: number, };
  "voice:video:granted": { source: VideoSource, expiresAt: string, };
  "voice:muted": { reason: MuteReason, strikes: number, };
  "voice:kicked": { reason: KickReason, 
/**
 * Joining is refused until then (RFC 3339).
 */
until?: string, };
  "voice:activeSpeaker": { userId: UserId, sessionId: SessionId, } | null;
  "voice:audioLevels": Array<{ sessionId: SessionId, level: number, }>;
  "voice:channel:people": { channelId: ChannelId, people: Array<ChannelPerson>, };
  "voice:ringing": { channelId: ChannelId, from: UserId, name?: string, 
/**
 * RFC 3339.
 */
expiresAt: string, };
  "voice:ring:ended": { channelId: ChannelId, userId?: UserId, reason: RingEndReason, };
  "voice:rejoin": { reason: RejoinReason, retryAfterMs: number, };
  "voice:error": { code: ErrorCode, error: string, details: Record<string, unknown>, 
/**
 * The session cannot go on.
 */
fatal: boolean, };
  "voice:rtc:error": { code: ErrorCode, error: string, details: Record<string, unknown>, 
/**
 * The session cannot go on.
 */
fatal: boolean, };
}

/** Each request's payload, and the acknowledgement of one that was not refused. */
export interface Requests {
  "voice:join": { payload: Join; reply: ServerEvents["voice:joined"] };
  "voice:leave": { payload: Leave; reply: ServerEvents["voice:left"] };
  "voice:rtc:getRouterRtpCapabilities": { payload: Nothing; reply: ServerEvents["voice:routerRtpCapabilities"] };
  "voice:rtc:createTransport": { payload: CreateTransport; reply: ServerEvents["voice:transportCreated"] };
  "voice:rtc:connectTransport": { payload: ConnectTransport; reply: ServerEvents["voice:transportConnected"] };
  "voice:rtc:produce": { payload: Produce; reply: ServerEvents["voice:produced"] };
  "voice:rtc:consume": { payload: Consume; reply: ServerEvents["voice:consumed"] };
  "voice:rtc:pauseProducer": { payload: OfProducer; reply: ServerEvents["voice:producerPaused"] };
  "voice:rtc:resumeProducer": { payload: OfProducer; reply: ServerEvents["voice:producerResumed"] };
  "voice:rtc:pauseConsumer": { payload: OfConsumer; reply: ServerEvents["voice:consumerPaused"] };
  "voice:rtc:resumeConsumer": { payload: OfConsumer; reply: ServerEvents["voice:consumerResumed"] };
  "voice:rtc:closeProducer": { payload: OfProducer; reply: ServerEvents["voice:producerClosed"] };
  "voice:state:update": { payload: StateUpdate; reply: Nothing };
  "voice:rtc:setPreferredLayers": { payload: SetPreferredLayers; reply: ServerEvents["voice:preferredLayersSet"] };
  "voice:rtc:setPriority": { payload: SetPriority; reply: ServerEvents["voice:prioritySet"] };
  "voice:rtc:requestKeyFrame": { payload: OfConsumer; reply: ServerEvents["voice:keyFrameRequested"] };
  "voice:rtc:restartIce": { payload: OfTransport; reply: ServerEvents["voice:iceRestarted"] };
  "voice:rtc:getStats": { payload: GetStats; reply: ServerEvents["voice:stats"] };
  "voice:stats:report": { payload: StatsReport; reply: Nothing };
  "voice:turn:refresh": { payload: Nothing; reply: ServerEvents["voice:turn"] };
  "voice:entitlement:refresh": { payload: OfToken; reply: ServerEvents["voice:permissions"] };
  "voice:video:requestSlot": { payload: OfSource; reply: ServerEvents["voice:video:slot"] };
  "voice:video:releaseSlot": { payload: OfSource; reply: ServerEvents["voice:video:slotReleased"] };
  "voice:data": { payload: DataMessage; reply: Nothing };
  "voice:e2ee:message": { payload: E2eeMessage; reply: Nothing };
  "voice:ui:event": { payload: OfName; reply: Nothing };
  "voice:channel:watch": { payload: OfChannel; reply: ServerEvents["voice:channel:watched"] };
  "voice:channel:unwatch": { payload: OfChannel; reply: ServerEvents["voice:channel:unwatched"] };
  "voice:ring": { payload: OfChannel; reply: { users: number } };
  "voice:ring:decline": { payload: OfChannel; reply: Nothing };
  "voice:ping": { payload: Ping; reply: { sentAt: number; serverTime: number } };
}
