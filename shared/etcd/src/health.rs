//! How etcd is, as this process's own requests find it: whether it answers, whether it takes writes, and
//! when our lease was last renewed. Said at a change, and once a minute while it is not well.

use crate::error::EtcdError;
use crate::retry::may_pass;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// A member that dies costs a request or two; only what lasts longer is an outage.
const OUTAGE_MIN: Duration = Duration::from_secs(2);
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
const SAID_AGAIN: Duration = Duration::from_secs(60);

/// Whether new rooms can be opened, as far as etcd goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Requests are answered and writes taken, or have failed for less than 2 s.
    Well,
    /// No request was answered for this long.
    Away(Duration),
    /// Writes have been refused for this long, because its database has reached its quota.
    Full(Duration),
}

/// Written by every request, read by readiness and metrics. Times are milliseconds since `started`.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    answered_at: AtomicU64,
    /// The last request was not answered.
    is_unanswered: AtomicBool,
    is_full: AtomicBool,
    full_since: AtomicU64,
    refused_writes: AtomicU64,
    unanswered: AtomicU64,
    renewed_at: AtomicU64,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            answered_at: AtomicU64::new(0),
            is_unanswered: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            full_since: AtomicU64::new(0),
            refused_writes: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            renewed_at: AtomicU64::new(0),
        }
    }
}

impl Health {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn since(&self, at: u64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(at))
    }

    /// How a request came out, after all its tries. `is_write`: it would have added something to etcd's database.
    pub(crate) fn note(&self, error: Option<&EtcdError>, is_write: bool) {
        match error {
            Some(EtcdError::Full) => {
                self.answered();
                self.refused_writes.fetch_add(1, Ordering::Relaxed);
                if !self.is_full.swap(true, Ordering::Relaxed) {
                    self.full_since.store(self.now(), Ordering::Relaxed);
                }
            }
            Some(error) if may_pass(error) => {
                self.unanswered.fetch_add(1, Ordering::Relaxed);
                self.is_unanswered.store(true, Ordering::Relaxed);
            }
            Some(_) => self.answered(),
            None => {
                self.answered();
                if is_write {
                    self.is_full.store(false, Ordering::Relaxed);
                }
            }
        }
    }

    fn answered(&self) {
        self.answered_at.store(self.now(), Ordering::Relaxed);
        self.is_unanswered.store(false, Ordering::Relaxed);
    }

    pub(crate) fn renewed(&self) {
        self.renewed_at.store(self.now(), Ordering::Relaxed);
    }

    /// True while etcd refuses writes for lack of space: rooms cannot be bound.
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// What readiness says of etcd now.
    pub fn condition(&self) -> Condition {
        let silent = self.since(self.answered_at.load(Ordering::Relaxed));
        if self.is_unanswered.load(Ordering::Relaxed) && silent >= OUTAGE_MIN {
            return Condition::Away(silent);
        }
        match self.is_full() {
            true => Condition::Full(self.since(self.full_since.load(Ordering::Relaxed))),
            false => Condition::Well,
        }
    }

    /// Writes that etcd refused for want of space.
    pub fn refused_writes(&self) -> u64 {
        self.refused_writes.load(Ordering::Relaxed)
    }

    /// Requests that were not answered, after all their tries.
    pub fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// Since this process's lease was last renewed; since the start, if it never was.
    pub fn lease_age(&self) -> Duration {
        self.since(self.renewed_at.load(Ordering::Relaxed))
    }

    /// Says how etcd is whenever that changes, and once a minute while it is not well. Never returns.
    /// `endpoints` are where it is.
    pub(crate) async fn watch(&self, endpoints: &str) {
        let mut teller = Teller::default();
        let mut look = interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            match teller.look(self.condition(), Instant::now()) {
                None => {}
                Some(Said::Away(lasted)) => tracing::warn!(
                    endpoints,
                    seconds = lasted.as_secs(),
                    "etcd does not answer: calls go on, no new room can be opened"
                ),
                Some(Said::Full(lasted)) => tracing::warn!(
                    endpoints,
                    seconds = lasted.as_secs(),
                    refused_writes = self.refused_writes(),
                    "etcd refuses writes, its database is full (alarm NOSPACE): calls go on, no new room can \
                     be opened; compact and defragment it or raise its quota, then disarm the alarm"
                ),
                Some(Said::Well { after, was_full: true }) => {
                    tracing::info!(endpoints, seconds = after.as_secs(), "etcd takes writes again");
                }
                Some(Said::Well { after, was_full: false }) => {
                    tracing::info!(endpoints, seconds = after.as_secs(), "etcd answers again");
                }
            }
        }
    }
}

