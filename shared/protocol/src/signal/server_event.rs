//! Server → client: replies and room events, and the names they travel under.

use super::client_event::ConsumerLayers;
use super::data_message::{DataKind, DataPayload};
use super::encryption::{E2eeData, E2eeMessageKind, Encryption};
use super::error_code::ErrorBody;
use super::reason::{ConsumerCloseReason, KickReason, ProducerCloseReason, RingEndReason};
use super::source::{Source, VideoSource};
use super::stats::Stats;
use crate::ids::{ChannelId, ConsumerId, ProducerId, SessionId, TransportId, UserId};
use crate::plan::{Permissions, RoomLimits};
use crate::rtp_parameters::{MediaKind, RtpCapabilities, RtpParameters, StreamType};
use crate::transport_parameters::{
    DtlsState, IceParameters, IceState, TransportDirection, TransportParameters,
};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU8;

/// `appData`: of what the client sent, only the source is relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct AppData {
    pub source: Source,
}

/// A producer as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ProducerInfo {
    pub producer_id: ProducerId,
    pub kind: MediaKind,
    pub app_data: AppData,
    pub paused: bool,
}

/// A participant as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "ParticipantInfo", optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    pub user_id: UserId,
    pub session_id: SessionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub muted: bool,
    pub deafened: bool,
    pub speaking: bool,
    /// It lost its socket longer than 15 s ago and its media goes on. Written only if so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>", optional))]
    pub reconnecting: bool,
    pub producers: Vec<ProducerInfo>,
}

/// A user who is in a channel, as whoever watches it is told: on several devices the user is one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ChannelPerson {
    pub user_id: UserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// On every device.
    pub muted: bool,
    /// The same.
    pub deafened: bool,
}

/// A consumer as its owner left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ConsumerInfo {
    pub consumer_id: ConsumerId,
    pub producer_id: ProducerId,
    pub kind: MediaKind,
    pub paused: bool,
    pub producer_paused: bool,
}

/// A video slot held and not yet used, or a place in the queue for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct QueuePlace {
    pub source: VideoSource,
    pub granted: bool,
    /// Until when a grant is held, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// In the queue, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u16>,
    pub current: u16,
    pub max: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct Speaker {
    pub user_id: UserId,
    pub session_id: SessionId,
}

/// How loud someone is, in dBov: 0 is the loudest, -127 silence (RFC 6464).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct AudioLevel {
    pub session_id: SessionId,
    pub level: i8,
}

