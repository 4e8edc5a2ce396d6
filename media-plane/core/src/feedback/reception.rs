//! What came of one stream: loss and jitter as RFC 3550 defines them (section 6.4.1, appendix A).

use super::queueing_delay::{QueueingDelay, rtp_nanos};
use crate::packet::middle_of_ntp;
use crate::packet::rtcp::ReportBlock;
use std::time::Instant;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reception {
    /// First and highest packet index, with the sender's roll-over counter.
    range: Option<(u64, u64)>,
    received: u64,
    /// Expected and received at the last report.
    reported: (u64, u64),
    /// RTP timestamp and arrival of the last packet.
    last: Option<(u32, Instant)>,
    /// In timestamp units, times 16 as in RFC 3550 appendix A.8.
    jitter: u64,
    delay: QueueingDelay,
    /// The last sender report: the middle of its NTP time, and its arrival.
    sender_report: Option<(u32, Instant)>,
}

impl Reception {
    pub(crate) fn on_packet(&mut self, index: u64, timestamp: u32, clock_rate: u32, now: Instant) {
        let (first, highest) = self.range.unwrap_or((index, index));
        self.range = Some((first.min(index), highest.max(index)));
        self.received += 1;
        if let Some((last_timestamp, last_arrival)) = self.last {
            let arrived = now.saturating_duration_since(last_arrival).as_nanos();
            let nanos = i64::try_from(arrived).unwrap_or(i64::MAX / 2);
            let arrived = i128::from(nanos).saturating_mul(i128::from(clock_rate)) / 1_000_000_000;
            let sent = timestamp.wrapping_sub(last_timestamp).cast_signed();
            let transit = u64::try_from((arrived - i128::from(sent)).abs()).unwrap_or(u64::MAX);
            // A jump of a minute is a new timeline, not jitter.
            if transit < 60 * u64::from(clock_rate) {
                self.jitter = self.jitter + transit - ((self.jitter + 8) >> 4);
                self.delay.on_packet(nanos, rtp_nanos(sent, clock_rate), now);
            } else {
                self.delay = QueueingDelay::default();
            }
        }
        self.last = Some((timestamp, now));
    }

    /// Mean delay of packets above the least, in milliseconds.
    pub(crate) fn delay_ms(&self) -> Option<f64> {
        self.delay.mean_ms()
    }

    /// `ntp` and `timestamp` are one time by two clocks.
    pub(crate) fn on_sender_report(&mut self, ntp: u64, timestamp: u32, clock_rate: u32, now: Instant) {
        self.sender_report = Some((middle_of_ntp(ntp), now));
        self.delay.on_sender_report(ntp, timestamp, clock_rate);
    }

    /// The block for the next report; none before the first packet.
    pub(crate) fn report(&mut self, ssrc: u32, now: Instant) -> Option<ReportBlock> {
        let (first, highest) = self.range?;
        let expected = highest - first + 1;
        let (expected_before, received_before) = self.reported;
        self.reported = (expected, self.received);
        let expected_now = expected.saturating_sub(expected_before);
        let lost_now = expected_now.saturating_sub(self.received - received_before);
        let fraction_lost = (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255);
        let total_lost = i64::try_from(expected).ok()? - i64::try_from(self.received).ok()?;
        let (last_sr, since) = self.sender_report.map_or((0, 0), |(middle, at)| {
            let since = now.saturating_duration_since(at).as_micros() * 65_536 / 1_000_000;
            (middle, u32::try_from(since).unwrap_or(u32::MAX))
        });
        Some(ReportBlock {
            ssrc,
            fraction_lost: u8::try_from(fraction_lost).unwrap_or(u8::MAX),
            total_lost: i32::try_from(total_lost.clamp(-0x80_0000, 0x7f_ffff)).unwrap_or_default(),
            highest_sequence: u32::try_from(highest & 0xffff_ffff).unwrap_or_default(),
            jitter: u32::try_from(self.jitter >> 4).unwrap_or(u32::MAX),
            last_sr,
            delay_since_last_sr: since,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_steady_stream_has_neither_loss_nor_jitter() {
        let start = Instant::now();
        let mut reception = Reception::default();
        for n in 0..100u32 {
            let now = start + Duration::from_millis(20) * n;
            reception.on_packet(u64::from(n), n * 960, 48_000, now);
        }
        let block = reception.report(7, start).unwrap();
        assert_eq!((block.fraction_lost, block.total_lost, block.jitter), (0, 0, 0));
        assert_eq!(block.highest_sequence, 99);
    }

    #[test]
    fn loss_is_counted_since_the_last_report_and_in_all() {
        let start = Instant::now();
        let mut reception = Reception::default();
        (0..100).filter(|n| n % 4 != 1).for_each(|n| reception.on_packet(n, 0, 48_000, start));
        let block = reception.report(7, start).unwrap();
        assert_eq!((block.fraction_lost, block.total_lost), (64, 25));
        (100..200).for_each(|n| reception.on_packet(n, 0, 48_000, start));
        let block = reception.report(7, start).unwrap();
        assert_eq!((block.fraction_lost, block.total_lost), (0, 25));
    }

    #[test]
    fn jitter_is_smoothed_over_sixteen_packets() {
        let start = Instant::now();
        let mut reception = Reception::default();
        for n in 0..200u32 {
            let late = Duration::from_millis(if n % 2 == 0 { 0 } else { 10 });
            reception.on_packet(u64::from(n), n * 960, 48_000, start + Duration::from_millis(20) * n + late);
        }
        // Ten milliseconds every time, either way: 480 units.
        let jitter = reception.report(7, start).unwrap().jitter;
        assert!((470..=481).contains(&jitter), "{jitter}");
    }

    #[test]
    fn the_delay_since_the_senders_report_is_in_65536ths_of_a_second() {
        let start = Instant::now();
        let mut reception = Reception::default();
        reception.on_packet(1, 0, 48_000, start);
        reception.on_sender_report(0x1111_2222_3333_4444, 0, 48_000, start);
        let block = reception.report(7, start + Duration::from_millis(500)).unwrap();
        assert_eq!((block.last_sr, block.delay_since_last_sr), (0x2222_3333, 32_768));
    }
}
