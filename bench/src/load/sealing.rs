//! Keys of the load's end-to-end encryption: none, those of an invite, or those of a group by MLS.

use super::plan::{Options, Place, Plan};
use anyhow::{Context, Result, ensure};
use railgun_client::{
    Client, ClientError, Epoch, FrameCodec, FrameOpener, FrameSealer, GroupKeys, GroupOpener, GroupSealer,
    Joined, MediaKind, MlsPeer, SframeError, Source,
};
use railgun_protocol::ids::SessionId;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

/// Where `make mls-peer` leaves the program, from the folder of ours in `target`.
const MLS_PEER: &str = "../mls-peer/debug/railgun-mls-peer";

/// For everybody in the load.
#[derive(Debug)]
pub(super) enum Encryption {
    Transport,
    /// One epoch for the whole call, by the invite.
    Invite(Epoch),
    /// The people of a room agree on keys by MLS; rooms take turns with these processes.
    Group(Vec<MlsPeer>),
}

/// Of one participant.
#[derive(Debug)]
pub(super) enum Keys {
    None,
    Invite(Epoch, SessionId),
    Group(GroupKeys),
}

/// For one source of one's own.
pub(super) enum Sealer {
    None,
    Invite(FrameSealer),
    Group(GroupSealer),
}

/// For one source of somebody else.
pub(super) enum Opener {
    Invite(FrameOpener),
    Group(GroupOpener),
}

impl Encryption {
    pub(super) fn of(options: &Options, plan: &Plan) -> Result<Self> {
        if let Some(invite) = &options.invite {
            ensure!(plan.rooms == 1, "an invite is to one room");
            return Epoch::from_invite(invite, &plan.channel).context("--invite").map(Self::Invite);
        }
        if !options.mls {
            return Ok(Self::Transport);
        }
        let program = options.mls_peer.clone().map_or_else(beside_us, Ok)?;
        let count = plan.rooms.min(available_parallelism()?.get());
        let start = |_| {
            MlsPeer::start(&program)
                .with_context(|| format!("{}: `make mls-peer` builds it", program.display()))
        };
        (0..count).map(start).collect::<Result<_>>().map(Self::Group)
    }

    pub(super) async fn join(
        &self,
        client: &Client,
        place: &Place,
        plan: &Plan,
    ) -> Result<(Joined, Keys), ClientError> {
        let channel = &place.channel;
        Ok(match self {
            Self::Transport => (client.join(channel).await?, Keys::None),
            Self::Invite(epoch) => {
                let joined = client.join_encrypted(channel).await?;
                let keys = Keys::Invite(epoch.clone(), joined.session_id);
                (joined, keys)
            }
            Self::Group(peers) => {
                let room = place.number / plan.participants;
                let (joined, keys) = client.join_group(channel, &peers[room % peers.len()]).await?;
                (joined, Keys::Group(keys))
            }
        })
    }
}

fn beside_us() -> Result<PathBuf> {
    let ours = std::env::current_exe()?;
    Ok(ours.parent().unwrap_or_else(|| Path::new(".")).join(MLS_PEER))
}

fn codec_of(source: Source) -> FrameCodec {
    match source.kind() {
        MediaKind::Audio => FrameCodec::Opus,
        MediaKind::Video => FrameCodec::Vp8,
    }
}

impl Keys {
    pub(super) fn sealer(&self, source: Source) -> Sealer {
        let codec = codec_of(source);
        match self {
            Self::None => Sealer::None,
            Self::Invite(epoch, own) => Sealer::Invite(FrameSealer::new(epoch, *own, source, codec)),
            Self::Group(keys) => Sealer::Group(keys.sealer(source, codec)),
        }
    }

    /// # Errors
    /// There will be no keys any more.
    pub(super) fn check(&self) -> Result<(), ClientError> {
        match self {
            Self::Group(keys) => keys.failure().map_or(Ok(()), Err),
            Self::None | Self::Invite(..) => Ok(()),
        }
    }

    /// What the others of a group can compare.
    pub(super) fn code(&self) -> Option<String> {
        match self {
            Self::Group(keys) => keys.code(),
            Self::None | Self::Invite(..) => None,
        }
    }

    /// `None`: its frames are not encrypted.
    pub(super) fn opener(&self, session: SessionId, source: Source) -> Option<Opener> {
        let codec = codec_of(source);
        match self {
            Self::None => None,
            Self::Invite(epoch, _) => Some(Opener::Invite(FrameOpener::new(epoch, session, source, codec))),
            Self::Group(keys) => Some(Opener::Group(keys.opener(session, source, codec))),
        }
    }
}

impl Sealer {
    pub(super) fn is_encrypting(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether there is a key to send with: of a group there is none before one is in it.
    pub(super) fn may_send(&self) -> bool {
        match self {
            Self::None | Self::Invite(_) => true,
            Self::Group(sealer) => sealer.may_send(),
        }
    }

    /// `None`: it must not be sent.
    pub(super) fn seal(&mut self, frame: Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Self::None => Some(frame),
            Self::Invite(sealer) => Some(sealer.seal(&frame)),
            Self::Group(sealer) => sealer.seal(&frame),
        }
    }
}

impl Opener {
    pub(super) fn open(&mut self, wire: &[u8]) -> Result<Vec<u8>, SframeError> {
        match self {
            Self::Invite(opener) => opener.open(wire),
            Self::Group(opener) => opener.open(wire),
        }
    }
}
