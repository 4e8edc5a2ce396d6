//! What was tried and did not fit, so that layers do not flap.

/// Overuse so soon after a raise is the raise's.
const BLAMED_US: i64 = 20_000_000;
/// A rate that a raise failed with is left alone for so long, doubled with each that fails in a row.
const WAIT_US: i64 = 30_000_000;
const DOUBLINGS_MAX: u32 = 3;
/// What was sent for longer, and is too much now, for so long: the link has changed, and may change back.
const DIPPED_US: i64 = 5_000_000;
/// Unless the estimate is by so much above it, in percent: the link has changed.
const CHANGED_PERCENT: u64 = 110;
/// Between two exchanges of layers by priority.
const REBALANCE_US: i64 = 5_000_000;
/// What a raise leaves of the estimate, in thousandths; and what it leaves for so long after something was too
/// much: what a full link was measured to take, and what layers take, vary by a few percent.
const MARGIN: u64 = 1_040;
const MARGIN_CAUTIOUS: u64 = 1_080;
const CAUTIOUS_US: i64 = 60_000_000;

/// Rates are in bits a second, times in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raises {
    raised_us: Option<i64>,
    failed: Option<(u64, i64)>,
    failures: u32,
    rebalanced_us: Option<i64>,
    overused_us: Option<i64>,
}

impl Raises {
    pub(crate) fn on_raise(&mut self, now_us: i64) {
        self.raised_us = Some(now_us);
    }

    /// Whether consumers of a lower priority may lose layers to those of a higher one now. The caller does so then: the
    /// next time is [`REBALANCE_US`] later.
    pub(crate) fn may_rebalance(&mut self, now_us: i64) -> bool {
        let may = self.rebalanced_us.is_none_or(|at| now_us - at >= REBALANCE_US);
        if may {
            self.rebalanced_us = Some(now_us);
        }
        may
    }

    /// What was sent was too much.
    pub(crate) fn on_overuse(&mut self, sending: u64, now_us: i64) {
        self.overused_us = Some(now_us);
        let is_blamed = self.raised_us.take().is_some_and(|at| now_us - at < BLAMED_US);
        if is_blamed {
            self.failed = Some((sending, now_us + (WAIT_US << self.failures)));
            self.failures = (self.failures + 1).min(DOUBLINGS_MAX);
        } else if self.failed.is_none_or(|(_, until)| until < now_us + DIPPED_US) {
            self.failed = Some((sending, now_us + DIPPED_US));
            self.failures = 0;
        }
    }

    /// What may be sent after a raise, with this estimate.
    pub(crate) fn limit(&self, estimate: u64, now_us: i64) -> u64 {
        let is_cautious = self.overused_us.is_some_and(|at| now_us - at < CAUTIOUS_US);
        let limit = estimate * 1_000 / if is_cautious { MARGIN_CAUTIOUS } else { MARGIN };
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
        assert_eq!(raises.limit(1_080_000, 0), 1_038_461);
        // Sent for long, and too much now: the link dipped.
        raises.on_overuse(1_000_000, 0);
        assert_eq!(raises.limit(1_080_000, 4 * SECOND), 900_000);
        assert_eq!(raises.limit(1_080_000, 6 * SECOND), 1_000_000, "with caution");
        assert_eq!(raises.limit(1_080_000, 61 * SECOND), 1_038_461);
        raises.on_raise(61 * SECOND);
        raises.on_overuse(1_000_000, 75 * SECOND);
        assert_eq!(raises.limit(1_080_000, 104 * SECOND), 900_000);
        assert_eq!(raises.limit(1_296_000, 76 * SECOND), 1_200_000, "the link changed");
        assert_eq!(raises.limit(1_080_000, 106 * SECOND), 1_000_000);
        raises.on_raise(106 * SECOND);
        raises.on_overuse(1_000_000, 110 * SECOND);
        assert_eq!(raises.limit(1_080_000, 169 * SECOND), 900_000, "for twice as long");
        // A dip does not make that shorter.
        raises.on_overuse(700_000, 150 * SECOND);
        assert_eq!(raises.limit(1_080_000, 169 * SECOND), 900_000);
        assert_eq!(raises.limit(1_080_000, 171 * SECOND), 1_000_000);
    }
}
