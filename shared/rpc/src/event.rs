//! Room events: the node writes them, the control-plane reads them.

use super::command::{decode_limits, encode_limits, millis};
use super::error::WireError;
use super::field::{decode_layers, encode_layers, from_json, from_word, id, layer, name, to_json, to_word};
use super::proto::{self, room_event::Event as Message};
use railgun_protocol::ids::{ChannelId, ProducerId, SessionId, UserId};
use railgun_protocol::media_rpc::{Audience, Event, RoomEvent};
use std::time::Duration;

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

fn encode(event: Event) -> Message {
    match event {
        Event::ParticipantJoined(participant) => Message::ParticipantJoinedJson(to_json(&participant)),
        Event::ParticipantLeft { user, session } => Message::ParticipantLeft(proto::OfSession {
            user: user.to_string(),
            session: session.to_string(),
        }),
        Event::ParticipantState { user, session, muted, deafened, speaking, reconnecting } => {
            Message::ParticipantState(proto::ParticipantState {
                user: user.to_string(),
                session: session.to_string(),
                muted,
                deafened,
                speaking,
                reconnecting,
            })
        }
        Event::NewProducer { producer, user, session, kind, source, paused } => {
            Message::NewProducer(proto::NewProducer {
                producer: producer.to_string(),
                user: user.to_string(),
                session: session.to_string(),
                kind: to_word(kind),
                source: to_word(source),
                paused,
            })
        }
        Event::ProducerPaused { producer, user, session } => {
            Message::ProducerPaused(encode_changed(producer, &user, session, None))
        }
        Event::ProducerResumed { producer, user, session } => {
            Message::ProducerResumed(encode_changed(producer, &user, session, None))
        }
        Event::ProducerClosed { producer, user, session, reason } => {
            Message::ProducerClosed(encode_changed(producer, &user, session, reason))
        }
        Event::ConsumerClosed { consumer, reason } => {
            Message::ConsumerClosed(proto::ConsumerClosed { consumer: consumer.to_string(), reason })
        }
        Event::ProducerScore { producer, score } => Message::ProducerScore(proto::ProducerScore {
            producer: producer.to_string(),
            score: score.into(),
        }),
        Event::ConsumerScore { consumer, score } => Message::ConsumerScore(proto::ConsumerScore {
            consumer: consumer.to_string(),
            score: score.into(),
        }),
        Event::ConsumerLayers { consumer, layers } => {
            Message::ConsumerLayers(encode_layers(consumer, layers))
        }
        Event::ProducerLayers { producer, max_spatial } => Message::ProducerLayers(proto::ProducerLayers {
            producer: producer.to_string(),
            max_spatial: max_spatial.map(Into::into),
        }),
        Event::TransportState { transport, ice, dtls } => Message::TransportState(proto::TransportState {
            transport: transport.to_string(),
            ice: to_word(ice),
            dtls: to_word(dtls),
        }),
        Event::Kicked { reason, banned_for } => {
            Message::Kicked(proto::Kicked { reason, banned_for_ms: banned_for.map(millis) })
        }
        Event::Superseded => Message::Superseded(proto::Empty {}),
        Event::Permissions { permissions, limits, reason } => Message::Permissions(proto::Permissions {
            permissions_json: to_json(&permissions),
            limits: Some(encode_limits(limits)),
            reason: to_word(reason),
        }),
        Event::VideoQueue { source, position, current, max } => Message::VideoQueue(proto::VideoQueue {
            source: to_word(source),
            position: position.into(),
            current: current.into(),
            max: max.into(),
        }),
        Event::VideoGranted { source, hold } => {
            Message::VideoGranted(proto::VideoGranted { source: to_word(source), hold_ms: millis(hold) })
        }
        Event::Muted { reason, strikes } => {
            Message::Muted(proto::Muted { reason: to_word(reason), strikes: strikes.into() })
        }
        Event::ActiveSpeaker(speaker) => Message::ActiveSpeakerJson(to_json(&speaker)),
        Event::AudioLevels(levels) => Message::AudioLevelsJson(to_json(&levels)),
        Event::Rejoin { reason } => Message::Rejoin(proto::Rejoin { reason: to_word(reason) }),
        Event::RoomClosed => Message::RoomClosed(proto::RoomClosed {}),
    }
}

fn encode_changed(
    producer: ProducerId,
    user: &UserId,
    session: SessionId,
    reason: Option<String>,
) -> proto::ProducerChanged {
    proto::ProducerChanged {
        producer: producer.to_string(),
        user: user.to_string(),
        session: session.to_string(),
        reason,
    }
}

pub(super) fn decode(event: proto::RoomEvent) -> Result<RoomEvent, WireError> {
    let audience = match (event.except, event.only) {
        (None, None) => Audience::Everyone,
        (Some(session), None) => Audience::Except(id("except", &session)?),
        (None, Some(session)) => Audience::Only(id("only", &session)?),
        (Some(_), Some(_)) => return Err(WireError::Audience),
    };
    Ok(RoomEvent {
        channel: name("channel", event.channel, ChannelId::new)?,
        epoch: event.epoch,
        room_seq: event.room_seq,
        audience,
        event: decode_event(event.event.ok_or(WireError::Missing("event"))?)?,
    })
}

