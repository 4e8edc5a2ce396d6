//! The sessions of this process by user: how many there are, and the end of all.

use railgun_shared::ids::UserId;
use railgun_shared::limits;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Sessions one replica takes; at about 50 KB each, a gigabyte.
const SESSIONS_MAX: usize = 20_000;

#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_user: Mutex<HashMap<UserId, usize>>,
    total: watch::Sender<usize>,
    stopping: watch::Sender<bool>,
}

/// A session that counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    inner: Arc<Inner>,
    user: UserId,
}

impl Registry {
    /// None if this user, or this replica, has as many sessions as it may.
    pub(crate) fn register(&self, user: &UserId) -> Option<Registered> {
        let mut by_user = self.inner.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.inner.total.borrow() >= SESSIONS_MAX {
            return None;
        }
        let of_user = by_user.entry(user.clone()).or_default();
        if *of_user >= limits::SESSIONS_PER_USER {
            return None;
        }
        *of_user += 1;
        self.inner.total.send_modify(|total| *total += 1);
        Some(Registered { inner: self.inner.clone(), user: user.clone() })
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

impl Drop for Registered {
    fn drop(&mut self) {
        let mut by_user = self.inner.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_user) = by_user.get_mut(&self.user) {
            *of_user = of_user.saturating_sub(1);
            if *of_user == 0 {
                by_user.remove(&self.user);
            }
        }
        self.inner.total.send_modify(|total| *total = total.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    #[test]
    fn a_user_has_so_many_sessions_and_no_more() {
        let registry = Registry::default();
        let (ada, bob) = (user("ada"), user("bob"));
        let register = |user: &UserId| registry.register(user);
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
}
