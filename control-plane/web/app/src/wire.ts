/** The signaling contract's payloads, as far as the page uses them. */
import type { types } from "mediasoup-client";

export type Source = "mic" | "camera" | "screen";
export type Tier = "free" | "pro";

export interface WireProducer {
  producerId: string;
  kind: types.MediaKind;
  appData: { source: string };
  paused: boolean;
}

export interface WireParticipant {
  userId: string;
  sessionId: string;
  name?: string;
  muted: boolean;
  producers: WireProducer[];
}

export interface Permissions {
  audio: boolean;
  video: boolean;
  screenshare: boolean;
  /** Ceiling of the audio bitrate in bits per second. */
  maxBitrate: number;
}

interface TransportReply {
  id: string;
  iceParameters: types.IceParameters;
  iceCandidates: types.IceCandidate[];
  dtlsParameters: types.DtlsParameters;
}

type Nothing = Record<string, unknown>;

/** Each request's payload and reply. */
export interface Requests {
  "voice:join": {
    payload: { channelId: string };
    reply: {
      sessionId: string;
      participants: WireParticipant[];
      permissions: Permissions;
      rtcConfig: { iceServers: RTCIceServer[]; iceTransportPolicy: RTCIceTransportPolicy };
      roomSeq: number;
    };
  };
  "voice:leave": { payload: Nothing; reply: Nothing };
  "voice:rtc:getRouterRtpCapabilities": {
    payload: Nothing;
    reply: { rtpCapabilities: types.RtpCapabilities };
  };
  "voice:rtc:createTransport": { payload: { direction: "send" | "recv" }; reply: TransportReply };
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
    reply: { id: string; producerId: string; kind: types.MediaKind; rtpParameters: types.RtpParameters };
  };
  "voice:rtc:pauseProducer": { payload: { producerId: string }; reply: Nothing };
  "voice:rtc:resumeProducer": { payload: { producerId: string }; reply: Nothing };
  "voice:rtc:closeProducer": { payload: { producerId: string }; reply: Nothing };
  "voice:rtc:resumeConsumer": { payload: { consumerId: string }; reply: Nothing };
  "voice:state:update": { payload: { muted: boolean }; reply: Nothing };
}

/** What the server says unasked. Room events carry their place in the room's order. */
export interface ServerEvents {
  "voice:participant:joined": WireParticipant & { roomSeq: number };
  "voice:participant:left": { sessionId: string; roomSeq: number };
  "voice:participant:state": { sessionId: string; muted: boolean; roomSeq: number };
  "voice:newProducer": WireProducer & { sessionId: string; roomSeq: number };
  "voice:producerPaused": { producerId: string; roomSeq?: number };
  "voice:producerResumed": { producerId: string; roomSeq?: number };
  "voice:producerClosed": { producerId: string; roomSeq?: number };
  "voice:consumerClosed": { consumerId: string };
  "voice:kicked": { reason: string };
  "voice:rejoin": { reason: string; retryAfterMs: number };
}

export type Refusal = {
  code: string;
  error: string;
  details?: Record<string, unknown>;
  fatal?: boolean;
};
