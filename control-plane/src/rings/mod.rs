//! Calls that ring: who is called in which DM. A user is rung by one call at a time, over all replicas, for
//! 45 s at most. With etcd a ring is a leased key of the one who is called, which every replica follows.

#[cfg(feature = "etcd")]
mod in_etcd;
mod ring;

pub(crate) use ring::Ring;

use crate::clock::unix_millis;
use crate::media_client::later;
use crate::refusal::Refusal;
use futures::future::join_all;
use railgun_protocol::ids::{ChannelId, UserId};
use railgun_protocol::limits::{RING_DURATION, RINGS_PER_REPLICA};
use railgun_protocol::signal::RingEndReason;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};

#[derive(Clone, Debug)]
pub(crate) struct Rings(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// By user: who listens, and who is rung.
    users: Mutex<HashMap<UserId, watch::Sender<Option<Ring>>>>,
    /// Calls that began here, by their id.
    callers: Mutex<HashMap<u64, mpsc::Sender<(UserId, RingEndReason)>>>,
    #[cfg(feature = "etcd")]
    shared: Option<in_etcd::Shared>,
}

/// How one socket hears that its user is called.
#[derive(Debug)]
pub(crate) struct Listening {
    user: UserId,
    pub(crate) ring: watch::Receiver<Option<Ring>>,
    rings: Rings,
}

/// A call that rings until this is dropped, which cancels what is left of it.
#[derive(Debug)]
pub(crate) struct Calling {
    id: u64,
    pub(crate) channel: ChannelId,
    /// Those who were rung.
    users: Vec<UserId>,
    /// Each of them once, and how it ended.
    pub(crate) ended: mpsc::Receiver<(UserId, RingEndReason)>,
    rings: Rings,
}

impl Rings {
    pub(crate) fn in_memory() -> Self {
        Self(Arc::new(Inner {
            users: Mutex::default(),
            callers: Mutex::default(),
            #[cfg(feature = "etcd")]
            shared: None,
        }))
    }

    /// Those of every replica that has the same etcd, which a task of its own follows.
    #[cfg(feature = "etcd")]
    pub(crate) fn shared(
        store: railgun_etcd::Store,
        leases: railgun_etcd::SharedLeases,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let watch = in_etcd::watch(&store);
        let shared = Some(in_etcd::Shared::new(store, leases));
        let rings = Self(Arc::new(Inner { users: Mutex::default(), callers: Mutex::default(), shared }));
        let known = rings.clone();
        let following = tokio::spawn(in_etcd::follow(watch, move |user, ring| _ = known.apply(user, ring)));
        (rings, following)
    }

    pub(crate) fn listen(&self, user: &UserId) -> Listening {
        let mut ring = self.0.users().entry(user.clone()).or_default().subscribe();
        // A call may be ringing already.
        ring.mark_changed();
        Listening { user: user.clone(), ring, rings: self.clone() }
    }

    /// Rings them, except who is rung already.
    ///
    /// # Errors
    /// If nobody is left to ring, or etcd does not answer.
    pub(crate) async fn call(
        &self,
        channel: ChannelId,
        from: UserId,
        name: Option<String>,
        users: Vec<UserId>,
    ) -> Result<Calling, Refusal> {
        self.call_for(RING_DURATION, channel, from, name, users).await
    }

    async fn call_for(
        &self,
        duration: Duration,
        channel: ChannelId,
        from: UserId,
        name: Option<String>,
        users: Vec<UserId>,
    ) -> Result<Calling, Refusal> {
        let id = rand::random();
        let until = unix_millis(SystemTime::now() + duration);
        let ring = Ring { id, channel: channel.clone(), from, name, until, ended: None };
        let (to, ended) = mpsc::channel(users.len().max(1));
        self.0.callers().insert(id, to);
        // From here on dropping it takes back what was done.
        let mut calling = Calling { id, channel, users, ended, rings: self.clone() };
        let begun = join_all(calling.users.iter().map(|user| self.begin(user, &ring))).await;
        let begun = begun.into_iter().collect::<Result<Vec<bool>, Refusal>>()?;
        let mut begun = begun.into_iter();
        calling.users.retain(|_| begun.next().unwrap_or_default());
        if calling.users.is_empty() {
            return Err(Refusal::RungAlready);
        }
        Ok(calling)
    }

    /// The user is in the channel now.
    pub(crate) fn answered(&self, user: &UserId, channel: &ChannelId) {
        self.end_soon(user, channel, RingEndReason::Answered);
    }

    /// Whether there was something to decline.
    pub(crate) fn declined(&self, user: &UserId, channel: &ChannelId) -> bool {
        self.end_soon(user, channel, RingEndReason::Declined)
    }

