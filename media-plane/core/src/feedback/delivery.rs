//! What of one consumer's packets arrived, by its receiver's reports.
//!
//! A number that the publisher's uplink lost leaves a gap, which a receiver takes for a loss of its own; those
//! gaps are known here, and taken off. A packet of speech that was sent again under its own number counts as received in a
//! report; the path lost it all the same, and so it is added.

use super::speech_loss::fraction;
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
    /// Numbers passed over without a packet, at the last report.
    gaps: u64,
    /// Packets sent again under their own numbers, at the last report.
    again: u64,
    packets_per_second: u64,
    /// By the last report, without gaps and with what was sent again, in 256ths.
    fraction_lost: u8,
    /// Since they were taken last.
    expected: u32,
    lost: u32,
}

impl Delivery {
    /// `gaps`: how many numbers were passed over so far because no packet came from the publisher; `again`: how many packets were
    /// sent again under their own numbers.
    pub(crate) fn on_report(&mut self, block: &ReportBlock, gaps: u64, again: u64, now: Instant) {
        if let Some((highest, at)) = self.last {
            let elapsed = now.saturating_duration_since(at);
            if elapsed < REPORTS_APART {
                return;
            }
            let expected = block.highest_sequence.wrapping_sub(highest);
            if expected <= PACKETS_MAX {
                let lost = expected * u32::from(block.fraction_lost) / 256;
                let again = u32::try_from(again.saturating_sub(self.again)).unwrap_or(u32::MAX);
                let lost = lost.saturating_add(again).min(expected);
                let gaps = gaps.wrapping_sub(self.gaps).cast_signed().max(0);
                let gaps = u32::try_from(gaps).unwrap_or(u32::MAX).min(lost);
                let (expected, lost) = (expected - gaps, lost - gaps);
                self.expected = self.expected.saturating_add(expected);
                self.lost = self.lost.saturating_add(lost);
                let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
                self.fraction_lost = fraction(lost, expected);
                self.packets_per_second = u64::from(expected - lost) * 1_000 / millis;
            }
        }
        self.last = Some((block.highest_sequence, now));
        (self.gaps, self.again) = (gaps, again);
    }

    /// Packets that reports were about since this was asked last, and how many of them were lost.
    pub(crate) fn take(&mut self) -> (u32, u32) {
        (std::mem::take(&mut self.expected), std::mem::take(&mut self.lost))
    }

    /// What part was lost by the last report, in 256ths; 0 while nothing is known.
    pub(crate) fn fraction_lost(&self, now: Instant) -> u8 {
        let is_fresh = |(_, at): (u32, Instant)| now.saturating_duration_since(at) < STALE_AFTER;
        if self.last.is_some_and(is_fresh) { self.fraction_lost } else { 0 }
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
        delivery.on_report(&block(u32::MAX - 9, 0), 0, 0, start);
        delivery.on_report(&block(190, 64), 0, 0, start + Duration::from_secs(2));
        assert_eq!(delivery.take(), (200, 50));
        assert_eq!(delivery.fraction_lost(start + Duration::from_secs(2)), 64);
        assert_eq!(delivery.fraction_lost(start + Duration::from_secs(20)), 0, "of long ago");
        assert_eq!(delivery.take(), (0, 0));
        let now = start + Duration::from_secs(2);
        assert_eq!(delivery.packets_per_second(now), Some(75));
        delivery.on_report(&block(9_999, 0), 0, 0, now + Duration::from_millis(1));
        assert_eq!(delivery.take(), (0, 0), "a flood of reports");
        delivery.on_report(&block(0, 0), 0, 0, now + Duration::from_secs(1));
        assert_eq!(delivery.take(), (0, 0), "a stream that went back");
        assert_eq!(delivery.packets_per_second(now + Duration::from_secs(20)), None);
    }

    /// What a second's report of 100 packets, a tenth of them lost, counts for with so many gaps.
    fn counted(gaps: u64, again: u64) -> (u32, u32) {
        let mut delivery = Delivery::default();
        let start = Instant::now();
        let report = |highest_sequence, fraction_lost| ReportBlock {
            highest_sequence,
            fraction_lost,
            ..ReportBlock::default()
        };
        delivery.on_report(&report(1_000, 0), 7, 3, start);
        let now = start + Duration::from_secs(1);
        delivery.on_report(&report(1_100, 26), 7u64.wrapping_add(gaps), 3 + again, now);
        delivery.take()
    }

    #[test]
    fn loss_on_the_publishers_uplink_is_none_of_the_receivers() {
        assert_eq!(counted(0, 0), (100, 10));
        assert_eq!(counted(4, 0), (96, 6));
        assert_eq!(counted(10, 0), (90, 0));
        assert_eq!(counted(50, 0), (90, 0), "gaps that were reported before, or are not yet");
        assert_eq!(counted(u64::MAX, 0), (100, 10), "a gap that a late packet closed");
    }

    #[test]
    fn what_was_sent_again_was_lost_by_the_path() {
        assert_eq!(counted(0, 8), (100, 18));
        assert_eq!(counted(4, 8), (96, 14));
        assert_eq!(counted(0, 1_000), (100, 100), "no more than all");
    }
}
