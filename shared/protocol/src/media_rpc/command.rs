//! Commands of the control-plane to a room. The room checks each permission again by itself.

use crate::ids::{ChannelId, ConsumerId, DeviceId, ProducerId, SessionId, TransportId, UserId};
use crate::plan::{Permissions, RoomLimits};
use crate::rtp_parameters::{MediaKind, RtpCapabilities, RtpParameters};
use crate::signal::{
    ConsumerLayers, DataKind, DataPayload, E2eeData, E2eeMessageKind, Encryption, GrantReason, KickReason,
    Source, StateUpdate, VideoSource,
};
use crate::transport_parameters::{DtlsParameters, TransportDirection};
use std::fmt;
use std::num::NonZeroU8;
use std::time::{Duration, SystemTime};

/// A room: its channel, and the epoch that tells successive rooms of the channel apart. A node refuses an
/// epoch older than the newest it has seen.
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
    /// Its media may only come through the node's configured relays (privacy mode).
    pub relay_only: bool,
}

/// What records and token give a session, and what its room may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    pub grant: Grant,
    pub limits: RoomLimits,
}

/// How a channel is encrypted by its record. Of two rules the one of the higher revision holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncryptionRule {
    pub encryption: Encryption,
    /// Of the channel's record: rises with each change of it.
    pub revision: u64,
}

/// SHA-256 of a resume token. Tokens themselves never reach a node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest(pub [u8; 32]);

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
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
    /// What a socket must show to take this session up again; none: nobody can.
    pub resume: Option<TokenDigest>,
    /// A room of one for 60 s, in which a session may consume what it produces.
    pub diagnostics: bool,
    /// Unix milliseconds by the replica's clock: of two joins of one device the later one stays.
    pub asked_at: u64,
    /// The replica has no seat for this session: transports, producers and consumers that the node
    /// still has of an earlier join are closed first. False: the present state is asked for.
    pub anew: bool,
    /// A room with another rule of a lower revision is ended first, and its people are told to join again.
    pub encryption: EncryptionRule,
}

/// A new socket takes up a session whose old one was lost, or is about to be.
#[derive(Clone, Debug, PartialEq)]
pub struct ResumeRequest {
    pub session: SessionId,
    pub user: UserId,
    pub device: Option<DeviceId>,
    pub token: TokenDigest,
    /// Takes the place of `token` with the session's next command.
    pub next_token: TokenDigest,
    /// `None` if the replica cannot read records now: the session keeps the rights that the node has.
    pub rights: Option<Rights>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// The user asked, or closed the page.
    Left,
    /// The socket was lost and its resume window closed.
    Lost,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Takes a seat; opens the room if it is the first.
    Join(Box<JoinRequest>),
    Leave {
        session: SessionId,
        reason: LeaveReason,
        /// If given, the command applies only while this socket has the session.
        attachment: Option<u32>,
    },
    Resume(Box<ResumeRequest>),
    /// The new socket is in use: the old token dies. Any other command of the session says the same.
    ConfirmResume {
        session: SessionId,
    },
    /// The socket was lost: the resume window opens, unless another socket took over.
    Detach {
        session: SessionId,
        attachment: u32,
    },
    /// What the session may do from now on; its owner is told with that reason.
    SetGrant {
        session: SessionId,
        grant: Grant,
        reason: GrantReason,
    },
    RequestSlot {
        session: SessionId,
        source: VideoSource,
    },
    ReleaseSlot {
        session: SessionId,
        source: VideoSource,
    },
    /// An operator's: out of the room, and told for how long.
    Kick {
        session: SessionId,
        reason: KickReason,
        banned_for: Option<Duration>,
    },
    /// An operator's: the session's microphone is paused; it may resume it.
    Mute {
        session: SessionId,
    },
    /// For the room: its channel's tier changed. Nobody is evicted.
    SetLimits {
        limits: RoomLimits,
    },
    /// For the room: how its channel is encrypted from now on. If that is another way, the room ends, and its
    /// people are told to join again.
    SetEncryption {
        rule: EncryptionRule,
    },
    /// For the room: who is in it.
    Inspect,
    /// For the channel, also while it has no room: who is in it ([`Reply::Inspected`]), and from then on who
    /// joins, leaves and changes state there, until the stream ends or unwatches it.
    ///
    /// [`Reply::Inspected`]: super::Reply::Inspected
    Watch,
    Unwatch,
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
    /// A message to everybody else, or to one session of the room.
    SendData {
        session: SessionId,
        kind: DataKind,
        payload: DataPayload,
        to: Option<SessionId>,
    },
    /// The same of key agreement, in a room that is encrypted end to end.
    SendE2eeMessage {
        session: SessionId,
        kind: E2eeMessageKind,
        epoch: u64,
        to: Option<SessionId>,
        data: E2eeData,
    },
}

impl Command {
    /// Whose command it is; none: it is for the room as a whole.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::SetLimits { .. }
            | Self::SetEncryption { .. }
            | Self::Inspect
            | Self::Watch
            | Self::Unwatch => None,
            Self::Join(request) => Some(request.session),
            Self::Resume(request) => Some(request.session),
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
            | Self::UpdateState { session, .. }
            | Self::SendData { session, .. }
            | Self::SendE2eeMessage { session, .. }
            | Self::ConfirmResume { session }
            | Self::Detach { session, .. }
            | Self::SetGrant { session, .. }
            | Self::RequestSlot { session, .. }
            | Self::ReleaseSlot { session, .. }
            | Self::Kick { session, .. }
            | Self::Mute { session } => Some(*session),
        }
    }
}