fn decode_event(message: Message) -> Result<Event, WireError> {
    Ok(match message {
        Message::ParticipantJoinedJson(json) => {
            Event::ParticipantJoined(from_json("participant_joined_json", &json)?)
        }
        Message::ParticipantLeft(of) => Event::ParticipantLeft {
            user: name("user", of.user, UserId::new)?,
            session: id("session", &of.session)?,
        },
        Message::ParticipantState(state) => Event::ParticipantState {
            user: name("user", state.user, UserId::new)?,
            session: id("session", &state.session)?,
            muted: state.muted,
            deafened: state.deafened,
            speaking: state.speaking,
            reconnecting: state.reconnecting,
        },
        Message::NewProducer(new) => Event::NewProducer {
            producer: id("producer", &new.producer)?,
            user: name("user", new.user, UserId::new)?,
            session: id("session", &new.session)?,
            kind: from_word("kind", &new.kind)?,
            source: from_word("source", &new.source)?,
            paused: new.paused,
        },
        Message::ProducerPaused(changed) => {
            let (producer, user, session) = decode_changed(changed)?;
            Event::ProducerPaused { producer, user, session }
        }
        Message::ProducerResumed(changed) => {
            let (producer, user, session) = decode_changed(changed)?;
            Event::ProducerResumed { producer, user, session }
        }
        Message::ProducerClosed(mut changed) => {
            let reason = changed.reason.take();
            let (producer, user, session) = decode_changed(changed)?;
            Event::ProducerClosed { producer, user, session, reason }
        }
        Message::ConsumerClosed(closed) => {
            Event::ConsumerClosed { consumer: id("consumer", &closed.consumer)?, reason: closed.reason }
        }
        Message::ProducerScore(of) => {
            Event::ProducerScore { producer: id("producer", &of.producer)?, score: score(of.score)? }
        }
        Message::ConsumerScore(of) => {
            Event::ConsumerScore { consumer: id("consumer", &of.consumer)?, score: score(of.score)? }
        }
        Message::ConsumerLayers(of) => {
            let (consumer, layers) = decode_layers(&of)?;
            Event::ConsumerLayers { consumer, layers }
        }
        Message::ProducerLayers(of) => Event::ProducerLayers {
            producer: id("producer", &of.producer)?,
            max_spatial: layer("max_spatial", of.max_spatial)?,
        },
        Message::TransportState(state) => Event::TransportState {
            transport: id("transport", &state.transport)?,
            ice: from_word("ice", &state.ice)?,
            dtls: from_word("dtls", &state.dtls)?,
        },
        Message::Kicked(kicked) => Event::Kicked {
            reason: kicked.reason,
            banned_for: kicked.banned_for_ms.map(Duration::from_millis),
        },
        Message::Superseded(proto::Empty {}) => Event::Superseded,
        Message::Permissions(of) => Event::Permissions {
            permissions: from_json("permissions_json", &of.permissions_json)?,
            limits: decode_limits(of.limits)?,
            reason: from_word("reason", &of.reason)?,
        },
        Message::VideoQueue(of) => Event::VideoQueue {
            source: from_word("source", &of.source)?,
            position: small("position", of.position)?,
            current: small("current", of.current)?,
            max: small("max", of.max)?,
        },
        Message::VideoGranted(of) => Event::VideoGranted {
            source: from_word("source", &of.source)?,
            hold: Duration::from_millis(of.hold_ms),
        },
        Message::Muted(of) => {
            Event::Muted { reason: from_word("reason", &of.reason)?, strikes: small("strikes", of.strikes)? }
        }
        Message::ActiveSpeakerJson(json) => Event::ActiveSpeaker(from_json("active_speaker_json", &json)?),
        Message::AudioLevelsJson(json) => Event::AudioLevels(from_json("audio_levels_json", &json)?),
        Message::Rejoin(of) => Event::Rejoin { reason: from_word("reason", &of.reason)? },
        Message::RoomClosed(proto::RoomClosed {}) => Event::RoomClosed,
    })
}

fn small<T: TryFrom<u32>>(field: &'static str, number: u32) -> Result<T, WireError> {
    T::try_from(number).map_err(|_| WireError::OutOfRange(field))
}

fn score(score: u32) -> Result<u8, WireError> {
    u8::try_from(score).ok().filter(|score| *score <= 10).ok_or(WireError::OutOfRange("score"))
}

fn decode_changed(changed: proto::ProducerChanged) -> Result<(ProducerId, UserId, SessionId), WireError> {
    Ok((
        id("producer", &changed.producer)?,
        name("user", changed.user, UserId::new)?,
        id("session", &changed.session)?,
    ))
}
