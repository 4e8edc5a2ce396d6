//! What a room answers. A refusal is an [`crate::signal::ErrorBody`], passed on to the client as it is.

use super::command::Rights;
use crate::ids::{ConsumerId, ProducerId, SessionId, TransportId, UserId};
use crate::rtp_parameters::{MediaKind, RtpParameters, StreamType};
use crate::signal::{
    ConsumerInfo, ConsumerLayers, E2eeData, E2eeMessageKind, Encryption, Participant, ProducerInfo, Source,
    StateUpdate, Stats, VideoSource,
};
use crate::transport_parameters::{IceParameters, TransportDirection, TransportParameters};
use std::num::NonZeroU8;
use std::time::Duration;

/// The room as it stood when the reply was made; events with a higher `room_seq` change it.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomSnapshot {
    pub room_seq: u64,
    /// The others, oldest first.
    pub participants: Vec<Participant>,
    /// Which socket of the session this is: rises with each resume.
    pub attachment: u32,
    pub encryption: Encryption,
}

/// What a resumed session has, beside the room.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnState {
    pub transports: Vec<(TransportDirection, TransportId)>,
    pub producers: Vec<ProducerInfo>,
    pub consumers: Vec<ConsumerInfo>,
    pub slots: Vec<(VideoSource, SlotState)>,
    /// What was kept, if the resume asked for it.
    pub rights: Option<Rights>,
    /// Messages of key agreement that the session's earlier socket may not have got, oldest first.
    pub missed: Vec<MissedMessage>,
}

/// A message of key agreement as it was told the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedMessage {
    pub room_seq: u64,
    pub user: UserId,
    pub session: SessionId,
    pub kind: E2eeMessageKind,
    pub epoch: u64,
    pub data: E2eeData,
}

/// A video slot of a session, or its place in the queue for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotState {
    pub slot: Slot,
    /// Slots taken: live video producers, and grants not yet used.
    pub current: u16,
    pub max: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A producer uses it.
    Used,
    /// Held for so much longer.
    Held(Duration),
    /// The place in the queue, from 1.
    Waiting(u16),
}

#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerDescription {
    pub consumer: ConsumerId,
    pub producer: ProducerId,
    pub user: UserId,
    pub session: SessionId,
    pub kind: MediaKind,
    pub source: Source,
    pub stream_type: StreamType,
    pub rtp_parameters: RtpParameters,
    pub producer_paused: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Joined(RoomSnapshot),
    Left,
    Resumed(RoomSnapshot, Box<OwnState>),
    /// To commands that have no more to say than that they were carried out.
    Done,
    Slot(SlotState),
    SlotReleased {
        source: VideoSource,
    },
    Inspected(RoomSnapshot),
    TransportCreated {
        direction: TransportDirection,
        transport: TransportId,
        parameters: TransportParameters,
    },
    TransportConnected {
        transport: TransportId,
    },
    IceRestarted {
        transport: TransportId,
        ice_parameters: IceParameters,
    },
    Produced {
        producer: ProducerId,
        kind: MediaKind,
        source: Source,
    },
    ProducerPaused {
        producer: ProducerId,
    },
    ProducerResumed {
        producer: ProducerId,
    },
    ProducerClosed {
        producer: ProducerId,
    },
    Consumed(Box<ConsumerDescription>),
    ConsumerPaused {
        consumer: ConsumerId,
    },
    ConsumerResumed {
        consumer: ConsumerId,
    },
    PreferredLayersSet {
        consumer: ConsumerId,
        layers: ConsumerLayers,
    },
    KeyFrameRequested {
        consumer: ConsumerId,
    },
    PrioritySet {
        consumer: ConsumerId,
        priority: NonZeroU8,
    },
    Stats(Box<Stats>),
    /// All three fields are present.
    StateUpdated(StateUpdate),
}
