//! What the control-plane asks of a room. Whoever may not is refused again by the room itself.

use crate::ids::{ChannelId, ConsumerId, DeviceId, ProducerId, SessionId, TransportId, UserId};
use crate::plan::{Permissions, RoomLimits};
use crate::rtp_parameters::{MediaKind, RtpCapabilities, RtpParameters};
use crate::signal::{ConsumerLayers, Source, StateUpdate};
use crate::transport_parameters::{DtlsParameters, TransportDirection};
use std::num::NonZeroU8;
use std::time::SystemTime;

/// Which room, and which incarnation of it. A node refuses an epoch older than it has seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    pub channel: ChannelId,
    pub epoch: u64,
}

/// What one session may do in its room, enforced by the node on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub permissions: Permissions,
    /// Until when video and screen are allowed; none: without end.
    pub video_until: Option<SystemTime>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct JoinRequest {
    pub session: SessionId,
    pub user: UserId,
    pub device: Option<DeviceId>,
    pub name: Option<String>,
    pub grant: Grant,
    pub limits: RoomLimits,
    /// What the client can receive, if it said so at joining; `consume` may bring it later.
    pub rtp_capabilities: Option<RtpCapabilities>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// The user asked, or closed the page.
    Left,
    /// The socket was lost and its resume window closed.
    Lost,
    /// The same user joined again from the same device.
    Replaced,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Takes a seat; opens the room if it is the first.
    Join(Box<JoinRequest>),
    Leave {
        session: SessionId,
        reason: LeaveReason,
    },
    CreateTransport {
        session: SessionId,
        direction: TransportDirection,
    },
    ConnectTransport {
        session: SessionId,
        transport: TransportId,
        dtls: DtlsParameters,
    },
    SetPreferredLayers {
        session: SessionId,
        consumer: ConsumerId,
        layers: ConsumerLayers,
    },
    /// Whose layers are kept when a receiver's link does not take all: the highest first.
    SetPriority {
        session: SessionId,
        consumer: ConsumerId,
        priority: NonZeroU8,
    },
    /// Of one transport and what runs over it, or of everything the session owns.
    GetStats {
        session: SessionId,
        transport: Option<TransportId>,
    },
    /// New ICE credentials for a transport; DTLS and media go on.
    RestartIce {
        session: SessionId,
        transport: TransportId,
    },
    Produce {
        session: SessionId,
        transport: TransportId,
        kind: MediaKind,
        source: Source,
        rtp_parameters: Box<RtpParameters>,
    },
    PauseProducer {
        session: SessionId,
        producer: ProducerId,
    },
    ResumeProducer {
        session: SessionId,
        producer: ProducerId,
    },
    CloseProducer {
        session: SessionId,
        producer: ProducerId,
    },
    Consume {
        session: SessionId,
        /// None: the session's receiving transport.
        transport: Option<TransportId>,
        producer: ProducerId,
        /// None: those given at joining.
        rtp_capabilities: Option<RtpCapabilities>,
    },
    PauseConsumer {
        session: SessionId,
        consumer: ConsumerId,
    },
    ResumeConsumer {
        session: SessionId,
        consumer: ConsumerId,
    },
    RequestKeyFrame {
        session: SessionId,
        consumer: ConsumerId,
    },
    UpdateState {
        session: SessionId,
        update: StateUpdate,
    },
}

impl Command {
    pub fn session(&self) -> SessionId {
        match self {
            Self::Join(request) => request.session,
            Self::Leave { session, .. }
            | Self::CreateTransport { session, .. }
            | Self::ConnectTransport { session, .. }
            | Self::SetPreferredLayers { session, .. }
            | Self::SetPriority { session, .. }
            | Self::GetStats { session, .. }
            | Self::RestartIce { session, .. }
            | Self::Produce { session, .. }
            | Self::PauseProducer { session, .. }
            | Self::ResumeProducer { session, .. }
            | Self::CloseProducer { session, .. }
            | Self::Consume { session, .. }
            | Self::PauseConsumer { session, .. }
            | Self::ResumeConsumer { session, .. }
            | Self::RequestKeyFrame { session, .. }
            | Self::UpdateState { session, .. } => *session,
        }
    }
}
