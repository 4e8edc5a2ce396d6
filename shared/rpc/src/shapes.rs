//! The contract's enums and structs as enums and messages of `media.proto`. Each line names the fields of
//! both: a field that only one side has does not compile.

use super::error::WireError;
use super::field::Field;
use super::proto;
use railgun_protocol::ids::TransportId;
use railgun_protocol::media_rpc::{
    ConsumerDescription, EncryptionRule, Grant, LeaveReason, MissedMessage, OwnState, Replacement, Rights,
    RoomSnapshot, Slot, SlotState,
};
use railgun_protocol::plan::{Permissions, RoomLimits};
use railgun_protocol::rtp_parameters::{MediaKind, StreamType};
use railgun_protocol::signal::{
    AppData, AudioLevel, ConsumerCloseReason, ConsumerInfo, ConsumerLayers, ConsumerStats, E2eeMessageKind,
    Encryption, ErrorBody, ErrorCode, GrantReason, MuteReason, Participant, ProducerCloseReason,
    ProducerInfo, ProducerStats, ProducerStreamStats, RejoinReason, Source, Speaker, StateUpdate, Stats,
    TrafficStats, TransportStats, VideoSource,
};
use railgun_protocol::transport_parameters::{DtlsState, IceState, TransportDirection};

/// A word of the contract; 0 and what is unknown to this version are refused.
macro_rules! words {
    ($($type:ident { $($word:ident),* $(,)? })*) => {$(
        impl Field<i32> for $type {
            fn to_wire(self) -> i32 {
                match self {
                    $(Self::$word => proto::$type::$word.into(),)*
                }
            }

            fn from_wire(wire: i32, name: &'static str) -> Result<Self, WireError> {
                match proto::$type::try_from(wire) {
                    $(Ok(proto::$type::$word) => Ok(Self::$word),)*
                    Ok(proto::$type::Unspecified) | Err(_) => Err(WireError::UnknownWord(name)),
                }
            }
        }
    )*};
}

words! {
    MediaKind { Audio, Video }
    Source { Mic, Camera, Screen, ScreenAudio }
    VideoSource { Camera, Screen }
    TransportDirection { Send, Recv }
    StreamType { Simple, Simulcast, Svc }
    IceState { New, Connected, Completed, Disconnected, Closed }
    DtlsState { New, Connecting, Connected, Failed, Closed }
    LeaveReason { Left, Lost }
    GrantReason { Expired, Revoked, Upgraded, Refreshed }
    MuteReason { NoiseLoop, Admin }
    ProducerCloseReason { Bitrate }
    ConsumerCloseReason { ProducerClosed, TransportClosed, Replaced }
    E2eeMessageKind { Proposal, Commit, Welcome, GroupInfo }
    RejoinReason { NodeLost, NodeDraining, WorkerDied, EncryptionChanged }
    ErrorCode {
        ChannelNotFound, ChannelFull, PermissionDenied, CapabilityRequired, TransportFailed, Unauthorized,
        TokenExpired, NotFound, InvalidPayload, InvalidState, RateLimited, VideoLimitReached,
        UnsupportedCodec, NodeUnavailable, ResumeFailed, Internal,
    }
}

/// Of versions that do not know the word, everything is encrypted to the node and no further.
impl Field<i32> for Encryption {
    fn to_wire(self) -> i32 {
        match self {
            Self::Transport => proto::Encryption::Transport.into(),
            Self::EndToEnd => proto::Encryption::EndToEnd.into(),
        }
    }

    fn from_wire(wire: i32, name: &'static str) -> Result<Self, WireError> {
        match proto::Encryption::try_from(wire) {
            Ok(proto::Encryption::Unspecified | proto::Encryption::Transport) => Ok(Self::Transport),
            Ok(proto::Encryption::EndToEnd) => Ok(Self::EndToEnd),
            Err(_) => Err(WireError::UnknownWord(name)),
        }
    }
}

impl Field<Option<proto::EncryptionRule>> for EncryptionRule {
    fn to_wire(self) -> Option<proto::EncryptionRule> {
        let Self { encryption, revision } = self;
        Some(proto::EncryptionRule { encryption: encryption.to_wire(), revision })
    }

    fn from_wire(wire: Option<proto::EncryptionRule>, name: &'static str) -> Result<Self, WireError> {
        let proto::EncryptionRule { encryption, revision } = wire.unwrap_or_default();
        Ok(Self { encryption: Field::from_wire(encryption, name)?, revision })
    }
}

/// A message that is absent is refused, unless the value is an `Option`.
macro_rules! required {
    ($type:ty: $message:ty) => {
        impl Field<Option<$message>> for $type {
            fn to_wire(self) -> Option<$message> {
                Some(self.to_wire())
            }

            fn from_wire(wire: Option<$message>, name: &'static str) -> Result<Self, WireError> {
                Self::from_wire(wire.ok_or(WireError::Missing(name))?, name)
            }
        }
    };
}

