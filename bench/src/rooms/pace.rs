//! When the clients themselves stood still, as a virtual machine's host or a busy core lets them:
//! their lateness is not the node's.

use std::time::{Duration, Instant};

/// Looks at the clock that are further apart than this are a pause.
const STEADY: Duration = Duration::from_micros(200);

#[derive(Debug)]
pub(super) struct Pace {
    last: Instant,
    paused: Duration,
    /// What waits to be read came while nobody could read it.
    is_late: bool,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { last: now, paused: Duration::ZERO, is_late: false }
    }

    /// To be called at every step of the clients' work.
    pub(super) fn look(&mut self, now: Instant) {
        let since = now - self.last;
        self.last = now;
        if since > STEADY {
            self.paused += since;
            self.is_late = true;
        }
    }

    /// Nothing waits to be read any more.
    pub(super) fn caught_up(&mut self) {
        self.is_late = false;
    }

    /// Whether what is read now was read when it came.
    pub(super) fn is_on_time(&self) -> bool {
        !self.is_late
    }

    pub(super) fn paused(&self) -> Duration {
        self.paused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_a_pause_is_late_until_it_is_read() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.look(start + STEADY);
        assert!(pace.is_on_time());
        pace.look(start + 10 * STEADY);
        pace.look(start + 11 * STEADY);
        assert!(!pace.is_on_time());
        pace.caught_up();
        assert!(pace.is_on_time());
        assert_eq!(pace.paused(), 9 * STEADY);
    }
}
