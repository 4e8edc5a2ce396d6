//! The watched channels of this replica, and how many each user watches.

use crate::placement::Placement;
use crate::refusal::Refusal;
use railgun_protocol::ids::{ChannelId, UserId};
use railgun_protocol::limits::WATCHES_PER_USER;
use railgun_protocol::signal::ChannelPerson;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Who is in a channel; `None` until its node has said it.
pub(crate) type People = Option<Arc<[ChannelPerson]>>;

#[derive(Debug)]
pub(super) struct Table {
    pub(super) placement: Placement,
    channels: Mutex<HashMap<ChannelId, watch::Sender<People>>>,
    /// How many channels each user watches; none: no entry.
    users: Mutex<HashMap<UserId, usize>>,
}

/// A watch that counts for its user until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    user: UserId,
    table: Arc<Table>,
}

impl Table {
    pub(super) fn new(placement: Placement) -> Self {
        Self { placement, channels: Mutex::default(), users: Mutex::default() }
    }

    pub(super) fn count(self: &Arc<Self>, user: &UserId) -> Result<Counted, Refusal> {
        let mut users = self.users();
        let count = users.entry(user.clone()).or_default();
        if *count >= WATCHES_PER_USER {
            return Err(Refusal::TooManyWatches);
        }
        *count += 1;
        Ok(Counted { user: user.clone(), table: self.clone() })
    }

    pub(super) fn channels(&self) -> MutexGuard<'_, HashMap<ChannelId, watch::Sender<People>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the channel out if nobody watches it; nobody can begin to meanwhile.
    pub(super) fn forget_unwatched(&self, channel: &ChannelId, to: &watch::Sender<People>) -> bool {
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
        let mut users = self.table.users();
        if let Some(count) = users.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.user);
            }
        }
    }
}
