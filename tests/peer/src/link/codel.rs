//! Controlled delay (RFC 8289): a queue that drops at its head once everything waited too long for too long.

use std::time::{Duration, Instant};

const TARGET: Duration = Duration::from_millis(5);
const INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct CoDel {
    /// Since when packets wait for longer than the target, and an interval after that.
    above_until: Option<Instant>,
    is_dropping: bool,
    drop_next: Option<Instant>,
    count: u32,
    count_before: u32,
}

impl CoDel {
    /// Whether the packet at the queue's head, which waited for so long, is dropped instead of sent. `is_last`: it is
    /// alone.
    pub(super) fn drops(&mut self, waited: Duration, is_last: bool, now: Instant) -> bool {
        let is_above = waited >= TARGET && !is_last;
        if !is_above {
            self.above_until = None;
            self.is_dropping = false;
            return false;
        }
        let until = *self.above_until.get_or_insert(now + INTERVAL);
        if self.is_dropping {
            let is_due = self.drop_next.is_some_and(|at| now >= at);
            if is_due {
                self.count += 1;
                self.drop_next = self.drop_next.map(|at| at + control_law(self.count));
            }
            return is_due;
        }
        if now < until {
            return false;
        }
        self.is_dropping = true;
        let is_soon = self.drop_next.is_some_and(|at| now < at + INTERVAL * 16);
        let delta = self.count - self.count_before;
        self.count = if is_soon && delta > 1 { delta } else { 1 };
        self.count_before = self.count;
        self.drop_next = Some(now + control_law(self.count));
        true
    }
}

fn control_law(count: u32) -> Duration {
    INTERVAL.div_f64(f64::from(count).sqrt())
}
