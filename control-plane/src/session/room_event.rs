//! What a room says unasked, as the client hears it.

use super::rejoin::rejoin_after;
use crate::clock::rfc3339;
use railgun_protocol::media_rpc::{Event, RoomEvent};
use railgun_protocol::signal::{AppData, RejoinReason, ServerEvent};
use std::time::SystemTime;

/// One room's people alone join again: a drained node's rooms go one after the other.
const MOVED_SPREAD_MS: u64 = 250;

/// None: it is nothing to a client. `people`: sessions of this replica, any of whom may have lost its room
/// at the same time.
pub(super) fn room_event(event: RoomEvent, people: usize, now: SystemTime) -> Option<ServerEvent> {
    let RoomEvent { room_seq, event, .. } = event;
    Some(match event {
        Event::ParticipantJoined(participant) => {
            ServerEvent::ParticipantJoined { participant: *participant, room_seq }
        }
        Event::ParticipantLeft { user, session } => {
            ServerEvent::ParticipantLeft { user_id: user, session_id: session, room_seq }
        }
        Event::ParticipantState { user, session, muted, deafened, speaking, reconnecting } => {
            ServerEvent::ParticipantState {
                user_id: user,
                session_id: session,
                muted,
                deafened,
                speaking,
                reconnecting,
                room_seq,
            }
        }
        Event::NewProducer { producer, user, session, kind, source, paused } => ServerEvent::NewProducer {
            producer_id: producer,
            user_id: user,
            session_id: session,
            kind,
            app_data: AppData { source },
            paused,
            room_seq,
        },
        Event::ProducerPaused { producer, user, session } => ServerEvent::ProducerPaused {
            producer_id: producer,
            user_id: Some(user),
            session_id: Some(session),
            room_seq: Some(room_seq),
        },
        Event::ProducerResumed { producer, user, session } => ServerEvent::ProducerResumed {
            producer_id: producer,
            user_id: Some(user),
            session_id: Some(session),
            room_seq: Some(room_seq),
        },
        Event::ProducerClosed { producer, user, session, reason } => ServerEvent::ProducerClosed {
            producer_id: producer,
            user_id: user,
            reason,
            session_id: Some(session),
            room_seq: Some(room_seq),
        },
        Event::ConsumerClosed { consumer, reason } => {
            ServerEvent::ConsumerClosed { consumer_id: consumer, reason }
        }
        Event::ProducerScore { producer, score } => {
            ServerEvent::ProducerScore { producer_id: producer, score }
        }
        Event::ConsumerScore { consumer, score } => {
            ServerEvent::ConsumerScore { consumer_id: consumer, score }
        }
        Event::ConsumerLayers { consumer, layers } => {
            ServerEvent::ConsumerLayers { consumer_id: consumer, layers }
        }
        Event::ProducerLayers { producer, max_spatial } => {
            ServerEvent::ProducerLayers { producer_id: producer, max_spatial_layer: max_spatial }
        }
        Event::TransportState { transport, ice, dtls } => {
            ServerEvent::TransportState { transport_id: transport, ice, dtls }
        }
        Event::Kicked { reason, banned_for } => {
            ServerEvent::Kicked { reason, until: banned_for.map(|duration| rfc3339(now + duration)) }
        }
        Event::Permissions { permissions, limits, reason } => {
            ServerEvent::Permissions { permissions, limits, reason }
        }
        Event::VideoQueue { source, position, current, max } => {
            ServerEvent::VideoQueue { source, position, current, max }
        }
        Event::VideoGranted { source, hold } => {
            ServerEvent::VideoGranted { source, expires_at: rfc3339(now + hold) }
        }
        Event::Muted { reason, strikes } => ServerEvent::Muted { reason, strikes },
        Event::Data { user, session, kind, payload } => {
            ServerEvent::Data { user_id: user, session_id: session, kind, payload, room_seq }
        }
        Event::E2eeMessage { user, session, kind, epoch, data } => {
            ServerEvent::E2eeMessage { user_id: user, session_id: session, kind, epoch, data, room_seq }
        }
        Event::ActiveSpeaker(speaker) => ServerEvent::ActiveSpeaker(speaker),
        Event::AudioLevels(levels) => ServerEvent::AudioLevels(levels),
        Event::Rejoin { reason } => {
            let retry_after_ms = match reason {
                RejoinReason::NodeDraining | RejoinReason::EncryptionChanged => {
                    rand::random_range(0..=MOVED_SPREAD_MS)
                }
                RejoinReason::NodeLost | RejoinReason::WorkerDied => rejoin_after(people),
            };
            ServerEvent::Rejoin { reason, retry_after_ms }
        }
        Event::Superseded | Event::RoomClosed => return None,
    })
}
