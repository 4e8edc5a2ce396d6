//! What a room answers. A refusal is an [`crate::signal::ErrorBody`], passed on to the client as it is.

use crate::ids::{ConsumerId, ProducerId, SessionId, TransportId, UserId};
use crate::rtp_parameters::{MediaKind, RtpParameters, StreamType};
use crate::signal::{ConsumerLayers, Participant, Source, StateUpdate, Stats};
use crate::transport_parameters::{IceParameters, TransportDirection, TransportParameters};
use std::num::NonZeroU8;

/// The room as it stood when the reply was made; events with a higher `room_seq` change it.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomSnapshot {
    pub room_seq: u64,
    /// The others, oldest first.
    pub participants: Vec<Participant>,
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
