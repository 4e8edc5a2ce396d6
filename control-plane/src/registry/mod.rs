//! The sessions of this process by user: how many there are, and the end of all. With etcd, those of
//! every replica count together.
//!
//! Whoever has as many sessions as one may gets another only in the place of one that is over anyway:
//! the one that the new socket takes up, or an older one of the same device.

#[cfg(feature = "etcd")]
mod in_etcd;
mod table;

use crate::ending::EndSignal;
use railgun_protocol::ids::{DeviceId, SessionId, UserId};
use railgun_protocol::limits;
use std::sync::Arc;
use table::{Held, SESSIONS_MAX, Table, instead_of};
use tokio::sync::watch;
#[cfg(feature = "etcd")]
use tokio::task::JoinHandle;

/// Places among these for sockets that take a session up.
const SESSIONS_RESERVE: usize = 1000;

#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    table: Arc<Table>,
    total: watch::Sender<usize>,
    stopping: watch::Sender<bool>,
    #[cfg(feature = "etcd")]
    shared: Option<Arc<in_etcd::Slots>>,
}

/// A socket that wants to be a session.
#[derive(Debug)]
pub(crate) struct Newcomer {
    pub(crate) user: UserId,
    pub(crate) device: Option<DeviceId>,
    /// The session that it wants to take up.
    pub(crate) resumes: Option<SessionId>,
    /// Said when another socket gets its place.
    pub(crate) ending: EndSignal,
}

/// A session that counts until this is dropped.
#[derive(Debug)]
pub(crate) struct SessionGuard {
    inner: Arc<Inner>,
    user: UserId,
    id: SessionId,
}

impl SessionGuard {
    /// What a session is called that takes up no other.
    pub(crate) fn id(&self) -> SessionId {
        self.id
    }
}

impl Registry {
    /// Counted together with all replicas that have the same etcd, by a task of its own.
    #[cfg(feature = "etcd")]
    pub(crate) fn shared(
        store: railgun_etcd::Store,
        leases: railgun_etcd::SharedLeases,
        replica: crate::clock_watch::Replica,
    ) -> (Self, JoinHandle<()>) {
        let slots = in_etcd::Slots::new(store, leases, replica);
        let slots = Arc::new(slots);
        let inner = Inner { shared: Some(slots.clone()), ..Inner::default() };
        let task = tokio::spawn(in_etcd::keep(inner.table.clone(), slots));
        (Self { inner: Arc::new(inner) }, task)
    }

    /// None if this user, or this replica, has as many sessions as it may.
    #[cfg_attr(not(feature = "etcd"), expect(clippy::unused_async, reason = "etcd has to be asked"))]
    pub(crate) async fn register(&self, newcomer: Newcomer) -> Option<SessionGuard> {
        let registered = self.register_here(newcomer)?;
        #[cfg(feature = "etcd")]
        if let Some(slots) = &self.inner.shared {
            let held = self.inner.table.find(&registered.user, registered.id)?;
            let lease = slots.claim(&registered.user, &held).await?;
            self.inner.table.is_under(&registered.user, registered.id, lease);
        }
        Some(registered)
    }

    fn register_here(&self, Newcomer { user, device, resumes, ending }: Newcomer) -> Option<SessionGuard> {
        let mut by_user = self.inner.table.by_user();
        let reserve = if resumes.is_some() { 0 } else { SESSIONS_RESERVE };
        if *self.inner.total.borrow() >= SESSIONS_MAX - reserve {
            return None;
        }
        let id = SessionId::from_bits(rand::random());
        let held = Held {
            id,
            session: resumes.unwrap_or(id),
            device,
            ending,
            #[cfg(feature = "etcd")]
            lease: None,
        };
        let of_user = by_user.entry(user.clone()).or_default();
        if of_user.len() >= limits::SESSIONS_PER_USER {
            let places = of_user.iter().map(|held| (&held.session, held.device.as_ref()));
            let (place, end) = instead_of(&held.session, held.device.as_ref(), places)?;
            of_user.remove(place).ending.set(end);
        }
        of_user.push(held);
        self.inner.total.send_modify(|total| *total += 1);
        Some(SessionGuard { inner: self.inner.clone(), user, id })
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
        #[cfg(feature = "etcd")]
        if let Some(slots) = &self.inner.shared {
            slots.give_up().await;
        }
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.inner.table.remove(&self.user, self.id);
        #[cfg(feature = "etcd")]
        if let Some(slots) = &self.inner.shared {
            slots.release_soon(self.user.clone(), self.id);
        }
        self.inner.total.send_modify(|total| *total = total.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::EndReason;

    fn newcomer(user: &str, device: Option<&str>) -> Newcomer {
        Newcomer {
            user: UserId::new(user).unwrap(),
            device: device.map(|device| DeviceId::new(device).unwrap()),
            resumes: None,
            ending: EndSignal::new(),
        }
    }

    #[tokio::test]
    async fn a_user_has_so_many_sessions_and_no_more() {
        let registry = Registry::default();
        let mut held = Vec::new();
        for _ in 0..limits::SESSIONS_PER_USER {
            held.push(registry.register(newcomer("ada", None)).await.unwrap());
        }
        assert!(registry.register(newcomer("ada", None)).await.is_none());
        assert!(registry.register(newcomer("bob", None)).await.is_some());
        held.pop();
        assert!(registry.register(newcomer("ada", None)).await.is_some());
        drop(held);
        assert!(registry.inner.table.by_user().is_empty());
        assert_eq!(registry.count(), 0);
    }

    #[tokio::test]
    async fn who_has_all_gets_another_in_the_place_of_the_same_session_or_device() {
        let registry = Registry::default();
        let (mut held, mut endings) = (Vec::new(), Vec::new());
        for number in 0..limits::SESSIONS_PER_USER {
            let newcomer = newcomer("ada", Some(&format!("d{number}")));
            endings.push(newcomer.ending.clone());
            held.push(registry.register(newcomer).await.unwrap());
        }
        let ended = |number: usize| *endings[number].subscribe().borrow();
        held.push(registry.register(newcomer("ada", Some("d3"))).await.unwrap());
        assert_eq!(ended(3), Some(EndReason::Replaced));
        let taking_up = Newcomer { resumes: Some(held[1].id()), ..newcomer("ada", Some("d2")) };
        held.push(registry.register(taking_up).await.unwrap());
        assert_eq!((ended(1), ended(2)), (Some(EndReason::Lost), None));
        assert!(registry.register(newcomer("ada", Some("d9"))).await.is_none());
        // The sockets whose places were given away free none when they end.
        held.remove(3);
        assert!(registry.register(newcomer("ada", None)).await.is_none());
    }
}
