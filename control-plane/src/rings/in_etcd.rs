//! Rings that replicas share: one key for each user who is called, under a lease a little longer than the ring.

use super::ring::Ring;
use crate::clock::unix_millis;
use railgun_etcd::{EtcdError, Outcome, PrefixWatch, SharedLeases, Store, Update};
use railgun_protocol::directory::{decode, encode};
use railgun_protocol::ids::UserId;
use railgun_protocol::limits::RING_DURATION;
use railgun_protocol::signal::RingEndReason;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;

const CHANGE_TIMEOUT: Duration = Duration::from_secs(1);
/// Conditional writes of one change while others change the same key.
const TRIES: usize = 5;
/// A second more, for clocks that differ.
const LEASE: Duration = RING_DURATION.saturating_add(Duration::from_secs(1));

#[derive(Debug)]
pub(super) struct Shared {
    store: Store,
    leases: SharedLeases,
}

/// The keys of those who are called, and their prefix.
pub(super) fn watch(store: &Store) -> (PrefixWatch, String) {
    let prefix = store.keys().rings();
    (store.watch_prefix(prefix.clone()), prefix)
}

/// `apply`: what is known of a user from now on.
pub(super) async fn follow(
    (mut watch, prefix): (PrefixWatch, String),
    apply: impl Fn(&UserId, Option<Ring>),
) {
    let user_of = |key: &str| key.strip_prefix(&prefix).and_then(|name| UserId::new(name).ok());
    loop {
        match watch.next().await {
            Update::Put(entry) => {
                let Some(ring) = decode::<Ring>(&entry.value) else { continue };
                // Its lease lasts a little longer, and the watch may begin anew meanwhile.
                let is_current = ring.until > unix_millis(SystemTime::now());
                if let Some(user) = user_of(&entry.key).filter(|_| is_current) {
                    apply(&user, Some(ring));
                }
            }
            Update::Deleted(key) => {
                if let Some(user) = user_of(&key) {
                    apply(&user, None);
                }
            }
            Update::Synced(_) | Update::Lost => {}
        }
    }
}

impl Shared {
    pub(super) fn new(store: Store, leases: SharedLeases) -> Self {
        Self { store, leases }
    }

    /// None: etcd did not take it.
    pub(super) async fn begin(&self, user: &UserId, ring: &Ring) -> Option<bool> {
        let begun = self.change(user, |before| match before {
            Some(before) if before.is_on() => None,
            _ => Some(ring.clone()),
        });
        match timeout(CHANGE_TIMEOUT, begun).await.ok()? {
            Ok(begun) => Some(begun),
            Err(error) => {
                tracing::warn!(%error, "a call could not be made to ring");
                None
            }
        }
    }

    pub(super) async fn end(&self, user: &UserId, id: u64, how: RingEndReason) {
        let ended = self.change(user, |before| {
            let before = before.filter(|before| before.is_on() && before.id == id)?;
            Some(Ring { ended: Some(how), ..before })
        });
        match timeout(CHANGE_TIMEOUT, ended).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a ring ends by its time alone"),
            Err(_) => tracing::warn!("etcd is slow: a ring ends by its time alone"),
        }
    }

    /// False: `change` wanted none, or others were always faster.
    async fn change(
        &self,
        user: &UserId,
        change: impl Fn(Option<Ring>) -> Option<Ring>,
    ) -> Result<bool, EtcdError> {
        let key = self.store.keys().ring(user);
        let mut there = self.store.read(&key).await?;
        for _ in 0..TRIES {
            let Some(ring) = change(there.as_ref().and_then(|entry| decode(&entry.value))) else {
                return Ok(false);
            };
            let lease = self.leases.lasting(LEASE).await?;
            let revision = there.as_ref().map_or(0, |entry| entry.mod_revision);
            match self.store.put_if(&key, revision, &encode(&ring), Some(lease)).await {
                Ok(Outcome::Done(_)) => return Ok(true),
                Ok(Outcome::Changed(entry)) => there = entry,
                Err(EtcdError::LeaseGone) => self.leases.forget(lease).await,
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}
