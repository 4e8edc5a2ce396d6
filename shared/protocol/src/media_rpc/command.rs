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
    /// The channel's id.
    pub channel: ChannelId,
    /// The room's epoch: tells successive rooms of a channel apart.
    pub epoch: u64,
}

/// Of every room of a node without etcd: one room of a channel follows another under it. Epochs that etcd gives are
/// higher, and each is one room's.
pub const ONLY_EPOCH: u64 = 1;

/// What one session may do in its room, enforced by the node on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What the session may send.
    pub permissions: Permissions,
    /// Until when video and screen are allowed; none: without end.
    pub video_until: Option<SystemTime>,
    /// The session's media may come only through the node's configured relays (privacy mode).
    pub relay_only: bool,
}

/// What records and token give a session, and what its room may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// What the session may do in its room.
    pub grant: Grant,
    /// How many people and how much video the room holds.
    pub limits: RoomLimits,
}

/// How a channel is encrypted by its record. Of two rules the one of the higher revision holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncryptionRule {
    /// What the channel's record asks for.
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

/// A session that wants a seat.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinRequest {
    /// The session's id.
    pub session: SessionId,
    /// The user's id.
    pub user: UserId,
    /// The device's id; none if the client named none.
    pub device: Option<DeviceId>,
    /// The name to show, from the token.
    pub name: Option<String>,
    /// Where the picture to show is, from the token: checked.
    pub avatar: Option<String>,
    /// What the session may do in its room.
    pub grant: Grant,
    /// What the room may hold, by its channel's tier.
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
    /// The session's id.
    pub session: SessionId,
    /// The user's id.
    pub user: UserId,
    /// The device's id; none if the client named none.
    pub device: Option<DeviceId>,
    /// Digest of the token that the socket showed.
    pub token: TokenDigest,
    /// Takes the place of `token` with the session's next command.
    pub next_token: TokenDigest,
    /// `None` if the replica cannot read records now: the session keeps the rights that the node has.
    pub rights: Option<Rights>,
}

/// Why a session gives its seat up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// The user asked, or closed the page.
    Left,
    /// The socket was lost and its resume window closed.
    Lost,
}

