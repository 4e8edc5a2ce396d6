//! The sessions of this process by user: how many there are, how to reach them, and the end of all.

use railgun_shared::ids::{DeviceId, UserId};
use railgun_shared::limits;
use railgun_shared::media_rpc::Address;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, watch};

/// Sessions one replica takes; at about 50 KB each, a gigabyte.
const SESSIONS_MAX: usize = 20_000;
/// Notices that wait for a session; a second of the same kind tells nothing new.
const NOTICES_MAX: usize = 4;

/// What one session of a user has to tell another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The same user joined this room from the same device.
    Replaced(Address),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_user: Mutex<HashMap<UserId, Vec<Entry>>>,
    total: watch::Sender<usize>,
    stopping: watch::Sender<bool>,
}

#[derive(Debug)]
struct Entry {
    device: Option<DeviceId>,
    notices: mpsc::Sender<Notice>,
}

/// A session that counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    inner: Arc<Inner>,
    user: UserId,
    notices: mpsc::Sender<Notice>,
}

impl Registry {
    /// None if this user, or this replica, has as many sessions as it may.
    pub(crate) fn register(
        &self,
        user: &UserId,
        device: Option<DeviceId>,
    ) -> Option<(Registered, mpsc::Receiver<Notice>)> {
        let mut by_user = self.inner.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.inner.total.borrow() >= SESSIONS_MAX {
            return None;
        }
        let of_user = by_user.entry(user.clone()).or_default();
        if of_user.len() >= limits::SESSIONS_PER_USER {
            return None;
        }
        let (notices, told) = mpsc::channel(NOTICES_MAX);
        of_user.push(Entry { device, notices: notices.clone() });
        self.inner.total.send_modify(|total| *total += 1);
        Some((Registered { inner: self.inner.clone(), user: user.clone(), notices }, told))
    }

    pub(crate) fn count(&self) -> usize {
        *self.inner.total.borrow()
    }

    /// True once every session has to end.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.inner.stopping.subscribe()
    }

    /// Ends every session, and returns when none is left.
    pub(crate) async fn end_all(&self) {
        self.inner.stopping.send_replace(true);
        let mut total = self.inner.total.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = total.wait_for(|total| *total == 0).await;
    }
}

impl Registered {
    /// Tells the user's older sessions on this device, in whatever room, that one took their place.
    /// Those of other processes hear it from the room's node, if they are in the same room.
    pub(crate) fn replace_others(&self, device: &DeviceId, seat: &Address) {
        let by_user = self.inner.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        let of_user = by_user.get(&self.user).map(Vec::as_slice).unwrap_or_default();
        let others = of_user.iter().filter(|entry| !entry.notices.same_channel(&self.notices));
        for entry in others.filter(|entry| entry.device.as_ref() == Some(device)) {
            _ = entry.notices.try_send(Notice::Replaced(seat.clone()));
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut by_user = self.inner.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_user) = by_user.get_mut(&self.user) {
            of_user.retain(|entry| !entry.notices.same_channel(&self.notices));
            if of_user.is_empty() {
                by_user.remove(&self.user);
            }
        }
        self.inner.total.send_modify(|total| *total = total.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_shared::ids::ChannelId;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    #[test]
    fn a_user_has_so_many_sessions_and_no_more() {
        let registry = Registry::default();
        let (ada, bob) = (user("ada"), user("bob"));
        let register = |user: &UserId| registry.register(user, None);
        let mut held: Vec<_> = (0..limits::SESSIONS_PER_USER).map(|_| register(&ada)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(register(&ada).is_none());
        assert!(register(&bob).is_some());
        held.pop();
        assert!(register(&ada).is_some());
        drop(held);
        assert!(registry.inner.by_user.lock().unwrap().is_empty());
        assert_eq!(registry.count(), 0);
    }

    #[test]
    fn only_the_same_users_sessions_on_the_same_device_are_replaced() {
        let registry = Registry::default();
        let device = |name: &str| DeviceId::new(name).unwrap();
        let register = |name: &str, of: Option<&str>| registry.register(&user(name), of.map(device)).unwrap();
        let (_older, mut at_older) = register("ada", Some("laptop"));
        let (_phone, mut at_phone) = register("ada", Some("phone"));
        let (_nameless, mut at_nameless) = register("ada", None);
        let (_bob, mut at_bob) = register("bob", Some("laptop"));
        let (newer, mut at_newer) = register("ada", Some("laptop"));
        let seat = Address { channel: ChannelId::new("c").unwrap(), epoch: 1 };
        newer.replace_others(&device("laptop"), &seat);
        assert_eq!(at_older.try_recv(), Ok(Notice::Replaced(seat)));
        for other in [&mut at_phone, &mut at_nameless, &mut at_bob, &mut at_newer] {
            assert!(other.try_recv().is_err());
        }
    }
}