/// Why somebody's permissions are told anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum GrantReason {
    Expired,
    Revoked,
    Upgraded,
    Refreshed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum MuteReason {
    NoiseLoop,
    Admin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum RejoinReason {
    NodeLost,
    NodeDraining,
    WorkerDied,
    /// An operator changed how the channel is encrypted.
    EncryptionChanged,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct RtcConfig {
    pub ice_servers: Vec<IceServer>,
    pub ice_transport_policy: IceTransportPolicy,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct IceServer {
    pub urls: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum IceTransportPolicy {
    #[default]
    All,
    Relay,
}

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
    "voice:joined" => Joined {
        channel_id: ChannelId,
        /// The channel is a DM, whose other members can be called. Written only if so.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[cfg_attr(test, ts(as = "Option<bool>", optional))]
        dm: bool,
        session_id: SessionId,
        sfu_endpoint: String,
        participants: Vec<Participant>,
        permissions: Permissions,
        limits: RoomLimits,
        rtc_config: RtcConfig,
        #[serde(skip_serializing_if = "Option::is_none")]
        turn_credential_expires_at: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        resume_token: Option<String>,
        /// What holds for everybody in the room until it ends.
        encryption: Encryption,
        room_seq: u64,
    },
    "voice:left" => Left {
        channel_id: ChannelId,
    },
    "voice:routerRtpCapabilities" => RouterRtpCapabilities {
        rtp_capabilities: RtpCapabilities,
    },
    "voice:transportCreated" => TransportCreated {
        direction: TransportDirection,
        transport_id: TransportId,
        /// The same; mediasoup-client's `createSendTransport` takes the reply as it is.
        id: TransportId,
        #[serde(flatten)]
        parameters: TransportParameters,
    },
    "voice:transportConnected" => TransportConnected {
        transport_id: TransportId,
    },
    "voice:produced" => Produced {
        id: ProducerId,
        producer_id: ProducerId,
        kind: MediaKind,
        app_data: AppData,
    },
    "voice:consumed" => Consumed {
        id: ConsumerId,
        consumer_id: ConsumerId,
        producer_id: ProducerId,
        user_id: UserId,
        session_id: SessionId,
        kind: MediaKind,
        #[serde(rename = "type")]
        stream_type: StreamType,
        rtp_parameters: RtpParameters,
        producer_paused: bool,
        app_data: AppData,
    },
    "voice:consumerPaused" => ConsumerPaused {
        consumer_id: ConsumerId,
    },
    "voice:consumerResumed" => ConsumerResumed {
        consumer_id: ConsumerId,
    },
    "voice:preferredLayersSet" => PreferredLayersSet {
        consumer_id: ConsumerId,
        #[serde(flatten)]
        layers: ConsumerLayers,
    },
    "voice:keyFrameRequested" => KeyFrameRequested {
        consumer_id: ConsumerId,
    },
    "voice:iceRestarted" => IceRestarted {
        transport_id: TransportId,
        ice_parameters: IceParameters,
    },
    "voice:prioritySet" => PrioritySet {
        consumer_id: ConsumerId,
        priority: NonZeroU8,
    },
    "voice:stats" => Stats(Box<Stats>),
    "voice:turn" => Turn {
        ice_servers: Vec<IceServer>,
        #[serde(skip_serializing_if = "Option::is_none")]
        turn_credential_expires_at: Option<String>,
    },
    /// As [`QueuePlace`], for the source that was asked for.
    "voice:video:slot" => VideoSlot {
        granted: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        position: Option<u16>,
        current: u16,
        max: u16,
    },
    "voice:video:slotReleased" => VideoSlotReleased {
        source: VideoSource,
    },
    /// Who is in the channel, longest there first; `voice:channel:people` follows with each change.
    "voice:channel:watched" => ChannelWatched {
        channel_id: ChannelId,
        people: Vec<ChannelPerson>,
    },
    /// No `voice:channel:people` of this channel follows. Also unasked, when the user may no longer join it.
    "voice:channel:unwatched" => ChannelUnwatched {
        channel_id: ChannelId,
    },
    /// A socket that took up a session again: everything as it stands.
    "voice:resumed" => Resumed {
        session_id: SessionId,
        resume_token: String,
        channel_id: ChannelId,
        participants: Vec<Participant>,
        /// The session's own.
        producers: Vec<ProducerInfo>,
        consumers: Vec<ConsumerInfo>,
        permissions: Permissions,
        limits: RoomLimits,
        queue: Vec<QueuePlace>,
        /// As it was when the session joined. Messages of key agreement that the session may have missed follow.
        encryption: Encryption,
        room_seq: u64,
    },

    // Replies to the producer's owner, and room events to everybody else, then with whose producer it is and
    // its place in the room's order.
    "voice:producerPaused" => ProducerPaused {
        producer_id: ProducerId,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        room_seq: Option<u64>,
    },
    "voice:producerResumed" => ProducerResumed {
        producer_id: ProducerId,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        room_seq: Option<u64>,
    },
    "voice:producerClosed" => ProducerClosed {
        producer_id: ProducerId,
        user_id: UserId,
        /// Why, if its owner did not ask for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<ProducerCloseReason>,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        room_seq: Option<u64>,
    },

    // Room events.
    "voice:participant:joined" => ParticipantJoined {
        #[serde(flatten)]
        participant: Participant,
        room_seq: u64,
    },
    "voice:participant:left" => ParticipantLeft {
        user_id: UserId,
        session_id: SessionId,
        room_seq: u64,
    },
    "voice:participant:state" => ParticipantState {
        user_id: UserId,
        session_id: SessionId,
        muted: bool,
        deafened: bool,
        speaking: bool,
        /// As in [`Participant`]; a client that does not know it loses nothing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[cfg_attr(test, ts(as = "Option<bool>", optional))]
        reconnecting: bool,
        room_seq: u64,
    },
    "voice:newProducer" => NewProducer {
        producer_id: ProducerId,
        user_id: UserId,
        session_id: SessionId,
        kind: MediaKind,
        app_data: AppData,
        paused: bool,
        room_seq: u64,
    },

    /// A message of another client. One that is for this session alone has the `roomSeq` of the event before.
    "voice:data" => Data {
        user_id: UserId,
        session_id: SessionId,
        kind: DataKind,
        payload: DataPayload,
        room_seq: u64,
    },
    /// The same of key agreement. Those that come again after a resume have the `roomSeq` of the first time.
    "voice:e2ee:message" => E2eeMessage {
        user_id: UserId,
        session_id: SessionId,
        kind: E2eeMessageKind,
        epoch: u64,
        data: E2eeData,
        room_seq: u64,
    },

    // To one session.
    "voice:consumerClosed" => ConsumerClosed {
        consumer_id: ConsumerId,
        reason: ConsumerCloseReason,
    },
    /// How well it comes through, from 0 (not at all) to 10; to the one who sends it.
    "voice:producerScore" => ProducerScore {
        producer_id: ProducerId,
        score: u8,
    },
    /// The same on its last stretch, to the one who receives it.
    "voice:consumerScore" => ConsumerScore {
        consumer_id: ConsumerId,
        score: u8,
    },
    /// What is being forwarded; none while a consumer waits for a key frame or is paused.
    "voice:consumerLayers" => ConsumerLayers {
        consumer_id: ConsumerId,
        #[cfg_attr(test, ts(optional = false))]
        layers: Option<ConsumerLayers>,
    },
    /// The highest spatial layer that anyone receives or wants of a video; none: nobody. To the one who
    /// sends it, who may save the rest.
    "voice:producerLayers" => ProducerLayers {
        producer_id: ProducerId,
        #[cfg_attr(test, ts(optional = false))]
        max_spatial_layer: Option<u8>,
    },
    "voice:rtc:transportState" => TransportState {
        transport_id: TransportId,
        ice: IceState,
        dtls: DtlsState,
    },
    /// What the session may send from now on; the reply to a refreshed token as well.
    "voice:permissions" => Permissions {
        permissions: Permissions,
        limits: RoomLimits,
        reason: GrantReason,
    },
    /// A place in the queue for a video slot changed.
    "voice:video:queue" => VideoQueue {
        source: VideoSource,
        position: u16,
        current: u16,
        max: u16,
    },
    /// A slot is held for this session until then (RFC 3339).
    "voice:video:granted" => VideoGranted {
        source: VideoSource,
        expires_at: String,
    },
    "voice:muted" => Muted {
        reason: MuteReason,
        strikes: u8,
    },
    "voice:kicked" => Kicked {
        reason: KickReason,
        /// Joining is refused until then (RFC 3339).
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    },
    /// Who is heard most; none: nobody speaks.
    "voice:activeSpeaker" => ActiveSpeaker(Option<Speaker>),
    "voice:audioLevels" => AudioLevels(Vec<AudioLevel>),
    /// To whoever watches the channel: everybody who is in it now.
    "voice:channel:people" => ChannelPeople {
        channel_id: ChannelId,
        people: Vec<ChannelPerson>,
    },
    /// Somebody calls the user, who answers by joining the channel. To every socket of the user.
    "voice:ringing" => Ringing {
        channel_id: ChannelId,
        from: UserId,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// RFC 3339.
        expires_at: String,
    },
    /// A call rings no more: one to the user, or, with whom it rang, the session's own.
    "voice:ring:ended" => RingEnded {
        channel_id: ChannelId,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        reason: RingEndReason,
    },
    "voice:rejoin" => Rejoin {
        reason: RejoinReason,
        retry_after_ms: u64,
    },

    /// A failed join or resume.
    "voice:error" => Error(ErrorBody),
    /// Any other failed request.
    "voice:rtc:error" => RtcError(ErrorBody),
}
