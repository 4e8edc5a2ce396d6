//! Histories that replicas share: one key for each user, changed only if nobody changed it meanwhile,
//! under a lease that ends when nothing in it counts any more, shared with all keys that end then.

use crate::policy::join_history::{JoinHistory, JoinLimits};
use railgun_etcd::{EtcdError, Outcome, SharedLeases, Store};
use railgun_protocol::directory::{decode, encode};
use railgun_protocol::ids::UserId;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// A join waits no longer for its count. Then the replica goes by what it knows itself: losing etcd
/// must keep nobody out.
const CHANGE_TIMEOUT: Duration = Duration::from_millis(500);
/// For so long etcd is then left alone, in milliseconds, so that not every join waits.
const REST: u64 = 2000;
/// Conditional writes of one join when other replicas change the same user's count at the same moment; after that,
/// this replica counts alone.
const TRIES: usize = 8;

#[derive(Debug)]
pub(super) struct Shared {
    store: Store,
    leases: SharedLeases,
    kind: &'static str,
    /// Unix milliseconds.
    rests_until: AtomicU64,
}

impl Shared {
    pub(super) fn new(store: Store, leases: SharedLeases, kind: &'static str) -> Self {
        Self { store, leases, kind, rests_until: AtomicU64::new(0) }
    }

    /// What the change gave, and the history after it. None: etcd did not take it.
    pub(super) async fn change<T: Send>(
        &self,
        user: &UserId,
        limits: JoinLimits,
        now: u64,
        change: &(impl Fn(&mut JoinHistory) -> T + Sync),
    ) -> Option<(T, JoinHistory)> {
        if now < self.rests_until.load(Ordering::Relaxed) {
            return None;
        }
        match timeout(CHANGE_TIMEOUT, self.try_change(user, limits, now, change)).await {
            Ok(Ok(changed)) => return changed,
            Ok(Err(error)) => tracing::debug!(%error, "joins are counted by this replica alone"),
            Err(_) => tracing::debug!("etcd is slow: joins are counted by this replica alone"),
        }
        self.rests_until.store(now.saturating_add(REST), Ordering::Relaxed);
        None
    }

