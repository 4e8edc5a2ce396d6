//! Server → client: replies and room events, and the names they travel under.

use super::client_event::ConsumerLayers;
use super::data_message::{DataKind, DataPayload};
use super::encryption::{E2eeData, E2eeMessageKind, Encryption};
use super::error_code::ErrorBody;
use super::participant::{
    AppData, AudioLevel, ChannelPerson, ConsumerInfo, Participant, ProducerInfo, QueuePlace, Speaker,
};
use super::reason::{
    ConsumerCloseReason, GrantReason, KickReason, MuteReason, ProducerCloseReason, RejoinReason,
    RingEndReason,
};
use super::rtc_config::{IceServer, RtcConfig};
use super::source::VideoSource;
use super::stats::Stats;
use crate::ids::{ChannelId, ConsumerId, ProducerId, SessionId, TransportId, UserId};
use crate::plan::{Permissions, RoomLimits};
use crate::rtp_parameters::{MediaKind, RtpCapabilities, RtpParameters, StreamType};
use crate::transport_parameters::{
    DtlsState, IceParameters, IceState, TransportDirection, TransportParameters,
};
use serde::Serialize;
use std::num::NonZeroU8;

/// Declares [`ServerEvent`], the name that each variant travels under, and the TypeScript of its payload:
/// `"name" => Variant { payload }`. A payload's optional fields are absent without a value; those marked
/// `optional = false` are null then.
macro_rules! server_events {
    ($($(#[$attribute:meta])* $name:literal => $variant:ident $payload:tt),* $(,)?) => {
        /// Everything the server says. Serialises to the event's payload; [`ServerEvent::name`] is its name.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[cfg_attr(test, derive(ts_rs::TS))]
        #[serde(untagged, rename_all_fields = "camelCase")]
        pub enum ServerEvent {
            $($(#[$attribute])* $variant $payload,)*
        }

        impl ServerEvent {
            /// The socket.io event that carries it.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)*
                }
            }
        }

        #[cfg(test)]
        pub(crate) mod payloads {
            $(crate::typescript::payload!($(#[$attribute])* $variant $payload);)*

            /// The payload of each event, and the names of the types in it.
            pub(crate) fn describe(types: &mut crate::typescript::Types) -> Vec<(&'static str, String)> {
                vec![$(($name, types.inline::<$variant::Payload>()),)*]
            }
        }
    };
}

server_events! {
    // Replies, in the order of the contract's table.
    /// The session has its seat.
    "voice:joined" => Joined {
        /// The channel's id.
        channel_id: ChannelId,
        /// The channel is a DM, whose other members can be called. Written only if so.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[cfg_attr(test, ts(as = "Option<bool>", optional))]
        dm: bool,
        /// The session's id: one join of one device.
        session_id: SessionId,
        /// Host and port that the media node announces.
        sfu_endpoint: String,
        /// The others in the room, oldest first.
        participants: Vec<Participant>,
        /// What the session may send.
        permissions: Permissions,
        /// How many people and how much video the room holds.
        limits: RoomLimits,
        /// What the client's `RTCPeerConnection` is to be made with.
        rtc_config: RtcConfig,
        /// Until when the relays' credential is taken, RFC 3339; absent without a relay.
        #[serde(skip_serializing_if = "Option::is_none")]
        turn_credential_expires_at: Option<String>,
        /// What a new socket shows to take this session up again; absent if it cannot.
        #[serde(skip_serializing_if = "Option::is_none")]
        resume_token: Option<String>,
        /// What holds for everybody in the room until it ends.
        encryption: Encryption,
        /// The room's sequence at the time of the reply; events with a higher one follow.
        room_seq: u64,
    },
    /// The session gave its seat up.
    "voice:left" => Left {
        /// The channel's id.
        channel_id: ChannelId,
    },
    /// What rooms forward.
    "voice:routerRtpCapabilities" => RouterRtpCapabilities {
        /// Codecs and header extensions, for `Device.load`.
        rtp_capabilities: RtpCapabilities,
    },
    /// The node's side of a new transport.
    "voice:transportCreated" => TransportCreated {
        /// `send` or `recv`, as the client sees it.
        direction: TransportDirection,
        /// The transport's id.
        transport_id: TransportId,
        /// `transport_id` again; mediasoup-client's `createSendTransport` takes the reply as it is.
        id: TransportId,
        /// The node's ICE candidates, ICE credentials and DTLS fingerprints.
        #[serde(flatten)]
        parameters: TransportParameters,
    },
    /// The client's fingerprints were taken.
    "voice:transportConnected" => TransportConnected {
        /// The transport's id.
        transport_id: TransportId,
    },
    /// The producer is open.
    "voice:produced" => Produced {
        /// The id again, under the name that mediasoup-client reads.
        id: ProducerId,
        /// The producer's id.
        producer_id: ProducerId,
        /// `audio` or `video`.
        kind: MediaKind,
        /// The source of the media.
        app_data: AppData,
    },
    /// The consumer is open; video waits for a key frame.
    "voice:consumed" => Consumed {
        /// The id again, under the name that mediasoup-client reads.
        id: ConsumerId,
        /// The consumer's id.
        consumer_id: ConsumerId,
        /// The producer's id.
        producer_id: ProducerId,
        /// Whose media it is.
        user_id: UserId,
        /// The session that sends it.
        session_id: SessionId,
        /// `audio` or `video`.
        kind: MediaKind,
        /// `simple`, `simulcast` or `svc`.
        #[serde(rename = "type")]
        stream_type: StreamType,
        /// Codecs, encodings, header extensions and RTCP, as mediasoup-client names them.
        rtp_parameters: RtpParameters,
        /// True while the producer is paused, so that nothing comes whatever the consumer does.
        producer_paused: bool,
        /// The source of the media.
        app_data: AppData,
    },
    /// Nothing of the consumer is sent.
    "voice:consumerPaused" => ConsumerPaused {
        /// The consumer's id.
        consumer_id: ConsumerId,
    },
    /// The consumer is sent again.
    "voice:consumerResumed" => ConsumerResumed {
        /// The consumer's id.
        consumer_id: ConsumerId,
    },
    /// The wish was noted.
    "voice:preferredLayersSet" => PreferredLayersSet {
        /// The consumer's id.
        consumer_id: ConsumerId,
        /// As asked for.
        #[serde(flatten)]
        layers: ConsumerLayers,
    },
    /// The sender is asked for a key frame.
    "voice:keyFrameRequested" => KeyFrameRequested {
        /// The consumer's id.
        consumer_id: ConsumerId,
    },
    /// The transport has new ICE credentials.
    "voice:iceRestarted" => IceRestarted {
        /// The transport's id.
        transport_id: TransportId,
        /// The node's new ICE user name fragment and password.
        ice_parameters: IceParameters,
    },
    /// The priority was noted.
    "voice:prioritySet" => PrioritySet {
        /// The consumer's id.
        consumer_id: ConsumerId,
        /// 1 (first to lose its layers) to 255 (last).
        priority: NonZeroU8,
    },
    /// What the node counted.
    "voice:stats" => Stats(Box<Stats>),
    /// A new credential for the relays.
    "voice:turn" => Turn {
        /// STUN and TURN servers, for an `RTCPeerConnection`.
        ice_servers: Vec<IceServer>,
        /// Until when the relays' credential is taken, RFC 3339; absent without a relay.
        #[serde(skip_serializing_if = "Option::is_none")]
        turn_credential_expires_at: Option<String>,
    },
    /// As [`QueuePlace`], for the source that was asked for.
    "voice:video:slot" => VideoSlot {
        /// True if a slot is held for the session.
        granted: bool,
        /// Until when the grant is held, RFC 3339; absent unless granted.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
        /// Place in the queue, from 1; absent if granted.
        #[serde(skip_serializing_if = "Option::is_none")]
        position: Option<u16>,
        /// Video slots that are taken.
        current: u16,
        /// Video slots that the room has.
        max: u16,
    },
    /// The slot, or the place in the queue, is free.
    "voice:video:slotReleased" => VideoSlotReleased {
        /// `camera` or `screen`.
        source: VideoSource,
    },
    /// Who is in the channel, longest there first; `voice:channel:people` follows with each change.
    "voice:channel:watched" => ChannelWatched {
        /// The channel's id.
        channel_id: ChannelId,
        /// Longest there first.
        people: Vec<ChannelPerson>,
    },
    /// No `voice:channel:people` of this channel follows. Also unasked, when the user may no longer join it.
    "voice:channel:unwatched" => ChannelUnwatched {
        /// The channel's id.
        channel_id: ChannelId,
    },
    /// A socket that took up a session again: everything as it stands.
    "voice:resumed" => Resumed {
        /// The session's id: one join of one device.
        session_id: SessionId,
        /// Takes the place of the one that was shown.
        resume_token: String,
        /// The channel's id.
        channel_id: ChannelId,
        /// The others in the room, oldest first.
        participants: Vec<Participant>,
        /// The session's own.
        producers: Vec<ProducerInfo>,
        /// Consumers of the session.
        consumers: Vec<ConsumerInfo>,
        /// What the session may send.
        permissions: Permissions,
        /// How many people and how much video the room holds.
        limits: RoomLimits,
        /// Video slots held and not yet used, and places in the queue.
        queue: Vec<QueuePlace>,
        /// As it was when the session joined. Messages of key agreement that the session may have missed follow.
        encryption: Encryption,
        /// The room's sequence at the time of the reply.
        room_seq: u64,
    },

    // Replies to the producer's owner, and room events to everybody else, then with whose producer it is and
    // its place in the room's order.
    /// Nothing of the producer is forwarded.
    "voice:producerPaused" => ProducerPaused {
        /// The producer's id.
        producer_id: ProducerId,
        /// Whose producer it is; absent in the owner's reply.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        /// The owner's session; absent in the owner's reply.
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        /// Place in the room's order; absent in the owner's reply.
        #[serde(skip_serializing_if = "Option::is_none")]
        room_seq: Option<u64>,
    },
    /// The producer is forwarded again.
    "voice:producerResumed" => ProducerResumed {
        /// The producer's id.
        producer_id: ProducerId,
        /// Whose producer it is; absent in the owner's reply.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        /// The owner's session; absent in the owner's reply.
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        /// Place in the room's order; absent in the owner's reply.
        #[serde(skip_serializing_if = "Option::is_none")]
        room_seq: Option<u64>,
    },
    /// The producer and its consumers are gone.
    "voice:producerClosed" => ProducerClosed {
        /// The producer's id.
        producer_id: ProducerId,
        /// The user's id, from the `sub` of the token.
        user_id: UserId,
        /// Why, if its owner did not ask for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<ProducerCloseReason>,
        /// The owner's session; absent in the owner's reply.
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        /// Place in the room's order; absent in the owner's reply.
        #[serde(skip_serializing_if = "Option::is_none")]
        room_seq: Option<u64>,
    },

    // Room events.
    /// Somebody came.
    "voice:participant:joined" => ParticipantJoined {
        /// Who.
        #[serde(flatten)]
        participant: Participant,
        /// The event's place in the room's order; rises by one with each event that is not for one session
        /// alone.
        room_seq: u64,
    },
    /// Somebody is gone, and everything of theirs with them.
    "voice:participant:left" => ParticipantLeft {
        /// The user's id, from the `sub` of the token.
        user_id: UserId,
        /// The session's id: one join of one device.
        session_id: SessionId,
        /// The event's place in the room's order; rises by one with each event that is not for one session
        /// alone.
        room_seq: u64,
    },
    /// What somebody said of themselves changed.
    "voice:participant:state" => ParticipantState {
        /// The user's id, from the `sub` of the token.
        user_id: UserId,
        /// The session's id: one join of one device.
        session_id: SessionId,
        /// The user turned the microphone off.
        muted: bool,
        /// The user hears nobody, by choice.
        deafened: bool,
        /// The user's voice is heard now.
        speaking: bool,
        /// As in [`Participant`]; a client that does not know it loses nothing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[cfg_attr(test, ts(as = "Option<bool>", optional))]
        reconnecting: bool,
        /// The event's place in the room's order; rises by one with each event that is not for one session
        /// alone.
        room_seq: u64,
    },
    /// Somebody sends something new.
    "voice:newProducer" => NewProducer {
        /// The producer's id.
        producer_id: ProducerId,
        /// The user's id, from the `sub` of the token.
        user_id: UserId,
        /// The session's id: one join of one device.
        session_id: SessionId,
        /// `audio` or `video`.
        kind: MediaKind,
        /// The source of the media.
        app_data: AppData,
        /// True while nothing of it is forwarded.
        paused: bool,
        /// The event's place in the room's order; rises by one with each event that is not for one session
        /// alone.
        room_seq: u64,
    },

    /// A message of another client. One that is for this session alone has the `roomSeq` of the event before.
    "voice:data" => Data {
        /// The user's id, from the `sub` of the token.
        user_id: UserId,
        /// The session's id: one join of one device.
        session_id: SessionId,
        /// What the message is about, as the application calls it.
        kind: DataKind,
        /// As its sender wrote it.
        payload: DataPayload,
        /// The event's place in the room's order; rises by one with each event that is not for one session
        /// alone.
        room_seq: u64,
    },
    /// The same of key agreement. Those that come again after a resume have the `roomSeq` of the first time.
    "voice:e2ee:message" => E2eeMessage {
        /// The user's id, from the `sub` of the token.
        user_id: UserId,
        /// The session's id: one join of one device.
        session_id: SessionId,
        /// Proposal, commit, Welcome or GroupInfo.
        kind: E2eeMessageKind,
        /// Epoch of the MLS group.
        epoch: u64,
        /// The message of key agreement, in base64.
        data: E2eeData,
        /// The event's place in the room's order; rises by one with each event that is not for one session
        /// alone.
        room_seq: u64,
    },

    // To one session.
    /// A consumer of the session is gone.
    "voice:consumerClosed" => ConsumerClosed {
        /// The consumer's id.
        consumer_id: ConsumerId,
        /// Why.
        reason: ConsumerCloseReason,
    },
    /// How well a producer reaches the node, from 0 (not at all) to 10; to the one who sends it.
    "voice:producerScore" => ProducerScore {
        /// The producer's id.
        producer_id: ProducerId,
        /// How well it comes through, from 0 (not at all) to 10.
        score: u8,
    },
    /// How well a consumer reaches its client, from 0 to 10; to the one who receives it.
    "voice:consumerScore" => ConsumerScore {
        /// The consumer's id.
        consumer_id: ConsumerId,
        /// How well it comes through, from 0 (not at all) to 10.
        score: u8,
    },
    /// What is being forwarded; none while a consumer waits for a key frame or is paused.
    "voice:consumerLayers" => ConsumerLayers {
        /// The consumer's id.
        consumer_id: ConsumerId,
        /// Spatial and temporal layer.
        #[cfg_attr(test, ts(optional = false))]
        layers: Option<ConsumerLayers>,
    },
    /// The highest spatial layer that anyone receives or wants of a video; none: nobody. To the one who
    /// sends it, who may save the rest.
    "voice:producerLayers" => ProducerLayers {
        /// The producer's id.
        producer_id: ProducerId,
        /// Counted from 0; null: nobody wants the video.
        #[cfg_attr(test, ts(optional = false))]
        max_spatial_layer: Option<u8>,
    },
    /// ICE or DTLS of a transport of the session changed.
    "voice:rtc:transportState" => TransportState {
        /// The transport's id.
        transport_id: TransportId,
        /// State of the ICE connection.
        ice: IceState,
        /// State of the DTLS association.
        dtls: DtlsState,
    },
    /// What the session may send from now on; the reply to a refreshed token as well.
    "voice:permissions" => Permissions {
        /// What the session may send.
        permissions: Permissions,
        /// How many people and how much video the room holds.
        limits: RoomLimits,
        /// Why they are told anew.
        reason: GrantReason,
    },
    /// A place in the queue for a video slot changed.
    "voice:video:queue" => VideoQueue {
        /// `camera` or `screen`.
        source: VideoSource,
        /// Place in the queue, from 1.
        position: u16,
        /// Video slots that are taken.
        current: u16,
        /// Video slots that the room has.
        max: u16,
    },
    /// A slot is held for this session until then (RFC 3339).
    "voice:video:granted" => VideoGranted {
        /// `camera` or `screen`.
        source: VideoSource,
        /// Until when it is held, RFC 3339.
        expires_at: String,
    },
    /// The session's microphone was paused by the server.
    "voice:muted" => Muted {
        /// Why.
        reason: MuteReason,
        /// How often this session was muted for that reason.
        strikes: u8,
    },
    /// The session was put out of its room.
    "voice:kicked" => Kicked {
        /// Why.
        reason: KickReason,
        /// Joining is refused until then (RFC 3339).
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    },
    /// Who is heard most; none: nobody speaks.
    "voice:activeSpeaker" => ActiveSpeaker(Option<Speaker>),
    /// How loud the loudest are, a few times a second.
    "voice:audioLevels" => AudioLevels(Vec<AudioLevel>),
    /// To whoever watches the channel: everybody who is in it now.
    "voice:channel:people" => ChannelPeople {
        /// The channel's id.
        channel_id: ChannelId,
        /// Longest there first.
        people: Vec<ChannelPerson>,
    },
    /// Somebody calls the user, who answers by joining the channel. To every socket of the user.
    "voice:ringing" => Ringing {
        /// The DM.
        channel_id: ChannelId,
        /// Who calls.
        from: UserId,
        /// The caller's, by the token.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// When it rings no more, RFC 3339.
        expires_at: String,
    },
    /// A call rings no more: one to the user, or, with whom it rang, the session's own.
    "voice:ring:ended" => RingEnded {
        /// The DM.
        channel_id: ChannelId,
        /// Whom the session's own call rang; absent: it was a call to the user.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        /// What came of it.
        reason: RingEndReason,
    },
    /// The room is gone from its node: the client is to join again.
    "voice:rejoin" => Rejoin {
        /// Why.
        reason: RejoinReason,
        /// How long to wait before joining, in milliseconds.
        retry_after_ms: u64,
    },

    /// A failed join or resume.
    "voice:error" => Error(ErrorBody),
    /// Any other failed request.
    "voice:rtc:error" => RtcError(ErrorBody),
}
