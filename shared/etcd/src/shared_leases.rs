//! Leases that short-lived keys share: one for all keys whose time is over in the same ten seconds, so
//! that etcd has a few of them however often such a key is written.

use crate::error::EtcdError;
use crate::store::{LeaseId, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A key outlives its time by no more than this.
const ROTATION: Duration = Duration::from_secs(10);
/// Leases that are remembered. Keys of so many different times get one each, as if nothing were shared.
const REMEMBERED_MAX: usize = 1024;

/// Clones share the leases.
#[derive(Clone, Debug)]
pub struct SharedLeases {
    store: Store,
    started: Instant,
    /// By the number of the ten seconds since `started` in which they end.
    leases: Arc<Mutex<BTreeMap<u64, LeaseId>>>,
}

impl SharedLeases {
    /// No lease is granted before the first is asked for.
    pub fn new(store: Store) -> Self {
        Self { store, started: Instant::now(), leases: Arc::default() }
    }

    /// A lease that lasts for `ttl` from now at least, and ten seconds and one more at most.
    pub async fn lasting(&self, ttl: Duration) -> Result<LeaseId, EtcdError> {
        let now = self.started.elapsed();
        let (ends, left) = rotation_of(now, ttl);
        // Held over the request: whoever comes meanwhile wants the same one.
        let mut leases = self.leases.lock().await;
        if let Some(lease) = leases.get(&ends) {
            return Ok(*lease);
        }
        let is_over = |number: &u64| *number < now.as_secs() / ROTATION.as_secs();
        while leases.first_key_value().is_some_and(|(number, _)| is_over(number)) {
            leases.pop_first();
        }
        let lease = self.store.grant(left).await?;
        if leases.len() < REMEMBERED_MAX {
            leases.insert(ends, lease);
        }
        Ok(lease)
    }

    /// etcd says that this one is gone: nobody is given it any more.
    pub async fn forget(&self, lease: LeaseId) {
        self.leases.lock().await.retain(|_, of| *of != lease);
    }
}

/// In which ten seconds a key ends that lasts for `ttl`, and how long a lease has to last for all of them,
/// in whole seconds.
fn rotation_of(now: Duration, ttl: Duration) -> (u64, Duration) {
    let ends = (now + ttl).as_secs() / ROTATION.as_secs() + 1;
    let end = Duration::from_secs(ends * ROTATION.as_secs());
    let left = end.saturating_sub(now);
    (ends, Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lasts_as_long_as_asked_and_at_most_ten_seconds_and_one_more() {
        for now in (0..40_000).step_by(37).map(Duration::from_millis) {
            for ttl in [1, 7, 62, 300].map(Duration::from_secs) {
                let (ends, left) = rotation_of(now, ttl);
                let end = Duration::from_secs(ends * 10);
                assert!(now + left >= end && left >= ttl && left <= ttl + ROTATION + Duration::from_secs(1));
                // Whoever is given the same one later has its time too.
                let later = end.saturating_sub(ttl + Duration::from_millis(1));
                assert!(later < now || rotation_of(later, ttl).0 == ends);
            }
        }
    }
}