/// What is to be said, and for how long it has been so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Away(Duration),
    Full(Duration),
    Well { after: Duration, was_full: bool },
}

/// Decides when something is said.
#[derive(Debug, Default)]
struct Teller {
    /// What was said last, unless that etcd is well; and when.
    told: Option<(Condition, Instant)>,
}

impl Teller {
    fn look(&mut self, condition: Condition, now: Instant) -> Option<Said> {
        let said = match condition {
            Condition::Well => {
                let (before, at) = self.told.take()?;
                let (Condition::Away(lasted) | Condition::Full(lasted)) = before else { return None };
                let after = lasted + now.saturating_duration_since(at);
                return Some(Said::Well { after, was_full: matches!(before, Condition::Full(_)) });
            }
            Condition::Away(lasted) => Said::Away(lasted),
            Condition::Full(lasted) => Said::Full(lasted),
        };
        if let Some((before, at)) = self.told
            && std::mem::discriminant(&before) == std::mem::discriminant(&condition)
            && now.saturating_duration_since(at) < SAID_AGAIN
        {
            return None;
        }
        self.told = Some((condition, now));
        Some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_outage_is_said_once_then_each_minute_then_its_end() {
        let (mut teller, start) = (Teller::default(), Instant::now());
        assert_eq!(teller.look(Condition::Well, start), None);
        let said: Vec<u64> = (2..302)
            .filter(|second| {
                let lasted = *second * SECOND;
                teller.look(Condition::Away(lasted), start + lasted) == Some(Said::Away(lasted))
            })
            .map(u64::from)
            .collect();
        assert_eq!(said, [2, 62, 122, 182, 242]);
        let back = Said::Well { after: 302 * SECOND, was_full: false };
        assert_eq!(teller.look(Condition::Well, start + 302 * SECOND), Some(back));
        assert_eq!(teller.look(Condition::Well, start + 303 * SECOND), None);
    }

    #[test]
    fn full_and_away_are_two_things() {
        let (mut teller, start) = (Teller::default(), Instant::now());
        assert_eq!(teller.look(Condition::Full(SECOND), start), Some(Said::Full(SECOND)));
        assert_eq!(teller.look(Condition::Away(2 * SECOND), start), Some(Said::Away(2 * SECOND)));
        assert_eq!(teller.look(Condition::Full(3 * SECOND), start), Some(Said::Full(3 * SECOND)));
        assert!(matches!(teller.look(Condition::Well, start), Some(Said::Well { was_full: true, .. })));
    }

    #[test]
    fn a_refused_write_is_an_answer_and_only_a_write_that_is_taken_ends_it() {
        let health = Health::default();
        health.note(Some(&EtcdError::Full), true);
        assert!(matches!(health.condition(), Condition::Full(_)));
        health.note(None, false);
        assert!(health.is_full(), "reads go through all the while");
        health.note(None, true);
        assert_eq!((health.condition(), health.refused_writes()), (Condition::Well, 1));
        health.note(Some(&EtcdError::Timeout), true);
        assert_eq!(health.condition(), Condition::Well, "one request is no outage");
        assert_eq!(health.unanswered(), 1);
    }
}
