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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    Everyone,
    /// Everyone but this session, which has the reply or caused it.
    Except(SessionId),
    Only(SessionId),
}

#[derive(Clone, Debug, PartialEq)]
pub struct RoomEvent {
    pub channel: ChannelId,
    pub epoch: u64,
    /// Rises by one with each event that is not for one session alone.
    pub room_seq: u64,
    pub audience: Audience,
    pub event: Event,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    ParticipantJoined(Box<Participant>),
    ParticipantLeft {
        user: UserId,
        session: SessionId,
    },
    ParticipantState {
        user: UserId,
        session: SessionId,
        muted: bool,
        deafened: bool,
        speaking: bool,
        /// It lost its socket longer than [`crate::limits::RESUME_WINDOW`] ago; its media goes on.
        reconnecting: bool,
    },
    NewProducer {
        producer: ProducerId,
        user: UserId,
        session: SessionId,
        kind: MediaKind,
        source: Source,
        paused: bool,
    },
    ProducerPaused {
        producer: ProducerId,
        user: UserId,
        session: SessionId,
    },
    ProducerResumed {
        producer: ProducerId,
        user: UserId,
        session: SessionId,
    },
    ProducerClosed {
        producer: ProducerId,
        user: UserId,
        session: SessionId,
        /// Why, if its owner did not ask for it.
        reason: Option<ProducerCloseReason>,
    },
    ConsumerClosed {
        consumer: ConsumerId,
        reason: ConsumerCloseReason,
    },
    /// Reception score of a producer at the node, 0 (dead) to 10.
    ProducerScore {
        producer: ProducerId,
        score: u8,
    },
    /// Reception score of a consumer at its client, 0 (dead) to 10.
    ConsumerScore {
        consumer: ConsumerId,
        score: u8,
    },
    /// Which layers a consumer gets from now on; none until the next key frame.
    ConsumerLayers {
        consumer: ConsumerId,
        layers: Option<ConsumerLayers>,
    },
    /// The highest spatial layer that anyone receives or wants of a video; none: nobody.
    ProducerLayers {
        producer: ProducerId,
        max_spatial: Option<u8>,
    },
    TransportState {
        transport: TransportId,
        ice: IceState,
        dtls: DtlsState,
    },
    /// The session is out of the room.
    Kicked {
        reason: KickReason,
        /// For how long it must not come back.
        banned_for: Option<Duration>,
    },
    /// Another socket took the session up; the one it had is no longer its own.
    Superseded,
    /// What the session may send changed.
    Permissions {
        permissions: Permissions,
        limits: RoomLimits,
        reason: GrantReason,
    },
    VideoQueue {
        source: VideoSource,
        position: u16,
        current: u16,
        max: u16,
    },
    /// A slot is held for the session for so long.
    VideoGranted {
        source: VideoSource,
        hold: Duration,
    },
    Muted {
        reason: MuteReason,
        strikes: u8,
    },
    Data {
        user: UserId,
        session: SessionId,
        kind: DataKind,
        payload: DataPayload,
    },
    E2eeMessage {
        user: UserId,
        session: SessionId,
        kind: E2eeMessageKind,
        epoch: u64,
        data: E2eeData,
    },
    /// Does not move the room's sequence, as the levels do not.
    ActiveSpeaker(Option<Speaker>),
    AudioLevels(Vec<AudioLevel>),
    /// The room is gone from this node, and its people should join again.
    Rejoin {
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
