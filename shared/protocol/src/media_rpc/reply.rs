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
    /// The event's place in the room's order; rises by one with each event that is not for one session alone.
    pub room_seq: u64,
    /// The others, oldest first.
    pub participants: Vec<Participant>,
    /// Which socket of the session this is: rises with each resume.
    pub attachment: u32,
    /// What holds for everybody in the room.
    pub encryption: Encryption,
}

/// What a resumed session has, beside the room.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnState {
    /// With the direction of each.
    pub transports: Vec<(TransportDirection, TransportId)>,
    /// The session's own.
    pub producers: Vec<ProducerInfo>,
    /// Consumers of the session.
    pub consumers: Vec<ConsumerInfo>,
    /// Video slots held, and places in the queue.
    pub slots: Vec<(VideoSource, SlotState)>,
    /// What was kept, if the resume asked for it.
    pub rights: Option<Rights>,
    /// Messages of key agreement that the session's earlier socket may not have got, oldest first.
    pub missed: Vec<MissedMessage>,
}

/// A message of key agreement as it was told the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedMessage {
    /// The event's place in the room's order; rises by one with each event that is not for one session alone.
    pub room_seq: u64,
    /// The user's id.
    pub user: UserId,
    /// The session's id.
    pub session: SessionId,
    /// Proposal, commit, Welcome or GroupInfo.
    pub kind: E2eeMessageKind,
    /// Epoch of the MLS group.
    pub epoch: u64,
    /// The message of key agreement.
    pub data: E2eeData,
}

/// A video slot of a session, or its place in the queue for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// Held, used or waited for.
    pub slot: Slot,
    /// Slots taken: live video producers, and grants not yet used.
    pub current: u16,
    /// Video slots that the room has.
    pub max: u16,
}

/// Whether a video slot is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A producer uses it.
    Used,
    /// Held for so much longer.
    Held(Duration),
    /// The place in the queue, from 1.
    Waiting(u16),
}

/// A new consumer, as its client has to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerDescription {
    /// The consumer's id.
    pub consumer: ConsumerId,
    /// The producer's id.
    pub producer: ProducerId,
    /// Whose media it is.
    pub user: UserId,
    /// The session that sends it.
    pub session: SessionId,
    /// `audio` or `video`.
    pub kind: MediaKind,
    /// What is captured: microphone, camera, screen or the screen's sound.
    pub source: Source,
    /// `simple`, `simulcast` or `svc`.
    pub stream_type: StreamType,
    /// Codecs, encodings, header extensions and RTCP, as mediasoup-client names them.
    pub rtp_parameters: RtpParameters,
    /// True while the producer is paused, so that nothing comes whatever the consumer does.
    pub producer_paused: bool,
}

/// What a command led to, if it was not refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The session has its seat.
    Joined(RoomSnapshot),
    /// The session gave its seat up.
    Left,
    /// The new socket has the session.
    Resumed(RoomSnapshot, Box<OwnState>),
    /// To commands that have no more to say than that they were carried out.
    Done,
    /// A slot, or a place in the queue.
    Slot(SlotState),
    /// The slot, or the place in the queue, is free.
    SlotReleased {
        /// `camera` or `screen`.
        source: VideoSource,
    },
    /// Who is in the room.
    Inspected(RoomSnapshot),
    /// The node's side of a new transport.
    TransportCreated {
        /// `send` or `recv`, as the client sees it.
        direction: TransportDirection,
        /// The transport's id.
        transport: TransportId,
        /// The node's ICE candidates, ICE credentials and DTLS fingerprints.
        parameters: TransportParameters,
    },
    /// The client's fingerprints were taken.
    TransportConnected {
        /// The transport's id.
        transport: TransportId,
    },
    /// The transport has new ICE credentials.
    IceRestarted {
        /// The transport's id.
        transport: TransportId,
        /// The node's new ICE user name fragment and password.
        ice_parameters: IceParameters,
    },
    /// The producer is open.
    Produced {
        /// The producer's id.
        producer: ProducerId,
        /// `audio` or `video`.
        kind: MediaKind,
        /// What is captured: microphone, camera, screen or the screen's sound.
        source: Source,
    },
    /// Nothing of it is forwarded.
    ProducerPaused {
        /// The producer's id.
        producer: ProducerId,
    },
    /// The producer is forwarded again.
    ProducerResumed {
        /// The producer's id.
        producer: ProducerId,
    },
    /// The producer and its consumers are gone.
    ProducerClosed {
        /// The producer's id.
        producer: ProducerId,
    },
    /// The consumer is open.
    Consumed(Box<ConsumerDescription>),
    /// Nothing of it is sent.
    ConsumerPaused {
        /// The consumer's id.
        consumer: ConsumerId,
    },
    /// The consumer is sent again.
    ConsumerResumed {
        /// The consumer's id.
        consumer: ConsumerId,
    },
    /// The wish was noted.
    PreferredLayersSet {
        /// The consumer's id.
        consumer: ConsumerId,
        /// Spatial and temporal layer.
        layers: ConsumerLayers,
    },
    /// The sender is asked for a key frame.
    KeyFrameRequested {
        /// The consumer's id.
        consumer: ConsumerId,
    },
    /// The priority was noted.
    PrioritySet {
        /// The consumer's id.
        consumer: ConsumerId,
        /// 1 (first to lose its layers) to 255 (last).
        priority: NonZeroU8,
    },
    /// What the node counted.
    Stats(Box<Stats>),
    /// All three fields are present.
    StateUpdated(StateUpdate),
}
