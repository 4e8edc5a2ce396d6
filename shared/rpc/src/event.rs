//! Room events: the node writes them, the control-plane reads them.

use super::error::WireError;
use super::field::Field;
use super::proto::{self, room_event::Event as Message};
use super::variants::variants;
use railgun_protocol::media_rpc::{Audience, Event, RoomEvent};

/// A room event as a frame of the node's stream.
pub fn encode_event(event: RoomEvent) -> proto::NodeFrame {
    let (except, only) = match event.audience {
        Audience::Everyone => (None, None),
        Audience::Except(session) => (Some(session.to_string()), None),
        Audience::Only(session) => (None, Some(session.to_string())),
    };
    let event = proto::RoomEvent {
        channel: event.channel.to_string(),
        epoch: event.epoch,
        room_seq: event.room_seq,
        except,
        only,
        event: Some(encode(event.event)),
    };
    proto::NodeFrame { frame: Some(proto::node_frame::Frame::Event(event)) }
}

pub(super) fn decode_room_event(event: proto::RoomEvent) -> Result<RoomEvent, WireError> {
    let audience = match (event.except, event.only) {
        (None, None) => Audience::Everyone,
        (Some(session), None) => Audience::Except(Field::from_wire(session, "except")?),
        (None, Some(session)) => Audience::Only(Field::from_wire(session, "only")?),
        (Some(_), Some(_)) => return Err(WireError::Audience),
    };
    Ok(RoomEvent {
        channel: Field::from_wire(event.channel, "channel")?,
        epoch: event.epoch,
        room_seq: event.room_seq,
        audience,
        event: decode(event.event.ok_or(WireError::Missing("event"))?)?,
    })
}

variants! { Event => Message {
    ParticipantJoined(participant) => ParticipantJoined,
    ParticipantLeft { user, session } => OfSession,
    ParticipantState { user, session, muted, deafened, speaking, reconnecting } => ParticipantState,
    NewProducer { producer, user, session, kind, source, paused } => NewProducer,
    ProducerPaused { producer, user, session } => ProducerChanged,
    ProducerResumed { producer, user, session } => ProducerChanged,
    ProducerClosed { producer, user, session, reason } => ProducerClosed,
    ConsumerClosed { consumer, reason } => ConsumerClosed,
    ProducerScore { producer, score } => ProducerScore,
    ConsumerScore { consumer, score } => ConsumerScore,
    ConsumerLayers { consumer, layers } => ConsumerLayersChanged,
    ProducerLayers { producer, max_spatial } => ProducerLayers,
    TransportState { transport, ice, dtls } => TransportState,
    Kicked { reason, banned_for } => Kick,
    Superseded => Empty,
    Permissions { permissions, limits, reason } => PermissionsChanged,
    VideoQueue { source, position, current, max } => VideoQueue,
    VideoGranted { source, hold } => VideoGranted,
    Muted { reason, strikes } => Muted,
    Data { user, session, kind, payload } => Data,
    E2eeMessage { user, session, kind, epoch, data } => E2eeMessage,
    ActiveSpeaker(speaker) => ActiveSpeaker,
    AudioLevels(levels) => AudioLevels,
    Rejoin { reason } => Rejoin,
    RoomClosed => Empty,
} }
