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
export type AppData = { 
/**
 * What is captured: microphone, camera, screen or the screen's sound.
 */
source: Source, };

/**
 * How loud someone is, in dBov: 0 is the loudest, -127 silence (RFC 6464).
 */
export type AudioLevel = { 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, 
/**
 * dBov, -127 to 0.
 */
level: number, };

/**
 * A voice channel of the product. A room is its live instance on one media node.
 */
export type ChannelId = string;

/**
 * A user who is in a channel, as whoever watches it is told: on several devices the user is one entry.
 */
export type ChannelPerson = { 
/**
 * The user's id, from the `sub` of the token.
 */
userId: UserId, 
/**
 * The name to show, from the token.
 */
name?: string, 
/**
 * Path or URL of the picture to show, as in [`Participant`].
 */
avatar?: string, 
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
export type ConsumerInfo = { 
/**
 * The consumer's id.
 */
consumerId: ConsumerId, 
/**
 * The producer's id.
 */
producerId: ProducerId, 
/**
 * `audio` or `video`.
 */
kind: MediaKind, 
/**
 * True while its client has it paused.
 */
paused: boolean, 
/**
 * True while the producer is paused, so that nothing comes whatever the consumer does.
 */
producerPaused: boolean, };

/**
 * Layers of a consumer, counted from 0. Asked for without a temporal layer: all of them.
 */
export type ConsumerLayers = { 
/**
 * Resolution: 0 is the smallest.
 */
spatialLayer: number, 
/**
 * Frame rate: 0 is the lowest.
 */
temporalLayer?: number, };

/**
 * What the node sends of a consumer.
 */
export type ConsumerStats = { 
/**
 * The consumer's id.
 */
consumerId: ConsumerId, 
/**
 * The producer's id.
 */
producerId: ProducerId, 
/**
 * `audio` or `video`.
 */
kind: MediaKind, 
/**
 * SSRC of the media, chosen by the node.
 */
ssrc: number, 
/**
 * SSRC of its retransmissions (RFC 4588); absent if there are none.
 */
rtxSsrc?: number, 
/**
 * True while its client has it paused.
 */
paused: boolean, 
/**
 * True while the producer is paused, so that nothing comes whatever the consumer does.
 */
producerPaused: boolean, 
/**
 * 1 (first to lose its layers) to 255 (last).
 */
priority: number, 
/**
 * How well it comes through, from 0 (not at all) to 10.
 */
score: number, 
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
 * By the client's last report; of audio with what was sent again, which a report counts as received.
 */
packetsLost?: number, 
/**
 * Sequence numbers without a packet, because none came from the producer's client; clients take them for lost.
 */
skippedPackets?: number, 
/**
 * Part of the packets that was lost by the client's last report, 0 to 1.
 */
fractionLost?: number, 
/**
 * Interarrival jitter by the client's last report, in milliseconds.
 */
jitterMs?: number, 
/**
 * Layers that the consumer gets; absent for audio, and for video before the next key frame.
 */
currentLayers?: ConsumerLayers, 
/**
 * Layers that the client asked for; absent: all.
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

/**
 * What kind of refusal it is, for programs.
 */
export type ErrorCode = "CHANNEL_NOT_FOUND" | "CHANNEL_FULL" | "PERMISSION_DENIED" | "CAPABILITY_REQUIRED" | "TRANSPORT_FAILED" | "UNAUTHORIZED" | "TOKEN_EXPIRED" | "NOT_FOUND" | "INVALID_PAYLOAD" | "INVALID_STATE" | "RATE_LIMITED" | "VIDEO_LIMIT_REACHED" | "UNSUPPORTED_CODEC" | "NODE_UNAVAILABLE" | "RESUME_FAILED" | "INTERNAL";

export type GetStats = { transportId?: TransportId, };

/**
 * Why somebody's permissions are told anew.
 */
export type GrantReason = "expired" | "revoked" | "upgraded" | "refreshed";

/**
 * An entry of `RTCConfiguration.iceServers` (W3C WebRTC section 4.2.4).
 */
export type IceServer = { 
/**
 * `stun:` and `turn:` addresses.
 */
urls: Array<string>, 
/**
 * TURN user name; absent for STUN.
 */
username?: string, 
/**
 * TURN password; absent for STUN.
 */
credential?: string, };

/**
 * How far ICE is, by the checks that came.
 */
export type IceState = "new" | "connected" | "completed" | "disconnected" | "closed";

/**
 * `RTCConfiguration.iceTransportPolicy`.
 */
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

/**
 * Why a microphone was paused by the server.
 */
export type MuteReason = "noise_loop" | "admin";

/**
 * The kind of network a client is on, by its own word.
 */
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
export type ParticipantInfo = { 
/**
 * The user's id, from the `sub` of the token.
 */
userId: UserId, 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, 
/**
 * The name to show, from the token.
 */
name?: string, 
/**
 * Where the picture to show is, from the token: a path on the page's origin, or an `https:` URL of a host
 * that the operator listed. Nobody in privacy mode is told of one, or has one told of.
 */
avatar?: string, 
/**
 * The user turned the microphone off.
 */
muted: boolean, 
/**
 * The user hears nobody, by choice.
 */
deafened: boolean, 
/**
 * The user's voice is heard now.
 */
speaking: boolean, 
/**
 * The session lost its socket longer than 15 s ago and its media goes on. Written only if so.
 */
reconnecting?: boolean, 
/**
 * Producers of the participant.
 */
producers: Array<ProducerInfo>, };

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
 * Bitrate of audio, in bits per second.
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
export type ProducerInfo = { 
/**
 * The producer's id.
 */
producerId: ProducerId, 
/**
 * `audio` or `video`.
 */
kind: MediaKind, 
/**
 * The source of the media.
 */
appData: AppData, 
/**
 * True while nothing of it is forwarded.
 */
paused: boolean, };

/**
 * What the node receives of a producer.
 */
export type ProducerStats = { 
/**
 * The producer's id.
 */
producerId: ProducerId, 
/**
 * `audio` or `video`.
 */
kind: MediaKind, 
/**
 * What is captured: microphone, camera, screen or the screen's sound.
 */
source: Source, 
/**
 * `simple`, `simulcast` or `svc`.
 */
type: StreamType, 
/**
 * True while nothing of it is forwarded.
 */
paused: boolean, 
/**
 * Score of the producer's best stream, 0 to 10.
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

/**
 * One RTP stream of a producer.
 */
export type ProducerStreamStats = { 
/**
 * SSRC of the media (RFC 3550 section 8).
 */
ssrc: number, 
/**
 * SSRC of its retransmissions (RFC 4588); absent if there are none.
 */
rtxSsrc?: number, 
/**
 * RTP stream id of a simulcast layer (RFC 8852); absent without simulcast.
 */
rid?: string, 
/**
 * Index among the producer's encodings, the lowest 0.
 */
encoding: number, 
/**
 * Media alone, without what was sent again.
 */
received: TrafficStats, 
/**
 * How well it comes through, from 0 (not at all) to 10.
 */
score: number, 
/**
 * Before repair; negative if more came twice than was lost (RFC 3550 section 6.4.1).
 */
packetsLost: number, 
/**
 * Part of the packets lost in the last second, 0 to 1.
 */
fractionLost: number, 
/**
 * Interarrival jitter (RFC 3550 section 6.4.1), in milliseconds.
 */
jitterMs: number, 
/**
 * How much later packets come than the soonest of the last minutes, the mean in milliseconds: queues on the way up.
 */
delayMs?: number, 
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
highestSpatialLayer: number, 
/**
 * The highest temporal layer inside the stream that was seen.
 */
highestTemporalLayer: number, };

/**
 * A video slot held and not yet used, or a place in the queue for one.
 */
export type QueuePlace = { 
/**
 * `camera` or `screen`.
 */
source: VideoSource, 
/**
 * True if a slot is held for the session.
 */
granted: boolean, 
/**
 * Until when a grant is held, RFC 3339.
 */
expiresAt?: string, 
/**
 * In the queue, from 1.
 */
position?: number, 
/**
 * Video slots that are taken.
 */
current: number, 
/**
 * Video slots that the room has.
 */
max: number, };

/**
 * Why a room is gone from its node.
 */
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

/**
 * What the client's `RTCPeerConnection` is to be made with.
 */
export type RtcConfig = { 
/**
 * STUN and TURN servers, for an `RTCPeerConnection`.
 */
iceServers: Array<IceServer>, 
/**
 * Whether media may take only the relays.
 */
iceTransportPolicy: IceTransportPolicy, };

/**
 * One authenticated socket: a user on a device, until it leaves or its resume window closes.
 */
export type SessionId = string;

export type SetPreferredLayers = { consumerId: ConsumerId, 
/**
 * Resolution: 0 is the smallest.
 */
spatialLayer: number, 
/**
 * Frame rate: 0 is the lowest.
 */
temporalLayer?: number, };

export type SetPriority = { consumerId: ConsumerId, priority: number, };

/**
 * What a producer carries; `appData.source` on the wire.
 */
export type Source = "mic" | "camera" | "screen" | "screenAudio";

/**
 * Who is heard most.
 */
export type Speaker = { 
/**
 * The user's id, from the `sub` of the token.
 */
userId: UserId, 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, };

/**
 * What a participant says of itself; an absent field stays as it was.
 */
export type StateUpdate = { 
/**
 * The microphone is off.
 */
muted?: boolean, 
/**
 * Nobody is heard.
 */
deafened?: boolean, 
/**
 * The voice is heard now.
 */
speaking?: boolean, };

/**
 * Everything that one session owns, or one transport and what runs over it.
 */
export type Stats = { 
/**
 * The session's transports.
 */
transports: Array<TransportStats>, 
/**
 * The session's producers.
 */
producers: Array<ProducerStats>, 
/**
 * The session's consumers.
 */
consumers: Array<ConsumerStats>, };

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
mos?: number, 
/**
 * The kind of network that the client is on; absent if it cannot tell.
 */
networkType?: NetworkType, 
/**
 * True while the client sends less because its device is too slow; absent: not, or not known.
 */
cpuLimited?: boolean, };

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
export type TrafficStats = { 
/**
 * How many packets.
 */
packets: number, 
/**
 * Bytes in them.
 */
bytes: number, 
/**
 * Bits per second over the last full second.
 */
bitrate: number, };

/**
 * As the client sees it. A transport carries media one way.
 */
export type TransportDirection = "send" | "recv";

/**
 * A WebRTC transport of a session: one ICE and DTLS association with the media node.
 */
export type TransportId = string;

/**
 * A transport and its traffic.
 */
export type TransportStats = { 
/**
 * The transport's id.
 */
transportId: TransportId, 
/**
 * `send` or `recv`, as the client sees it.
 */
direction: TransportDirection, 
/**
 * State of the ICE connection.
 */
ice: IceState, 
/**
 * State of the DTLS association.
 */
dtls: DtlsState, 
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
  "voice:joined": { 
/**
 * The channel's id.
 */
channelId: ChannelId, 
/**
 * The channel is a DM, whose other members can be called. Written only if so.
 */
dm?: boolean, 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, 
/**
 * Host and port that the media node announces.
 */
sfuEndpoint: string, 
/**
 * The others in the room, oldest first.
 */
participants: Array<ParticipantInfo>, 
/**
 * What the session may send.
 */
permissions: Permissions, 
/**
 * How many people and how much video the room holds.
 */
limits: RoomLimits, 
/**
 * What the client's `RTCPeerConnection` is to be made with.
 */
rtcConfig: RtcConfig, 
/**
 * Until when the relays' credential is taken, RFC 3339; absent without a relay.
 */
turnCredentialExpiresAt?: string, 
/**
 * What a new socket shows to take this session up again; absent if it cannot.
 */
resumeToken?: string, 
/**
 * What holds for everybody in the room until it ends.
 */
encryption: Encryption, 
/**
 * The room's sequence at the time of the reply; events with a higher one follow.
 */
roomSeq: number, };
  "voice:left": { 
/**
 * The channel's id.
 */
channelId: ChannelId, };
  "voice:routerRtpCapabilities": { 
/**
 * Codecs and header extensions, for `Device.load`.
 */
rtpCapabilities: types.RtpCapabilities, };
  "voice:transportCreated": { 
/**
 * `send` or `recv`, as the client sees it.
 */
direction: TransportDirection, 
/**
 * The transport's id.
 */
transportId: TransportId, 
/**
 * `transport_id` again; mediasoup-client's `createSendTransport` takes the reply as it is.
 */
id: TransportId, 
/**
 * ICE credentials of the node, which is ICE-lite.
 */
iceParameters: types.IceParameters, 
/**
 * All that the node has; it sends no more later.
 */
iceCandidates: Array<types.IceCandidate>, 
/**
 * DTLS fingerprints of the node, whose role is `auto`.
 */
dtlsParameters: types.DtlsParameters, };
  "voice:transportConnected": { 
/**
 * The transport's id.
 */
transportId: TransportId, };
  "voice:produced": { 
/**
 * The id again, under the name that mediasoup-client reads.
 */
id: ProducerId, 
/**
 * The producer's id.
 */
producerId: ProducerId, 
/**
 * `audio` or `video`.
 */
kind: MediaKind, 
/**
 * The source of the media.
 */
appData: AppData, };
  "voice:consumed": { 
/**
 * The id again, under the name that mediasoup-client reads.
 */
id: ConsumerId, 
/**
 * The consumer's id.
 */
consumerId: ConsumerId, 
/**
 * The producer's id.
 */
producerId: ProducerId, 
/**
 * Whose media it is.
 */
userId: UserId, 
/**
 * The session that sends it.
 */
sessionId: SessionId, 
/**
 * `audio` or `video`.
 */
kind: MediaKind, 
/**
 * `simple`, `simulcast` or `svc`.
 */
type: StreamType, 
/**
 * Codecs, encodings, header extensions and RTCP, as mediasoup-client names them.
 */
rtpParameters: types.RtpParameters, 
/**
 * True while the producer is paused, so that nothing comes whatever the consumer does.
 */
producerPaused: boolean, 
/**
 * The source of the media.
 */
appData: AppData, };
  "voice:consumerPaused": { 
/**
 * The consumer's id.
 */
consumerId: ConsumerId, };
  "voice:consumerResumed": { 
/**
 * The consumer's id.
 */
consumerId: ConsumerId, };
  "voice:preferredLayersSet": { 
/**
 * The consumer's id.
 */
consumerId: ConsumerId, 
/**
 * Resolution: 0 is the smallest.
 */
spatialLayer: number, 
/**
 * Frame rate: 0 is the lowest.
 */
temporalLayer?: number, };
  "voice:keyFrameRequested": { 
/**
 * The consumer's id.
 */
consumerId: ConsumerId, };
  "voice:iceRestarted": { 
/**
 * The transport's id.
 */
transportId: TransportId, 
/**
 * The node's new ICE user name fragment and password.
 */
iceParameters: types.IceParameters, };
  "voice:prioritySet": { 
/**
 * The consumer's id.
 */
consumerId: ConsumerId, 
/**
 * 1 (first to lose its layers) to 255 (last).
 */
priority: number, };
  "voice:stats": { 
/**
 * The session's transports.
 */
transports: Array<TransportStats>, 
/**
 * The session's producers.
 */
producers: Array<ProducerStats>, 
/**
 * The session's consumers.
 */
consumers: Array<ConsumerStats>, };
  "voice:turn": { 
/**
 * STUN and TURN servers, for an `RTCPeerConnection`.
 */
iceServers: Array<IceServer>, 
/**
 * Until when the relays' credential is taken, RFC 3339; absent without a relay.
 */
turnCredentialExpiresAt?: string, };
  "voice:video:slot": { 
/**
 * True if a slot is held for the session.
 */
granted: boolean, 
/**
 * Until when the grant is held, RFC 3339; absent unless granted.
 */
expiresAt?: string, 
/**
 * Place in the queue, from 1; absent if granted.
 */
position?: number, 
/**
 * Video slots that are taken.
 */
current: number, 
/**
 * Video slots that the room has.
 */
max: number, };
  "voice:video:slotReleased": { 
/**
 * `camera` or `screen`.
 */
source: VideoSource, };
  "voice:channel:watched": { 
/**
 * The channel's id.
 */
channelId: ChannelId, 
/**
 * Longest there first.
 */
people: Array<ChannelPerson>, };
  "voice:channel:unwatched": { 
/**
 * The channel's id.
 */
channelId: ChannelId, };
  "voice:resumed": { 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, 
/**
 * Takes the place of the one that was shown.
 */
resumeToken: string, 
/**
 * The channel's id.
 */
channelId: ChannelId, 
/**
 * The others in the room, oldest first.
 */
participants: Array<ParticipantInfo>, 
/**
 * The session's own.
 */
producers: Array<ProducerInfo>, 
/**
 * Consumers of the session.
 */
consumers: Array<ConsumerInfo>, 
/**
 * What the session may send.
 */
permissions: Permissions, 
/**
 * How many people and how much video the room holds.
 */
limits: RoomLimits, 
/**
 * Video slots held and not yet used, and places in the queue.
 */
queue: Array<QueuePlace>, 
/**
 * As it was when the session joined. Messages of key agreement that the session may have missed follow.
 */
encryption: Encryption, 
/**
 * The room's sequence at the time of the reply.
 */
roomSeq: number, };
  "voice:producerPaused": { 
/**
 * The producer's id.
 */
producerId: ProducerId, 
/**
 * Whose producer it is; absent in the owner's reply.
 */
userId?: UserId, 
/**
 * The owner's session; absent in the owner's reply.
 */
sessionId?: SessionId, 
/**
 * Place in the room's order; absent in the owner's reply.
 */
roomSeq?: number, };
  "voice:producerResumed": { 
/**
 * The producer's id.
 */
producerId: ProducerId, 
/**
 * Whose producer it is; absent in the owner's reply.
 */
userId?: UserId, 
/**
 * The owner's session; absent in the owner's reply.
 */
sessionId?: SessionId, 
/**
 * Place in the room's order; absent in the owner's reply.
 */
roomSeq?: number, };
  "voice:producerClosed": { 
/**
 * The producer's id.
 */
producerId: ProducerId, 
/**
 * The user's id, from the `sub` of the token.
 */
userId: UserId, 
/**
 * Why, if its owner did not ask for it.
 */
reason?: ProducerCloseReason, 
/**
 * The owner's session; absent in the owner's reply.
 */
sessionId?: SessionId, 
/**
 * Place in the room's order; absent in the owner's reply.
 */
roomSeq?: number, };
  "voice:participant:joined": { 
/**
 * The event's place in the room's order; rises by one with each event that is not for one session
 * alone.
 */
roomSeq: number, 
/**
 * The user's id, from the `sub` of the token.
 */
userId: UserId, 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, 
/**
 * The name to show, from the token.
 */
name?: string, 
/**
 * Where the picture to show is, from the token: a path on the page's origin, or an `https:` URL of a host
 * that the operator listed. Nobody in privacy mode is told of one, or has one told of.
 */
avatar?: string, 
/**
 * The user turned the microphone off.
 */
muted: boolean, 
/**
 * The user hears nobody, by choice.
 */
deafened: boolean, 
/**
 * The user's voice is heard now.
 */
speaking: boolean, 
/**
 * The session lost its socket longer than 15 s ago and its media goes on. Written only if so.
 */
reconnecting?: boolean, 
/**
 * Producers of the participant.
 */
producers: Array<ProducerInfo>, };
  "voice:participant:left": { 
/**
 * The user's id, from the `sub` of the token.
 */
userId: UserId, 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, 
/**
 * The event's place in the room's order; rises by one with each event that is not for one session
 * alone.
 */
roomSeq: number, };
  "voice:participant:state": { 
/**
 * The user's id, from the `sub` of the token.
 */
userId: UserId, 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, 
/**
 * The user turned the microphone off.
 */
muted: boolean, 
/**
 * The user hears nobody, by choice.
 */
deafened: boolean, 
/**
 * The user's voice is heard now.
 */
speaking: boolean, 
/**
 * As in [`Participant`]; a client that does not know it loses nothing.
 */
reconnecting?: boolean, 
/**
 * The event's place in the room's order; rises by one with each event that is not for one session
 * alone.
 */
roomSeq: number, };
  "voice:newProducer": { 
/**
 * The producer's id.
 */
producerId: ProducerId, 
/**
 * The user's id, from the `sub` of the token.
 */
userId: UserId, 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, 
/**
 * `audio` or `video`.
 */
kind: MediaKind, 
/**
 * The source of the media.
 */
appData: AppData, 
/**
 * True while nothing of it is forwarded.
 */
paused: boolean, 
/**
 * The event's place in the room's order; rises by one with each event that is not for one session
 * alone.
 */
roomSeq: number, };
  "voice:data": { 
/**
 * The user's id, from the `sub` of the token.
 */
userId: UserId, 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, 
/**
 * What the message is about, as the application calls it.
 */
kind: DataKind, 
/**
 * As its sender wrote it.
 */
payload: DataPayload, 
/**
 * The event's place in the room's order; rises by one with each event that is not for one session
 * alone.
 */
roomSeq: number, };
  "voice:e2ee:message": { 
/**
 * The user's id, from the `sub` of the token.
 */
userId: UserId, 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, 
/**
 * Proposal, commit, Welcome or GroupInfo.
 */
kind: E2eeMessageKind, 
/**
 * Epoch of the MLS group.
 */
epoch: number, 
/**
 * The message of key agreement, in base64.
 */
data: E2eeData, 
/**
 * The event's place in the room's order; rises by one with each event that is not for one session
 * alone.
 */
roomSeq: number, };
  "voice:consumerClosed": { 
/**
 * The consumer's id.
 */
consumerId: ConsumerId, 
/**
 * Why.
 */
reason: ConsumerCloseReason, };
  "voice:producerScore": { 
/**
 * The producer's id.
 */
producerId: ProducerId, 
/**
 * How well it comes through, from 0 (not at all) to 10.
 */
score: number, };
  "voice:consumerScore": { 
/**
 * The consumer's id.
 */
consumerId: ConsumerId, 
/**
 * How well it comes through, from 0 (not at all) to 10.
 */
score: number, };
  "voice:consumerLayers": { 
/**
 * The consumer's id.
 */
consumerId: ConsumerId, 
/**
 * Spatial and temporal layer.
 */
layers: ConsumerLayers | null, };
  "voice:producerLayers": { 
/**
 * The producer's id.
 */
producerId: ProducerId, 
/**
 * Counted from 0; null: nobody wants the video.
 */
maxSpatialLayer: number | null, };
  "voice:rtc:transportState": { 
/**
 * The transport's id.
 */
transportId: TransportId, 
/**
 * State of the ICE connection.
 */
ice: IceState, 
/**
 * State of the DTLS association.
 */
dtls: DtlsState, };
  "voice:permissions": { 
/**
 * What the session may send.
 */
permissions: Permissions, 
/**
 * How many people and how much video the room holds.
 */
limits: RoomLimits, 
/**
 * Why they are told anew.
 */
reason: GrantReason, };
  "voice:video:queue": { 
/**
 * `camera` or `screen`.
 */
source: VideoSource, 
/**
 * Place in the queue, from 1.
 */
position: number, 
/**
 * Video slots that are taken.
 */
current: number, 
/**
 * Video slots that the room has.
 */
max: number, };
  "voice:video:granted": { 
/**
 * `camera` or `screen`.
 */
source: VideoSource, 
/**
 * Until when it is held, RFC 3339.
 */
expiresAt: string, };
  "voice:muted": { 
/**
 * Why.
 */
reason: MuteReason, 
/**
 * How often this session was muted for that reason.
 */
strikes: number, };
  "voice:kicked": { 
/**
 * Why.
 */
reason: KickReason, 
/**
 * Joining is refused until then (RFC 3339).
 */
until?: string, };
  "voice:activeSpeaker": { 
/**
 * The user's id, from the `sub` of the token.
 */
userId: UserId, 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, } | null;
  "voice:audioLevels": Array<{ 
/**
 * The session's id: one join of one device.
 */
sessionId: SessionId, 
/**
 * dBov, -127 to 0.
 */
level: number, }>;
  "voice:channel:people": { 
/**
 * The channel's id.
 */
channelId: ChannelId, 
/**
 * Longest there first.
 */
people: Array<ChannelPerson>, };
  "voice:ringing": { 
/**
 * The DM.
 */
channelId: ChannelId, 
/**
 * Who calls.
 */
from: UserId, 
/**
 * The caller's, by the token.
 */
name?: string, 
/**
 * When it rings no more, RFC 3339.
 */
expiresAt: string, };
  "voice:ring:ended": { 
/**
 * The DM.
 */
channelId: ChannelId, 
/**
 * Whom the session's own call rang; absent: it was a call to the user.
 */
userId?: UserId, 
/**
 * What came of it.
 */
reason: RingEndReason, };
  "voice:rejoin": { 
/**
 * Why.
 */
reason: RejoinReason, 
/**
 * How long to wait before joining, in milliseconds.
 */
retryAfterMs: number, };
  "voice:error": { 
/**
 * For programs.
 */
code: ErrorCode, 
/**
 * For people: one sentence in English.
 */
error: string, 
/**
 * What a program may need beside the code.
 */
details: Record<string, unknown>, 
/**
 * The session cannot go on.
 */
fatal: boolean, };
  "voice:rtc:error": { 
/**
 * For programs.
 */
code: ErrorCode, 
/**
 * For people: one sentence in English.
 */
error: string, 
/**
 * What a program may need beside the code.
 */
details: Record<string, unknown>, 
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