    async fn try_change<T: Send>(
        &self,
        user: &UserId,
        limits: JoinLimits,
        now: u64,
        change: &(impl Fn(&mut JoinHistory) -> T + Sync),
    ) -> Result<Option<(T, JoinHistory)>, EtcdError> {
        let key = format!("{}{}", self.store.keys().joins(user), self.kind);
        let mut there = self.store.read(&key).await?;
        for _ in 0..TRIES {
            let before: JoinHistory =
                there.as_ref().and_then(|entry| decode(&entry.value)).unwrap_or_default();
            let mut history = before.clone();
            let changed = change(&mut history);
            if history == before {
                return Ok(Some((changed, history)));
            }
            let counts_for = Duration::from_millis(history.counts_until(limits).saturating_sub(now));
            // A second more, for clocks that differ.
            let lease = self.leases.lasting(counts_for + Duration::from_secs(1)).await?;
            let revision = there.as_ref().map_or(0, |entry| entry.mod_revision);
            match self.store.put_if(&key, revision, &encode(&history), Some(lease)).await {
                Ok(Outcome::Done(_)) => return Ok(Some((changed, history))),
                Ok(Outcome::Changed(entry)) => there = entry,
                Err(EtcdError::LeaseGone) => self.leases.forget(lease).await,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Joins;
    use super::*;
    use crate::refusal::Refusal;
    use railgun_etcd::testing::EtcdServer;
    use railgun_protocol::signal::ErrorCode;
    use std::time::Instant;

    const LIMITS: JoinLimits = JoinLimits { per_minute: 10, cooldown: 0 };

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn replica(etcd: &EtcdServer, limits: JoinLimits) -> Joins {
        Joins::shared(limits, "calls", etcd.store(), SharedLeases::new(etcd.store()))
    }

    #[tokio::test]
    async fn two_replicas_count_one_users_joins_together() {
        let etcd = EtcdServer::start().await.unwrap();
        let (one, two) = (replica(&etcd, LIMITS), replica(&etcd, LIMITS));
        for at in 0..5 {
            one.ask(&user("ada"), 1000 + at).await.unwrap();
            two.ask(&user("ada"), 1000 + at).await.unwrap();
        }
        for joins in [&one, &two] {
            let refused = joins.ask(&user("ada"), 2000).await.unwrap_err().body();
            assert_eq!(
                (refused.code, &refused.details["retryAfterMs"]),
                (ErrorCode::RateLimited, &59_000.into())
            );
            joins.ask(&user("bob"), 2000).await.unwrap();
        }
        one.ask(&user("ada"), 61_000).await.unwrap();

        // A network test is not a join.
        let tests = Joins::shared(LIMITS, "tests", etcd.store(), SharedLeases::new(etcd.store()));
        tests.ask(&user("ada"), 2000).await.unwrap();
    }

    #[tokio::test]
    async fn a_cooldown_and_a_kick_hold_at_every_replica() {
        let etcd = EtcdServer::start().await.unwrap();
        let limits = JoinLimits { per_minute: 0, cooldown: 5000 };
        let (one, two) = (replica(&etcd, limits), replica(&etcd, limits));
        one.succeeded(&user("ada"), 1000).await;
        let refused = two.ask(&user("ada"), 3000).await.unwrap_err().body();
        assert_eq!(refused.details["retryAfterMs"], 3000);
        two.bar(&user("ada"), 300_000, 7000).await;
        let refused = one.ask_uncounted(&user("ada"), 8000).await.unwrap_err().body();
        assert_eq!(refused.code, ErrorCode::PermissionDenied);

        let key = format!("{}calls", etcd.store().keys().joins(&user("ada")));
        assert!(etcd.store().read(&key).await.unwrap().is_some_and(|entry| entry.lease != 0));
    }

    #[tokio::test]
    async fn a_hundred_joins_take_a_lease_or_two() {
        let etcd = EtcdServer::start().await.unwrap();
        let joins = replica(&etcd, JoinLimits::default());
        for number in 0..100 {
            let ada = user(&format!("ada-{number}"));
            joins.ask(&ada, 1000).await.unwrap();
            joins.succeeded(&ada, 1000).await;
        }
        let leases = etcd.leases().await.unwrap();
        // Another ten seconds may have begun meanwhile, once or twice on a slow machine.
        assert!((1..=4).contains(&leases), "{leases} leases");
    }

    #[tokio::test]
    async fn a_shared_lease_that_is_gone_is_replaced() {
        let etcd = EtcdServer::start().await.unwrap();
        let (one, two) = (replica(&etcd, LIMITS), replica(&etcd, LIMITS));
        one.ask(&user("ada"), 1000).await.unwrap();
        let key = format!("{}calls", etcd.store().keys().joins(&user("ada")));
        let lease = etcd.store().read(&key).await.unwrap().unwrap().lease;
        etcd.store().revoke(lease).await.unwrap();
        for at in 0..10 {
            one.ask(&user("ada"), 1001 + at).await.unwrap();
        }
        assert_eq!(two.ask(&user("ada"), 2000).await.unwrap_err().code(), ErrorCode::RateLimited);
    }

    #[tokio::test]
    async fn a_clock_five_minutes_ahead_at_one_replica_locks_nobody_out_at_another() {
        let etcd = EtcdServer::start().await.unwrap();
        let limits = JoinLimits { per_minute: 3, cooldown: 5000 };
        let (ahead, right) = (replica(&etcd, limits), replica(&etcd, limits));
        let (now, skew) = (1_000_000, 300_000);
        for at in 0..3 {
            ahead.ask(&user("ada"), now + skew + at).await.unwrap();
        }
        ahead.succeeded(&user("ada"), now + skew).await;
        // As if all of it had been asked for now: the limits hold, and no longer than they say.
        let wait = |refused: Refusal| refused.body().details["retryAfterMs"].clone();
        assert_eq!(wait(right.ask(&user("ada"), now).await.unwrap_err()), 60_000);
        assert_eq!(wait(right.ask(&user("ada"), now + 59_000).await.unwrap_err()), 1000);
        right.ask(&user("ada"), now + 60_000).await.unwrap();
    }

    #[tokio::test]
    async fn without_etcd_a_replica_goes_by_what_it_knows_and_nobody_waits_long() {
        let mut etcd = EtcdServer::start().await.unwrap();
        let (one, two) = (replica(&etcd, LIMITS), replica(&etcd, LIMITS));
        for at in 0..5 {
            two.ask(&user("ada"), 1000 + at).await.unwrap();
            one.ask(&user("ada"), 1000 + at).await.unwrap();
        }
        etcd.kill();
        let asked = Instant::now();
        let refused = one.ask(&user("ada"), 2000).await.unwrap_err().body();
        assert!(asked.elapsed() < Duration::from_secs(1));
        assert_eq!(refused.code, ErrorCode::RateLimited);
        one.ask(&user("bob"), 2000).await.unwrap();

        etcd.start_again().await.unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        // Another replica hears of this one's joins again.
        for at in 0.. {
            let now = 10_000 + at * 3000;
            one.bar(&user("eve"), 10_000_000, now).await;
            if two.ask_uncounted(&user("eve"), now).await.is_err() {
                break;
            }
            assert!(Instant::now() < until);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
