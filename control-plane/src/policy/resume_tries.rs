//! For how long a client may come back with a session whose node this replica cannot ask: as long as the
//! session's window may last. After that it is told that the session is gone, so that nobody circles
//! among replicas for good.

use railgun_protocol::ids::{SessionId, UserId};
use railgun_protocol::limits::{RESUME_WINDOW_MAX, SESSIONS_PER_USER};
use std::collections::HashMap;

/// Users whose tries are remembered; one more is refused at once.
const USERS_MAX: usize = 20_000;
/// A try this much later than the one before belongs to another loss, in milliseconds. Clients wait
/// 16 s at most, and there may be a few replicas.
const APART: u64 = 45_000;
const WINDOW: u64 = RESUME_WINDOW_MAX.as_secs() * 1000;

/// Times are milliseconds of one monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct ResumeTries {
    /// At most [`SESSIONS_PER_USER`] each: what a client shows is not yet known to be its own.
    of_users: HashMap<UserId, Vec<Tries>>,
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    session: SessionId,
    first: u64,
    last: u64,
}

impl ResumeTries {
    /// A session could not be asked for. Whether its client may try again.
    pub(crate) fn may_try_again(&mut self, user: &UserId, session: SessionId, now: u64) -> bool {
        if self.of_users.len() >= USERS_MAX && !self.of_users.contains_key(user) {
            self.of_users.retain(|_, tries| tries.iter().any(|it| !it.is_over(now)));
            if self.of_users.len() >= USERS_MAX {
                return false;
            }
        }
        let tries = self.of_users.entry(user.clone()).or_default();
        tries.retain(|it| !it.is_over(now));
        if let Some(it) = tries.iter_mut().find(|it| it.session == session) {
            it.last = now;
            return now.saturating_sub(it.first) < WINDOW;
        }
        if tries.len() >= SESSIONS_PER_USER {
            return false;
        }
        tries.push(Tries { session, first: now, last: now });
        true
    }

    /// The node had its say.
    pub(crate) fn done(&mut self, user: &UserId, session: SessionId) {
        let Some(tries) = self.of_users.get_mut(user) else { return };
        tries.retain(|it| it.session != session);
        if tries.is_empty() {
            self.of_users.remove(user);
        }
    }
}

impl Tries {
    fn is_over(&self, now: u64) -> bool {
        now.saturating_sub(self.last) > APART
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn session(bits: u128) -> SessionId {
        SessionId::from_bits(bits)
    }

    #[test]
    fn who_comes_back_all_the_time_is_refused_after_a_minute_and_stays_so() {
        let (mut tries, ada) = (ResumeTries::default(), user("ada"));
        let outcomes = (0..30).map(|try_| tries.may_try_again(&ada, session(1), 1000 + try_ * 5000));
        let outcomes: Vec<bool> = outcomes.collect();
        assert_eq!(outcomes, (0..30).map(|try_| try_ * 5000 < WINDOW).collect::<Vec<_>>());
        assert!(tries.may_try_again(&ada, session(2), 1000), "another session has its own time");
    }

    #[test]
    fn another_loss_has_a_window_of_its_own() {
        let (mut tries, ada) = (ResumeTries::default(), user("ada"));
        assert!(tries.may_try_again(&ada, session(1), 0));
        assert!(tries.may_try_again(&ada, session(1), WINDOW + APART), "much later");
        assert!(tries.may_try_again(&ada, session(1), WINDOW + APART + 30_000));
        tries.done(&ada, session(1));
        assert!(tries.of_users.is_empty());
        assert!(tries.may_try_again(&ada, session(1), WINDOW * 2 + APART), "it was taken up meanwhile");
    }

    #[test]
    fn made_up_sessions_take_no_memory_and_no_time() {
        let mut tries = ResumeTries::default();
        let allowed = (0..100).filter(|bits| tries.may_try_again(&user("eve"), session(*bits), 0)).count();
        assert_eq!(allowed, SESSIONS_PER_USER);
        for number in 1..USERS_MAX {
            tries.may_try_again(&user(&format!("u{number}")), session(1), 0);
        }
        assert!(!tries.may_try_again(&user("late"), session(1), 1));
        assert!(tries.may_try_again(&user("later"), session(1), APART + 1), "those before are forgotten");
        assert_eq!(tries.of_users.len(), 1);
    }
}