/// What the control-plane asks of a room.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Takes a seat; opens the room if it is the first.
    Join(Box<JoinRequest>),
    /// Gives a seat up.
    Leave {
        /// The session's id.
        session: SessionId,
        /// Why.
        reason: LeaveReason,
        /// If given, the command applies only while this socket has the session.
        attachment: Option<u32>,
    },
    /// A new socket takes a session up.
    Resume(Box<ResumeRequest>),
    /// The new socket is in use: the old token dies. Any other command of the session says the same.
    ConfirmResume {
        /// The session's id.
        session: SessionId,
    },
    /// The socket was lost: the resume window opens, unless another socket took over.
    Detach {
        /// The session's id.
        session: SessionId,
        /// Which socket of the session this is: rises with each resume.
        attachment: u32,
    },
    /// What the session may do from now on; its owner is told with that reason.
    SetGrant {
        /// The session's id.
        session: SessionId,
        /// What the session may do in its room.
        grant: Grant,
        /// What its owner is told as the reason.
        reason: GrantReason,
    },
    /// Asks for a video slot, or a place in the queue for one.
    RequestSlot {
        /// The session's id.
        session: SessionId,
        /// `camera` or `screen`.
        source: VideoSource,
    },
    /// Gives a slot or a place in the queue back.
    ReleaseSlot {
        /// The session's id.
        session: SessionId,
        /// `camera` or `screen`.
        source: VideoSource,
    },
    /// An operator's: out of the room, and told for how long.
    Kick {
        /// The session's id.
        session: SessionId,
        /// What its owner is told as the reason.
        reason: KickReason,
        /// For how long joining is refused; none if it is not.
        banned_for: Option<Duration>,
    },
    /// An operator's: the session's microphone is paused; it may resume it.
    Mute {
        /// The session's id.
        session: SessionId,
    },
    /// For the room: its channel's tier changed. Nobody is evicted.
    SetLimits {
        /// How many people and how much video the room holds.
        limits: RoomLimits,
    },
    /// For the room: how its channel is encrypted from now on. If that is another way, the room ends, and its
    /// people are told to join again.
    SetEncryption {
        /// What holds from now on.
        rule: EncryptionRule,
    },
    /// For the room: who is in it.
    Inspect,
    /// For the channel, also while it has no room: who is in it ([`Reply::Inspected`]), and from then on who
    /// joins, leaves and changes state there, until the stream ends or unwatches it.
    ///
    /// [`Reply::Inspected`]: super::Reply::Inspected
    Watch,
    /// No more of [`Command::Watch`] on this stream.
    Unwatch,
    /// Opens a transport, to send or to receive.
    CreateTransport {
        /// The session's id.
        session: SessionId,
        /// `send` or `recv`, as the client sees it.
        direction: TransportDirection,
    },
    /// Brings the client's DTLS fingerprints.
    ConnectTransport {
        /// The session's id.
        session: SessionId,
        /// The transport's id.
        transport: TransportId,
        /// The client's DTLS role and certificate fingerprints.
        dtls: DtlsParameters,
    },
    /// The highest layers that a consumer is to get.
    SetPreferredLayers {
        /// The session's id.
        session: SessionId,
        /// The consumer's id.
        consumer: ConsumerId,
        /// Spatial and temporal layer.
        layers: ConsumerLayers,
    },
    /// Whose layers are kept when a receiver's link does not take all: the highest first.
    SetPriority {
        /// The session's id.
        session: SessionId,
        /// The consumer's id.
        consumer: ConsumerId,
        /// 1 (first to lose its layers) to 255 (last).
        priority: NonZeroU8,
    },
    /// Statistics of one transport and what runs over it, or of everything the session owns.
    GetStats {
        /// The session's id.
        session: SessionId,
        /// None: everything the session owns.
        transport: Option<TransportId>,
    },
    /// New ICE credentials for a transport; DTLS and media go on.
    RestartIce {
        /// The session's id.
        session: SessionId,
        /// The transport's id.
        transport: TransportId,
    },
    /// Opens a producer on a sending transport.
    Produce {
        /// The session's id.
        session: SessionId,
        /// The transport's id.
        transport: TransportId,
        /// `audio` or `video`.
        kind: MediaKind,
        /// What is captured: microphone, camera, screen or the screen's sound.
        source: Source,
        /// Codecs, encodings, header extensions and RTCP, as mediasoup-client names them.
        rtp_parameters: Box<RtpParameters>,
    },
    /// Nothing of it is forwarded until it is resumed.
    PauseProducer {
        /// The session's id.
        session: SessionId,
        /// The producer's id.
        producer: ProducerId,
    },
    /// The producer is forwarded again.
    ResumeProducer {
        /// The session's id.
        session: SessionId,
        /// The producer's id.
        producer: ProducerId,
    },
    /// Closes it and its consumers.
    CloseProducer {
        /// The session's id.
        session: SessionId,
        /// The producer's id.
        producer: ProducerId,
    },
    /// Opens a consumer of a producer in the same room.
    Consume {
        /// The session's id.
        session: SessionId,
        /// None: the session's receiving transport.
        transport: Option<TransportId>,
        /// The producer's id.
        producer: ProducerId,
        /// None: those given at joining.
        rtp_capabilities: Option<RtpCapabilities>,
    },
    /// Nothing of it is sent until it is resumed.
    PauseConsumer {
        /// The session's id.
        session: SessionId,
        /// The consumer's id.
        consumer: ConsumerId,
    },
    /// The consumer is sent again; video with the next key frame.
    ResumeConsumer {
        /// The session's id.
        session: SessionId,
        /// The consumer's id.
        consumer: ConsumerId,
    },
    /// Asks the sender of a consumer's video for a key frame.
    RequestKeyFrame {
        /// The session's id.
        session: SessionId,
        /// The consumer's id.
        consumer: ConsumerId,
    },
    /// Muted, deafened, speaking.
    UpdateState {
        /// The session's id.
        session: SessionId,
        /// What changed; an absent field stays as it was.
        update: StateUpdate,
    },
    /// A message to everybody else, or to one session of the room.
    SendData {
        /// The session's id.
        session: SessionId,
        /// What the message is about, as the application calls it.
        kind: DataKind,
        /// Content, which the servers do not look at.
        payload: DataPayload,
        /// None: everybody else in the room.
        to: Option<SessionId>,
    },
    /// The same of key agreement, in a room that is encrypted end to end.
    SendE2eeMessage {
        /// The session's id.
        session: SessionId,
        /// Proposal, commit, Welcome or GroupInfo.
        kind: E2eeMessageKind,
        /// Epoch of the MLS group.
        epoch: u64,
        /// None: everybody else in the room.
        to: Option<SessionId>,
        /// The message of key agreement.
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
