//! Events of a room, sent to all its sessions, to all but one, or to one.

use crate::ids::{ChannelId, ConsumerId, ProducerId, SessionId, TransportId, UserId};
use crate::plan::{Permissions, RoomLimits};
use crate::rtp_parameters::MediaKind;
use crate::signal::{
    AudioLevel, ConsumerCloseReason, ConsumerLayers, DataKind, DataPayload, E2eeData, E2eeMessageKind,
    GrantReason, KickReason, MuteReason, Participant, ProducerCloseReason, RejoinReason, Source, Speaker,
    VideoSource,
};
use crate::transport_parameters::{DtlsState, IceState};
use std::time::Duration;

/// Whom an event is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Each session in the room.
    Everyone,
    /// Everyone but this session, which has the reply or caused it.
    Except(SessionId),
    /// This session alone.
    Only(SessionId),
}

/// An event of one room, in the room's order.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomEvent {
    /// The channel's id.
    pub channel: ChannelId,
    /// The room's epoch: tells successive rooms of a channel apart.
    pub epoch: u64,
    /// Rises by one with each event that is not for one session alone.
    pub room_seq: u64,
    /// Whom it is for.
    pub audience: Audience,
    /// What happened.
    pub event: Event,
}

/// What happened in a room.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A session took a seat.
    ParticipantJoined(Box<Participant>),
    /// A session is gone, and all it had.
    ParticipantLeft {
        /// The user's id.
        user: UserId,
        /// The session's id.
        session: SessionId,
    },
    /// What a participant said of itself changed.
    ParticipantState {
        /// The user's id.
        user: UserId,
        /// The session's id.
        session: SessionId,
        /// The user turned the microphone off.
        muted: bool,
        /// The user hears nobody, by choice.
        deafened: bool,
        /// The user's voice is heard now.
        speaking: bool,
        /// The session lost its socket longer than [`crate::limits::RESUME_WINDOW`] ago; its media goes on.
        reconnecting: bool,
    },
    /// A producer was opened.
    NewProducer {
        /// The producer's id.
        producer: ProducerId,
        /// The user's id.
        user: UserId,
        /// The session's id.
        session: SessionId,
        /// `audio` or `video`.
        kind: MediaKind,
        /// What is captured: microphone, camera, screen or the screen's sound.
        source: Source,
        /// True while nothing of it is forwarded.
        paused: bool,
    },
    /// Nothing of the producer is forwarded.
    ProducerPaused {
        /// The producer's id.
        producer: ProducerId,
        /// The user's id.
        user: UserId,
        /// The session's id.
        session: SessionId,
    },
    /// The producer is forwarded again.
    ProducerResumed {
        /// The producer's id.
        producer: ProducerId,
        /// The user's id.
        user: UserId,
        /// The session's id.
        session: SessionId,
    },
    /// The producer and its consumers are gone.
    ProducerClosed {
        /// The producer's id.
        producer: ProducerId,
        /// The user's id.
        user: UserId,
        /// The session's id.
        session: SessionId,
        /// Why, if its owner did not ask for it.
        reason: Option<ProducerCloseReason>,
    },
    /// A consumer of the session is gone.
    ConsumerClosed {
        /// The consumer's id.
        consumer: ConsumerId,
        /// Why.
        reason: ConsumerCloseReason,
    },
    /// Reception score of a producer at the node, 0 (dead) to 10.
    ProducerScore {
        /// The producer's id.
        producer: ProducerId,
        /// How well it comes through, from 0 (not at all) to 10.
        score: u8,
    },
    /// Reception score of a consumer at its client, 0 (dead) to 10.
    ConsumerScore {
        /// The consumer's id.
        consumer: ConsumerId,
        /// How well it comes through, from 0 (not at all) to 10.
        score: u8,
    },
    /// Which layers a consumer gets from now on; none until the next key frame.
    ConsumerLayers {
        /// The consumer's id.
        consumer: ConsumerId,
        /// Spatial and temporal layer; none: nothing is sent.
        layers: Option<ConsumerLayers>,
    },
    /// The highest spatial layer that anyone receives or wants of a video; none: nobody.
    ProducerLayers {
        /// The producer's id.
        producer: ProducerId,
        /// Counted from 0.
        max_spatial: Option<u8>,
    },
    /// ICE or DTLS of a transport of the session changed.
    TransportState {
        /// The transport's id.
        transport: TransportId,
        /// State of the ICE connection.
        ice: IceState,
        /// State of the DTLS association.
        dtls: DtlsState,
    },
    /// The session is out of the room.
    Kicked {
        /// Why.
        reason: KickReason,
        /// For how long it must not come back.
        banned_for: Option<Duration>,
    },
    /// Another socket took the session up; this one is no longer its own.
    Superseded,
    /// What the session may send changed.
    Permissions {
        /// What the session may send.
        permissions: Permissions,
        /// How many people and how much video the room holds.
        limits: RoomLimits,
        /// Why they are told anew.
        reason: GrantReason,
    },
    /// The session's place in the queue for a video slot changed.
    VideoQueue {
        /// `camera` or `screen`.
        source: VideoSource,
        /// Place in the queue, from 1.
        position: u16,
        /// Video slots that are taken.
        current: u16,
        /// Video slots that the room has.
        max: u16,
    },
    /// A slot is held for the session for so long.
    VideoGranted {
        /// `camera` or `screen`.
        source: VideoSource,
        /// For how long.
        hold: Duration,
    },
    /// The session's microphone was paused by the room.
    Muted {
        /// Why.
        reason: MuteReason,
        /// How often this session was muted for that reason.
        strikes: u8,
    },
    /// A message of another client.
    Data {
        /// The user's id.
        user: UserId,
        /// The session's id.
        session: SessionId,
        /// What the message is about, as the application calls it.
        kind: DataKind,
        /// As its sender wrote it.
        payload: DataPayload,
    },
    /// A message of key agreement.
    E2eeMessage {
        /// The user's id.
        user: UserId,
        /// The session's id.
        session: SessionId,
        /// Proposal, commit, Welcome or GroupInfo.
        kind: E2eeMessageKind,
        /// Epoch of the MLS group.
        epoch: u64,
        /// The message of key agreement.
        data: E2eeData,
    },
    /// Does not move the room's sequence, as the levels do not.
    ActiveSpeaker(Option<Speaker>),
    /// How loud the loudest are. Does not move the room's sequence.
    AudioLevels(Vec<AudioLevel>),
    /// The room is gone from this node, and its people should join again.
    Rejoin {
        /// Why.
        reason: RejoinReason,
    },
    /// The last one left; the room is gone.
    RoomClosed,
}

impl RoomEvent {
    /// Whether it changes who is in the room, or what they say of themselves: what whoever watches the
    /// channel hears.
    pub fn is_about_people(&self) -> bool {
        let is_of_all = !matches!(self.audience, Audience::Only(_));
        is_of_all
            && matches!(
                self.event,
                Event::ParticipantJoined(_)
                    | Event::ParticipantLeft { .. }
                    | Event::ParticipantState { .. }
                    | Event::Rejoin { .. }
                    | Event::RoomClosed
            )
    }
}

/// A worker's thread ended by itself, and its rooms with it. It is no room's event, and told on every
/// stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerDied {
    /// From 0.
    pub worker: u32,
    /// Rooms that it had.
    pub rooms: u32,
    /// Deaths of workers in this run of the node, with this one.
    pub deaths: u32,
}
