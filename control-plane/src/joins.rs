//! Every user's [`JoinHistory`], where it can be changed by one at a time: in etcd, so that it counts
//! across replicas, or in this process's memory.

#[cfg(feature = "etcd")]
mod in_etcd;

use crate::policy::join_history::{JoinHistory, JoinLimits, Wait};
use crate::refusal::Refusal;
use railgun_protocol::ids::UserId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Users whose joins are remembered at once; each is forgotten a minute after the last.
const USERS_MAX: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Joins {
    limits: JoinLimits,
    /// All there is, or what to go by while etcd does not answer.
    histories: Mutex<HashMap<UserId, JoinHistory>>,
    #[cfg(feature = "etcd")]
    shared: Option<in_etcd::Shared>,
}

impl Joins {
    pub(crate) fn new(limits: JoinLimits) -> Self {
        Self {
            limits,
            histories: Mutex::default(),
            #[cfg(feature = "etcd")]
            shared: None,
        }
    }

    /// Counted together with all replicas that have the same etcd. `kind` tells apart what is
    /// counted apart.
    #[cfg(feature = "etcd")]
    pub(crate) fn shared(
        limits: JoinLimits,
        kind: &'static str,
        store: railgun_etcd::Store,
        leases: railgun_etcd::SharedLeases,
    ) -> Self {
        Self { shared: Some(in_etcd::Shared::new(store, leases, kind)), ..Self::new(limits) }
    }

    /// Counts a join that is asked for at `now` (Unix milliseconds), or refuses it.
    pub(crate) async fn ask(&self, user: &UserId, now: u64) -> Result<(), Refusal> {
        let asked = self.change(user, now, |history| history.ask(self.limits, now)).await;
        asked.unwrap_or(Err(Wait::TooMany(1000))).map_err(refusal)
    }

    /// [`Self::ask`] for a join that is not counted.
    pub(crate) async fn ask_uncounted(&self, user: &UserId, now: u64) -> Result<(), Refusal> {
        let asked = self.change(user, now, |history| history.barred(now)).await;
        asked.unwrap_or(Ok(())).map_err(refusal)
    }

    pub(crate) async fn succeeded(&self, user: &UserId, now: u64) {
        self.change(user, now, |history| history.succeeded(now)).await;
    }

    /// Keeps a user from joining until then.
    pub(crate) async fn bar(&self, user: &UserId, until: u64, now: u64) {
        self.change(user, now, |history| history.bar(until)).await;
    }

    /// Whether this replica knows of a time for which the user was kicked.
    pub(crate) fn is_barred_here(&self, user: &UserId, now: u64) -> bool {
        let histories = self.histories.lock().unwrap_or_else(PoisonError::into_inner);
        histories.get(user).is_some_and(|history| history.barred(now).is_err())
    }

    /// The one place that reads and writes a history. None: there is no room for another user.
    #[cfg_attr(not(feature = "etcd"), expect(clippy::unused_async, reason = "etcd has to be asked"))]
    async fn change<T: Send>(
        &self,
        user: &UserId,
        now: u64,
        change: impl Fn(&mut JoinHistory) -> T + Sync,
    ) -> Option<T> {
        let change = |history: &mut JoinHistory| {
            history.clamp(now);
            change(history)
        };
        #[cfg(feature = "etcd")]
        if let Some(shared) = &self.shared
            && let Some((changed, history)) = shared.change(user, self.limits, now, &change).await
        {
            self.change_here(user, now, &|known: &mut JoinHistory| known.clone_from(&history));
            return Some(changed);
        }
        self.change_here(user, now, &change)
    }

    fn change_here<T>(&self, user: &UserId, now: u64, change: &impl Fn(&mut JoinHistory) -> T) -> Option<T> {
        let mut histories = self.histories.lock().unwrap_or_else(PoisonError::into_inner);
        if histories.len() >= USERS_MAX && !histories.contains_key(user) {
            histories.retain(|_, history| !history.is_over(self.limits, now));
            if histories.len() >= USERS_MAX {
                return None;
            }
        }
        let history = histories.entry(user.clone()).or_default();
        let changed = change(history);
        if history.is_over(self.limits, now) {
            histories.remove(user);
        }
        Some(changed)
    }
}

fn refusal(wait: Wait) -> Refusal {
    match wait {
        Wait::TooMany(wait) => Refusal::TooManyJoins { wait },
        Wait::TooSoon(wait) => Refusal::JoinedTooSoon { wait },
        Wait::Barred(wait) => Refusal::Kicked { wait },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_protocol::signal::ErrorCode;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    #[tokio::test]
    async fn a_refusal_says_for_how_long_and_concerns_one_user() {
        let joins = Joins::new(JoinLimits::default());
        joins.ask(&user("ada"), 1000).await.unwrap();
        joins.succeeded(&user("ada"), 1000).await;
        let refused = joins.ask(&user("ada"), 2000).await.unwrap_err().body();
        assert_eq!((refused.code, &refused.details["retryAfterMs"]), (ErrorCode::RateLimited, &4000.into()));
        joins.ask_uncounted(&user("ada"), 2000).await.unwrap();
        joins.ask(&user("bob"), 2000).await.unwrap();
        joins.bar(&user("bob"), 9000, 2000).await;
        assert_eq!(
            joins.ask_uncounted(&user("bob"), 8999).await.unwrap_err().code(),
            ErrorCode::PermissionDenied
        );
    }

    #[tokio::test]
    async fn a_user_whose_joins_no_longer_count_is_forgotten() {
        let joins = Joins::new(JoinLimits::default());
        joins.ask_uncounted(&user("ada"), 0).await.unwrap();
        assert!(joins.histories.lock().unwrap().is_empty());
    }
}
