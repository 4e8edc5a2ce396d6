//! Who is in channels that somebody watches before joining. Each watched channel of this replica has one task
//! that asks the room's node, which tells it of every change; sessions share what it knows.

mod follow;
mod people;

pub(crate) use people::People;

use crate::media_client::later;
use crate::placement::Placement;
use crate::refusal::Refusal;
use railgun_protocol::ids::{ChannelId, UserId};
use railgun_protocol::limits::{WATCHES_PER_REPLICA, WATCHES_PER_USER};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

#[derive(Clone, Debug)]
pub(crate) struct Watches(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    placement: Placement,
    channels: Mutex<HashMap<ChannelId, watch::Sender<People>>>,
    /// How many channels each user watches; none: no entry.
    users: Mutex<HashMap<UserId, usize>>,
}

/// A channel watched by one session, until this is dropped.
#[derive(Debug)]
pub(crate) struct Watching {
    pub(crate) people: watch::Receiver<People>,
    pub(crate) counted: Counted,
}

/// One of its user's watches.
#[derive(Debug)]
pub(crate) struct Counted {
    user: UserId,
    inner: Arc<Inner>,
}

impl Watches {
    pub(crate) fn new(placement: Placement) -> Self {
        let (channels, users) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { placement, channels, users }))
    }

    /// Whether the user may was asked before.
    ///
    /// # Errors
    /// If the user, or the replica, watches as many channels as it may.
    pub(crate) fn watch(&self, user: &UserId, channel: &ChannelId) -> Result<Watching, Refusal> {
        let counted = self.count(user)?;
        let mut channels = self.0.channels();
        if let Some(known) = channels.get(channel) {
            return Ok(Watching { people: known.subscribe(), counted });
        }
        if channels.len() >= WATCHES_PER_REPLICA {
            return Err(later("too many channels are watched at this moment"));
        }
        let (to, people) = watch::channel(None);
        channels.insert(channel.clone(), to.clone());
        let (inner, of) = (self.0.clone(), channel.clone());
        let is_over = move |to: &watch::Sender<People>| inner.forget_unwatched(&of, to);
        tokio::spawn(follow::follow(self.0.placement.clone(), channel.clone(), to, is_over));
        Ok(Watching { people, counted })
    }

    fn count(&self, user: &UserId) -> Result<Counted, Refusal> {
        let mut users = self.0.users();
        let count = users.entry(user.clone()).or_default();
        if *count >= WATCHES_PER_USER {
            return Err(Refusal::TooManyWatches);
        }
        *count += 1;
        Ok(Counted { user: user.clone(), inner: self.0.clone() })
    }
}

impl Inner {
    fn channels(&self) -> MutexGuard<'_, HashMap<ChannelId, watch::Sender<People>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the channel out if nobody watches it; nobody can begin to meanwhile.
    fn forget_unwatched(&self, channel: &ChannelId, to: &watch::Sender<People>) -> bool {
        let mut channels = self.channels();
        let is_unwatched = to.receiver_count() == 0;
        if is_unwatched {
            channels.remove(channel);
        }
        is_unwatched
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut users = self.inner.users();
        if let Some(count) = users.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.user);
            }
        }
    }
}
