//! A client's part in the group of an encrypted channel, from the outside.

use super::group::{Group, Told};
use super::mls_peer::MlsPeer;
use super::profile::Profile;
use super::sockets::Sockets;
use super::streams::{GroupOpener, GroupSealer, Keys};
use crate::client::{Client, Joined};
use crate::error::ClientError;
use crate::sframe::FrameCodec;
use railgun_protocol::ids::SessionId;
use railgun_protocol::signal::Source;
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// Sessions that wait to be told as missing.
const MISSING_MAX: usize = 64;
/// Interval at which [`GroupKeys::among`] looks whether the newest epoch is used for sending.
const SETTLED_POLL: Duration = Duration::from_millis(20);

/// Keys that the members of a channel agree on. They follow who comes and leaves until the session is over, or this value
/// is dropped. [`Client::resume`] goes on with them; who is told to join again does so by [`Client::rejoin_group`].
#[derive(Debug)]
pub struct GroupKeys {
    keys: Keys,
    profile: Profile,
    told: watch::Receiver<Told>,
    task: AbortHandle,
}

impl Client {
    /// Joins a channel that is encrypted end to end, and its group, by a key that nobody has seen.
    ///
    /// # Errors
    /// As [`Client::join_encrypted`].
    pub async fn join_group(
        &self,
        channel: &str,
        peer: &MlsPeer,
    ) -> Result<(Joined, GroupKeys), ClientError> {
        self.enter_group(channel, peer, Profile::new(peer).await?, 0).await
    }

    /// [`Self::join_group`] by the key of a profile, which others know if they have seen it before.
    ///
    /// # Errors
    /// As [`Client::join_encrypted`].
    pub async fn join_group_as(
        &self,
        channel: &str,
        peer: &MlsPeer,
        profile: Profile,
    ) -> Result<(Joined, GroupKeys), ClientError> {
        self.enter_group(channel, peer, profile, 0).await
    }

    /// Joins again after the session was over, by the same profile. Keys of frames are others. `before`: those of the
    /// stay before; a group that is founded comes after all that they knew of.
    ///
    /// # Errors
    /// As [`Client::join_encrypted`].
    pub async fn rejoin_group(
        &self,
        channel: &str,
        peer: &MlsPeer,
        before: GroupKeys,
    ) -> Result<(Joined, GroupKeys), ClientError> {
        let (profile, generation) = (before.profile.clone(), before.generation());
        drop(before);
        self.enter_group(channel, peer, profile, generation).await
    }

    async fn enter_group(
        &self,
        channel: &str,
        peer: &MlsPeer,
        profile: Profile,
        generation: u32,
    ) -> Result<(Joined, GroupKeys), ClientError> {
        let sockets = Sockets::new(self.events(), self.follow());
        let joined = self.join_encrypted(channel).await?;
        let (missing, told_missing) = mpsc::channel(MISSING_MAX);
        let keys = Keys::new(joined.session_id, missing);
        let (teller, told) = watch::channel(Told { generation, ..Told::default() });
        let failed = teller.clone();
        let entered = (joined.clone(), sockets);
        let group = Group::new(self.clone(), peer.clone(), entered, (keys.clone(), told_missing), teller);
        let by = profile.clone();
        let task = tokio::spawn(async move {
            let ended = group.run(&by).await;
            failed.send_modify(|told| {
                told.failed =
                    Some(ended.err().map_or_else(|| "the socket has ended".into(), |it| it.to_string()));
            });
        });
        Ok((joined, GroupKeys { keys, profile, told, task: task.abort_handle() }))
    }
}

impl GroupKeys {
    /// For the frames of one source of this client.
    pub fn sealer(&self, source: Source, codec: FrameCodec) -> GroupSealer {
        self.keys.sealer(source, codec)
    }

    /// For the frames of one source of another client.
    pub fn opener(&self, session: SessionId, source: Source, codec: FrameCodec) -> GroupOpener {
        self.keys.opener(session, source, codec)
    }

    /// The 30 digits of the newest epoch.
    pub fn code(&self) -> Option<String> {
        self.keys.ring().newest().map(|(code, _)| code.to_owned())
    }

    /// Of the newest epoch, this client included.
    pub fn members(&self) -> HashSet<SessionId> {
        self.keys.ring().newest().map(|(_, members)| members.clone()).unwrap_or_default()
    }

    /// Sessions whose messages were none.
    pub fn named(&self) -> Vec<SessionId> {
        self.told.borrow().named.clone()
    }

    /// By which others know this client, also when it joins again.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Of the groups that were founded in the channel, the highest number that is known; the first is 1.
    pub fn generation(&self) -> u32 {
        self.told.borrow().generation
    }

    /// Why there will be no keys any more.
    pub fn failure(&self) -> Option<ClientError> {
        self.told.borrow().failed.clone().map(ClientError::Mls)
    }

    /// Waits until the newest epoch has these members and no others, and is sent with. Gives its code.
    ///
    /// # Errors
    /// [`ClientError::Mls`] if there will be no keys any more.
    pub async fn among(&self, sessions: &[SessionId]) -> Result<String, ClientError> {
        let wanted: HashSet<SessionId> = sessions.iter().copied().collect();
        loop {
            if let Some(failed) = self.failure() {
                return Err(failed);
            }
            {
                let ring = self.keys.ring();
                let newest = ring.newest().filter(|(_, members)| **members == wanted);
                if let Some((code, _)) = newest.filter(|_| ring.is_settled(Instant::now())) {
                    return Ok(code.to_owned());
                }
            }
            sleep(SETTLED_POLL).await;
        }
    }
}

impl Drop for GroupKeys {
    fn drop(&mut self) {
        self.task.abort();
    }
}