    fn end_soon(&self, user: &UserId, channel: &ChannelId, how: RingEndReason) -> bool {
        let known = self.0.ringing(user);
        let Some(ring) = known.filter(|ring| ring.channel == *channel) else { return false };
        let (rings, user) = (self.clone(), user.clone());
        tokio::spawn(async move { rings.end(&user, ring.id, how).await });
        true
    }

    /// False: somebody else's call rings the user.
    async fn begin(&self, user: &UserId, ring: &Ring) -> Result<bool, Refusal> {
        #[cfg(feature = "etcd")]
        if let Some(shared) = &self.0.shared {
            let begun = shared.begin(user, ring).await;
            return begun.ok_or_else(|| later("nobody can be called now: etcd does not answer"));
        }
        tokio::task::yield_now().await;
        if self.0.ringing(user).is_some() {
            return Ok(false);
        }
        match self.apply(user, Some(ring.clone())) {
            true => Ok(true),
            false => Err(later("too many calls ring at this moment")),
        }
    }

    /// Ends the ring of that id, if it is still on.
    async fn end(&self, user: &UserId, id: u64, how: RingEndReason) {
        #[cfg(feature = "etcd")]
        if let Some(shared) = &self.0.shared {
            return shared.end(user, id, how).await;
        }
        tokio::task::yield_now().await;
        if let Some(ring) = self.0.ringing(user).filter(|ring| ring.id == id) {
            self.apply(user, Some(Ring { ended: Some(how), ..ring }));
        }
    }

    /// What is known of a user from now on. False: there is no room for it.
    fn apply(&self, user: &UserId, ring: Option<Ring>) -> bool {
        let mut users = self.0.users();
        if ring.is_some() && !users.contains_key(user) && users.len() >= RINGS_PER_REPLICA {
            return false;
        }
        let to = users.entry(user.clone()).or_default();
        let before = to.send_replace(ring.clone());
        if ring.is_none() && to.receiver_count() == 0 {
            users.remove(user);
        }
        drop(users);
        let is_over = |before: &Ring| ring.as_ref().is_none_or(|ring| ring.id != before.id || !ring.is_on());
        if let Some(before) = before.filter(|before| before.is_on() && is_over(before)) {
            let how = ring.as_ref().filter(|ring| ring.id == before.id).and_then(|ring| ring.ended);
            if let Some(caller) = self.0.callers().get(&before.id) {
                // It has a place for each.
                _ = caller.try_send((user.clone(), how.unwrap_or(RingEndReason::Missed)));
            }
        }
        if let Some(ring) = ring.filter(Ring::is_on) {
            self.expire_later(user.clone(), &ring);
        }
        true
    }

    /// A ring is over in its time, whether or not etcd says so; and one that ended is forgotten then.
    fn expire_later(&self, user: UserId, ring: &Ring) {
        let left = Duration::from_millis(ring.until.saturating_sub(unix_millis(SystemTime::now())));
        let (rings, id) = (self.clone(), ring.id);
        tokio::spawn(async move {
            // By whichever clock it began.
            tokio::time::sleep(left.min(RING_DURATION)).await;
            if rings.0.known(&user).is_some_and(|ring| ring.id == id) {
                rings.apply(&user, None);
            }
        });
    }
}

impl Inner {
    fn users(&self) -> MutexGuard<'_, HashMap<UserId, watch::Sender<Option<Ring>>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user's ring, also one that has ended.
    fn known(&self, user: &UserId) -> Option<Ring> {
        self.users().get(user).and_then(|known| known.borrow().clone())
    }

    /// The ring that is on.
    fn ringing(&self, user: &UserId) -> Option<Ring> {
        self.known(user).filter(Ring::is_on)
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<(UserId, RingEndReason)>>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut users = self.rings.0.users();
        // This one still counts.
        let is_last = |to: &watch::Sender<Option<Ring>>| to.receiver_count() <= 1 && to.borrow().is_none();
        if users.get(&self.user).is_some_and(is_last) {
            users.remove(&self.user);
        }
    }
}

impl Calling {
    /// Takes it back before anything else is done.
    pub(crate) async fn cancel(mut self) {
        let users = std::mem::take(&mut self.users);
        join_all(users.iter().map(|user| self.rings.end(user, self.id, RingEndReason::Cancelled))).await;
    }

    /// How many are rung.
    pub(crate) fn users(&self) -> usize {
        self.users.len()
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let (rings, id) = (self.rings.clone(), self.id);
        rings.0.callers().remove(&id);
        let users = std::mem::take(&mut self.users);
        if users.is_empty() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            for user in users {
                rings.end(&user, id, RingEndReason::Cancelled).await;
            }
        });
    }
}

#[cfg(test)]
mod tests;