/// A struct and its message.
macro_rules! messages {
    ($($type:ident => $message:ident { $($field:ident),* $(,)? })*) => {$(
        impl Field<proto::$message> for $type {
            fn to_wire(self) -> proto::$message {
                let Self { $($field),* } = self;
                proto::$message { $($field: $field.to_wire()),* }
            }

            fn from_wire(wire: proto::$message, _: &'static str) -> Result<Self, WireError> {
                let proto::$message { $($field),* } = wire;
                Ok(Self { $($field: Field::from_wire($field, stringify!($field))?),* })
            }
        }

        required!($type: proto::$message);
    )*};
}

messages! {
    Permissions => Permissions { audio, video, screenshare, max_bitrate }
    RoomLimits => RoomLimits { participants, video_publishers }
    Grant => Grant { permissions, video_until, relay_only }
    Rights => Rights { grant, limits }
    StateUpdate => StateUpdate { muted, deafened, speaking }
    ConsumerLayers => Layers { spatial_layer, temporal_layer }
    AppData => AppData { source }
    ProducerInfo => ProducerInfo { producer_id, kind, app_data, paused }
    ConsumerInfo => ConsumerInfo { consumer_id, producer_id, kind, paused, producer_paused }
    Participant => Participant {
        user_id, session_id, name, avatar, muted, deafened, speaking, reconnecting, producers,
    }
    RoomSnapshot => RoomSnapshot { room_seq, participants, attachment, encryption }
    OwnState => OwnState { transports, producers, consumers, slots, rights, missed }
    MissedMessage => MissedMessage { room_seq, user, session, kind, epoch, data }
    ConsumerDescription => ConsumerDescription {
        consumer, producer, user, session, kind, source, stream_type, rtp_parameters, producer_paused,
    }
    ErrorBody => Refusal { code, message, details, fatal }
    Replacement => Replacement { device, by, asked_at }
    Speaker => Speaker { user_id, session_id }
    AudioLevel => AudioLevel { session_id, level }
    Stats => Stats { transports, producers, consumers }
    TrafficStats => Traffic { packets, bytes, bitrate }
    TransportStats => TransportStats {
        transport_id, direction, ice, dtls, received, sent, round_trip_ms, available_bitrate,
    }
    ProducerStats => ProducerStats {
        producer_id, kind, source, stream_type, paused, score, max_spatial_layer, policed_packets, streams,
    }
    ProducerStreamStats => ProducerStreamStats {
        ssrc, rtx_ssrc, rid, encoding, received, score, packets_lost, fraction_lost, jitter_ms,
        delay_ms, nacked_packets, repaired_packets, plis, highest_spatial_layer, highest_temporal_layer,
    }
    ConsumerStats => ConsumerStats {
        consumer_id, producer_id, kind, ssrc, rtx_ssrc, paused, producer_paused, priority, score, sent,
        resent, nacked_packets, plis, packets_lost, skipped_packets, fraction_lost, jitter_ms,
        current_layers, preferred_layers,
    }
}

impl Field<proto::SlotState> for SlotState {
    fn to_wire(self) -> proto::SlotState {
        let slot = match self.slot {
            Slot::Used => proto::slot_state::Slot::Used(proto::Empty {}),
            Slot::Held(left) => proto::slot_state::Slot::Held(left.to_wire()),
            Slot::Waiting(place) => proto::slot_state::Slot::Waiting(place.to_wire()),
        };
        proto::SlotState { slot: Some(slot), current: self.current.to_wire(), max: self.max.to_wire() }
    }

    fn from_wire(wire: proto::SlotState, _: &'static str) -> Result<Self, WireError> {
        let slot = match wire.slot.ok_or(WireError::Missing("slot"))? {
            proto::slot_state::Slot::Used(proto::Empty {}) => Slot::Used,
            proto::slot_state::Slot::Held(left) => Slot::Held(Field::from_wire(left, "held")?),
            proto::slot_state::Slot::Waiting(place) => Slot::Waiting(Field::from_wire(place, "waiting")?),
        };
        let (current, max) = (wire.current, wire.max);
        Ok(Self { slot, current: Field::from_wire(current, "current")?, max: Field::from_wire(max, "max")? })
    }
}
required!(SlotState: proto::SlotState);

impl Field<proto::OwnTransport> for (TransportDirection, TransportId) {
    fn to_wire(self) -> proto::OwnTransport {
        proto::OwnTransport { direction: self.0.to_wire(), transport: self.1.to_wire() }
    }

    fn from_wire(wire: proto::OwnTransport, _: &'static str) -> Result<Self, WireError> {
        Ok((Field::from_wire(wire.direction, "direction")?, Field::from_wire(wire.transport, "transport")?))
    }
}

impl Field<proto::OwnSlot> for (VideoSource, SlotState) {
    fn to_wire(self) -> proto::OwnSlot {
        proto::OwnSlot { source: self.0.to_wire(), state: self.1.to_wire() }
    }

    fn from_wire(wire: proto::OwnSlot, _: &'static str) -> Result<Self, WireError> {
        Ok((Field::from_wire(wire.source, "source")?, Field::from_wire(wire.state, "state")?))
    }
}
