//! DualPI2 (RFC 9332): a low-latency queue for flows of a scalable control, which marks, beside a classic one, which drops,
//! coupled so that a flow of either kind gets about as much. Without the overload of its section 4.2: who floods the
//! low-latency queue is not dropped from it.

use std::time::{Duration, Instant};

/// Delay that the classic queue is held at, and between two updates (RFC 9332 appendix A.1).
const TARGET: Duration = Duration::from_millis(15);
const UPDATE: Duration = Duration::from_millis(16);
/// Gains of the PI controller, in Hz.
const ALPHA: f64 = 0.16;
const BETA: f64 = 3.2;
/// Coupling of the classic probability to the marks.
const COUPLING: f64 = 2.0;
/// The low-latency queue marks by its own delay as well: none below the first, all above the second. Its last packet is not
/// marked for that: on a slow link, what it waited for is the one packet that was being sent.
const RAMP: [Duration; 2] = [Duration::from_micros(800), Duration::from_micros(1_200)];
/// A packet of the low-latency queue goes before one of the classic queue that came so much earlier.
const SHIFT: Duration = Duration::from_millis(30);

/// The controller of both queues.
#[derive(Debug, Default)]
pub(super) struct DualQueue {
    /// The base probability: doubled for marks, squared for drops.
    base: f64,
    /// Seconds that the head waited at the last update, and when that was.
    waited: f64,
    updated: Option<Instant>,
}

impl DualQueue {
    /// Follows what the longer of both queues' heads waits.
    pub(super) fn update(&mut self, waited: Duration, now: Instant) {
        let updated = self.updated.get_or_insert(now);
        while *updated + UPDATE <= now {
            *updated += UPDATE;
            let waited = waited.as_secs_f64();
            self.base += ALPHA * (waited - TARGET.as_secs_f64()) + BETA * (waited - self.waited);
            self.base = self.base.clamp(0.0, 1.0);
            self.waited = waited;
        }
    }

    /// Whether a packet of the classic queue is dropped, by a random number from 0 to 1.
    pub(super) fn drops(&self, random: f64) -> bool {
        random < self.base * self.base
    }

    /// Whether one of the low-latency queue is marked, which waited for so long. `is_last`: nothing is behind it.
    pub(super) fn marks(&self, waited: Duration, is_last: bool, random: f64) -> bool {
        let [from, to] = RAMP.map(|it| it.as_secs_f64());
        let own = if is_last { 0.0 } else { (waited.as_secs_f64() - from) / (to - from) };
        random < own.max(self.base * COUPLING)
    }

    /// Whether the low-latency queue is served, by what the heads waited; none: that queue is empty.
    pub(super) fn serves_low(low: Option<Duration>, classic: Option<Duration>) -> bool {
        low.is_some_and(|low| classic.is_none_or(|classic| low + SHIFT >= classic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_classic_queue_above_its_target_drops_more_and_marks_more_than_it_drops() {
        let (mut queue, start) = (DualQueue::default(), Instant::now());
        queue.update(Duration::ZERO, start);
        assert!(!queue.drops(0.0) && !queue.marks(Duration::ZERO, true, 0.0));
        queue.update(Duration::from_millis(40), start + Duration::from_secs(1));
        let short = queue.base;
        queue.update(Duration::from_millis(40), start + Duration::from_secs(2));
        assert!(queue.base > short && (0.1..0.9).contains(&queue.base), "{}", queue.base);
        let between = queue.base;
        assert!(!queue.drops(between) && queue.marks(Duration::ZERO, true, between));
        queue.update(Duration::ZERO, start + Duration::from_secs(60));
        assert!(!queue.drops(0.0));
    }

    #[test]
    fn the_low_latency_queue_marks_from_a_millisecond_on_and_goes_first() {
        let queue = DualQueue::default();
        let marks = |micros, is_last| queue.marks(Duration::from_micros(micros), is_last, 0.5);
        assert!(!marks(900, false) && marks(1_100, false) && !marks(5_000, true));
        let ms = |ms| Some(Duration::from_millis(ms));
        assert!(DualQueue::serves_low(ms(1), ms(30)) && !DualQueue::serves_low(ms(1), ms(40)));
        assert!(DualQueue::serves_low(ms(0), None) && !DualQueue::serves_low(None, ms(0)));
    }
}
