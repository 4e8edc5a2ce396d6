//! Until when this node may act for its rooms, for threads that know nothing of etcd.
//!
//! A node whose lease has run out keeps forwarding: losing audio helps nobody. One that was stopped
//! meanwhile (SIGSTOP, a suspended machine) is different: its rooms may be elsewhere by now. So a
//! worker that wakes up from a pause and finds the lease over sends nothing until its rooms are
//! known to be its own again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Workers look at the clock every second at the latest; one that did not was stopped.
const PAUSE_MIN: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Fence {
    started: Instant,
    /// Without etcd there is nothing to lose.
    is_leased: bool,
    /// Microseconds after `started`.
    until: AtomicU64,
    /// 0: none.
    lease: AtomicI64,
    /// The lease under which the rooms were last found to be ours.
    adopted: AtomicI64,
    is_held: AtomicBool,
}

impl Fence {
    pub fn new(is_leased: bool) -> Self {
        Self {
            started: Instant::now(),
            is_leased,
            until: AtomicU64::new(0),
            lease: AtomicI64::new(0),
            adopted: AtomicI64::new(0),
            is_held: AtomicBool::new(false),
        }
    }

    /// Whether rooms and epochs that are not here yet may be taken.
    pub fn is_valid(&self, now: Instant) -> bool {
        let lease = self.lease.load(Ordering::Acquire);
        let is_adopted = lease != 0 && lease == self.adopted.load(Ordering::Acquire);
        !self.is_leased || (is_adopted && !self.is_over(now))
    }

    /// The lease that this node counts on, by etcd's number; 0: none.
    pub fn lease(&self) -> i64 {
        self.lease.load(Ordering::Acquire)
    }

    /// When the lease runs out unless it is renewed.
    pub fn until(&self) -> Instant {
        self.started + Duration::from_micros(self.until.load(Ordering::Acquire))
    }

    /// Whether the lease has run out.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.until()
    }

    /// Whether a worker waits for its rooms to be looked up.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
    }

    pub(crate) fn release(&self) {
        self.is_held.store(false, Ordering::Release);
    }
}

#[cfg(feature = "etcd")]
impl Fence {
    /// The lease is good until then.
    pub(crate) fn renewed(&self, lease: i64, until: Instant) {
        let micros = until.saturating_duration_since(self.started).as_micros();
        self.until.store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Release);
        self.lease.store(lease, Ordering::Release);
    }

    /// The rooms were looked up under this lease.
    pub(crate) fn adopted(&self, lease: i64) {
        self.adopted.store(lease, Ordering::Release);
    }

    /// Whose the rooms are has to be looked up.
    pub(crate) fn doubt(&self) {
        self.adopted.store(0, Ordering::Release);
    }
}

/// One worker's look at the fence.
#[derive(Debug)]
pub(crate) struct PauseGuard {
    fence: Arc<Fence>,
    last: Instant,
    is_held: bool,
}

impl PauseGuard {
    pub(crate) fn new(fence: Arc<Fence>, now: Instant) -> Self {
        Self { fence, last: now, is_held: false }
    }

    /// Whether packets may leave. To be asked before any does, and every second.
    pub(crate) fn may_send(&mut self, now: Instant) -> bool {
        let paused = now.saturating_duration_since(self.last);
        self.last = now;
        if paused >= PAUSE_MIN && !self.fence.is_valid(now) {
            self.is_held = true;
            self.fence.is_held.store(true, Ordering::Release);
            tracing::warn!(
                ?paused,
                "stopped for longer than the lease: nothing is sent until etcd was asked"
            );
        }
        !self.is_held
    }

    pub(crate) fn is_held(&self) -> bool {
        self.is_held
    }

    pub(crate) fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Whose the rooms are is known, and those of others are closed.
    pub(crate) fn release(&mut self) {
        self.is_held = false;
    }
}

#[cfg(all(test, feature = "etcd"))]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn only_a_pause_that_outlasts_the_lease_holds_packets_back() {
        let fence = Arc::new(Fence::new(true));
        let start = fence.started;
        let mut guard = PauseGuard::new(fence.clone(), start);
        fence.renewed(7, start + 5 * SECOND);
        fence.adopted(7);
        assert!(guard.may_send(start + 3 * SECOND), "a pause within the lease");
        // etcd is away, and the worker runs on.
        assert!((4..20).all(|second| guard.may_send(start + second * SECOND)));
        assert!(!fence.is_valid(start + 19 * SECOND));
        assert!(!guard.may_send(start + 30 * SECOND), "a pause, and the lease is over");
        assert!(fence.is_held() && !guard.may_send(start + 31 * SECOND));
        fence.release();
        guard.release();
        assert!(guard.may_send(start + 32 * SECOND));
    }

    #[test]
    fn a_renewed_lease_counts_once_the_rooms_were_looked_up_under_it() {
        let fence = Fence::new(true);
        let now = fence.started;
        assert!(!fence.is_valid(now));
        fence.renewed(7, now + SECOND);
        assert!(!fence.is_valid(now));
        fence.adopted(7);
        assert!(fence.is_valid(now) && !fence.is_valid(now + SECOND));
        fence.renewed(8, now + 5 * SECOND);
        assert!(!fence.is_valid(now));
    }

    #[test]
    fn without_etcd_nothing_is_ever_over() {
        let fence = Arc::new(Fence::new(false));
        let mut guard = PauseGuard::new(fence.clone(), fence.started);
        assert!(guard.may_send(fence.started + 3600 * SECOND) && fence.is_valid(fence.started));
    }
}
