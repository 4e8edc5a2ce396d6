//! What was tried and did not fit, so that layers do not flap.

/// Overuse so soon after a raise is the raise's.
const BLAMED_US: i64 = 10_000_000;
/// A rate that failed is left alone for so long, doubled with each raise that fails in a row.
const WAIT_US: i64 = 10_000_000;
const DOUBLINGS_MAX: u32 = 3;
/// Unless the estimate is by so much above it, in percent: the link has changed.
const CHANGED_PERCENT: u64 = 125;
/// Between two exchanges of layers by priority.
const REBALANCE_US: i64 = 5_000_000;
/// What a raise leaves of the estimate, in thousandths.
const MARGIN: u64 = 1_040;

/// Rates are in bits a second, times in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raises {
    raised_us: Option<i64>,
    failed: Option<(u64, i64)>,
    failures: u32,
    rebalanced_us: Option<i64>,
}

impl Raises {
    pub(crate) fn on_raise(&mut self, now_us: i64) {
        self.raised_us = Some(now_us);
    }

    /// Whether a lower priority may lose layers to a higher one now; that counts as done.
    pub(crate) fn may_rebalance(&mut self, now_us: i64) -> bool {
        let may = self.rebalanced_us.is_none_or(|at| now_us - at >= REBALANCE_US);
        if may {
            self.rebalanced_us = Some(now_us);
        }
        may
    }

    /// What was sent was too much.
    pub(crate) fn on_overuse(&mut self, sending: u64, now_us: i64) {
        let is_blamed = self.raised_us.take().is_some_and(|at| now_us - at < BLAMED_US);
        self.failures = if is_blamed { (self.failures + 1).min(DOUBLINGS_MAX) } else { 0 };
        self.failed = Some((sending, now_us + (WAIT_US << self.failures) / 2));
    }

    /// What may be sent after a raise, with this estimate.
    pub(crate) fn limit(&self, estimate: u64, now_us: i64) -> u64 {
        let limit = estimate * 1_000 / MARGIN;
        match self.failed {
            Some((failed, until)) if now_us < until && estimate < failed / 100 * CHANGED_PERCENT => {
                limit.min(failed / 100 * 90)
            }
            _ => limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn what_failed_is_left_alone_for_longer_each_time_unless_the_link_changed() {
        let mut raises = Raises::default();
        assert_eq!(raises.limit(1_040_000, 0), 1_000_000);
        raises.on_overuse(1_000_000, 0);
        assert_eq!(raises.limit(1_040_000, 4 * SECOND), 900_000);
        assert_eq!(raises.limit(1_040_000, 6 * SECOND), 1_000_000);
        raises.on_raise(6 * SECOND);
        raises.on_overuse(1_000_000, 8 * SECOND);
        assert_eq!(raises.limit(1_040_000, 17 * SECOND), 900_000);
        assert_eq!(raises.limit(1_300_000, 9 * SECOND), 1_250_000);
        raises.on_raise(19 * SECOND);
        raises.on_overuse(1_000_000, 21 * SECOND);
        assert_eq!(raises.limit(1_040_000, 40 * SECOND), 900_000);
        assert_eq!(raises.limit(1_040_000, 42 * SECOND), 1_000_000);
    }
}
