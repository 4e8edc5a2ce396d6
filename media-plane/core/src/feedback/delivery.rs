//! What of one consumer's packets arrived, by its receiver's reports.

use crate::packet::rtcp::ReportBlock;
use std::time::{Duration, Instant};

/// Reports that follow each other sooner are joined.
const REPORTS_APART: Duration = Duration::from_millis(200);
/// Largest number of packets that one report may cover; a report that covers more is ignored as bogus.
const PACKETS_MAX: u32 = 20_000;
/// Without a report for this long, loss and delay count as unknown.
const STALE_AFTER: Duration = Duration::from_secs(12);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delivery {
    last: Option<(u32, Instant)>,
    packets_per_second: u64,
    /// Since they were taken last.
    expected: u32,
    lost: u32,
}

impl Delivery {
    pub(crate) fn on_report(&mut self, block: &ReportBlock, now: Instant) {
        if let Some((highest, at)) = self.last {
            let elapsed = now.saturating_duration_since(at);
            if elapsed < REPORTS_APART {
                return;
            }
            let expected = block.highest_sequence.wrapping_sub(highest);
            if expected <= PACKETS_MAX {
                let lost = expected * u32::from(block.fraction_lost) / 256;
                self.expected = self.expected.saturating_add(expected);
                self.lost = self.lost.saturating_add(lost);
                let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
                self.packets_per_second = u64::from(expected - lost) * 1_000 / millis;
            }
        }
        self.last = Some((block.highest_sequence, now));
    }

    /// Packets that reports were about since this was asked last, and how many of them were lost.
    pub(crate) fn take(&mut self) -> (u32, u32) {
        (std::mem::take(&mut self.expected), std::mem::take(&mut self.lost))
    }

    pub(crate) fn packets_per_second(&self, now: Instant) -> Option<u64> {
        let (_, at) = self.last?;
        (now.saturating_duration_since(at) < STALE_AFTER).then_some(self.packets_per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_came_between_two_reports() {
        let (mut delivery, start) = (Delivery::default(), Instant::now());
        let block = |highest_sequence, fraction_lost| ReportBlock {
            highest_sequence,
            fraction_lost,
            ..ReportBlock::default()
        };
        assert_eq!(delivery.packets_per_second(start), None);
        delivery.on_report(&block(u32::MAX - 9, 0), start);
        delivery.on_report(&block(190, 64), start + Duration::from_secs(2));
        assert_eq!(delivery.take(), (200, 50));
        assert_eq!(delivery.take(), (0, 0));
        let now = start + Duration::from_secs(2);
        assert_eq!(delivery.packets_per_second(now), Some(75));
        delivery.on_report(&block(9_999, 0), now + Duration::from_millis(1));
        assert_eq!(delivery.take(), (0, 0), "a flood of reports");
        delivery.on_report(&block(0, 0), now + Duration::from_secs(1));
        assert_eq!(delivery.take(), (0, 0), "a stream that went back");
        assert_eq!(delivery.packets_per_second(now + Duration::from_secs(20)), None);
    }
}
