//! How much later a stream's packets come than the soonest of them: the delay of queues on the way, without the
//! round trip and without the clocks of both sides.
//!
//! A source that gave nothing for a while (a capture device that stood still) goes on with the RTP timestamp at which it
//! stopped, so that all its later packets look late. Its sender reports (RFC 3550, section 6.4.1) say by how much: they
//! pair an RTP timestamp with the NTP time of the sender's clock.

use std::time::{Duration, Instant};

/// The soonest packet counts for one to two times so long. In it clocks drift apart by 30 ms, at 50 parts in a million.
const LEAST_FOR: Duration = Duration::from_mins(10);
/// Packets that the mean is of, about: two seconds of speech.
const SMOOTHED: i64 = 128;

/// Timestamps that lag so far behind the clock of sender reports stood still, or drifted, and nothing waited: 40 ms in
/// nanoseconds, more than a sender's error in pairing the two.
const GAP: i64 = 40_000_000;

/// Times are in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct QueueingDelay {
    /// Of the last packet: arrival less sending, from the first packet on.
    transit: i64,
    least: i64,
    /// Of the packets since then.
    least_since: Option<(i64, Instant)>,
    /// Above the least.
    mean: Option<i64>,
    /// Of the last sender report: NTP time and RTP timestamp.
    reported: Option<(u64, u32)>,
    /// By which timestamps lag behind the clock of reports, and what `least` does not have of it yet.
    lag: i64,
}

impl QueueingDelay {
    /// A packet came: so long after the one before, which was sent so long before it.
    pub(crate) fn on_packet(&mut self, arrived_after: i64, sent_after: i64, now: Instant) {
        self.transit = self.transit.saturating_add(arrived_after.saturating_sub(sent_after));
        self.least = self.least.min(self.transit);
        self.least_since = Some(match self.least_since {
            Some((least, since)) if now.saturating_duration_since(since) < LEAST_FOR => {
                (least.min(self.transit), since)
            }
            Some((least, _)) => {
                self.least = least.min(self.transit);
                (self.transit, now)
            }
            None => (self.transit, now),
        });
        let above = self.transit - self.least;
        self.mean = Some(self.mean.map_or(above, |mean| mean + (above - mean) / SMOOTHED));
    }

    /// A sender report came: NTP time, and the RTP timestamp of that time. `clock_rate` in Hz; 0: not known yet.
    pub(crate) fn on_sender_report(&mut self, ntp: u64, timestamp: u32, clock_rate: u32) {
        if clock_rate == 0 {
            return;
        }
        let Some((ntp_before, timestamp_before)) = self.reported.replace((ntp, timestamp)) else { return };
        let elapsed = ntp_nanos(ntp.wrapping_sub(ntp_before).cast_signed());
        let sent = rtp_nanos(timestamp.wrapping_sub(timestamp_before).cast_signed(), clock_rate);
        self.lag = self.lag.saturating_add(elapsed.saturating_sub(sent));
        if self.lag.saturating_abs() < GAP {
            return;
        }
        let lag = std::mem::take(&mut self.lag);
        // Timestamps that ran ahead are those of packets that come too soon, which are the least at once.
        if lag > 0 {
            self.least = self.least.saturating_add(lag);
            self.least_since = self.least_since.map(|(least, since)| (least.saturating_add(lag), since));
            self.mean = self.mean.map(|mean| mean.saturating_sub(lag).max(0));
        }
    }

    /// Milliseconds above the least. None: less than two packets came.
    #[allow(clippy::cast_precision_loss, reason = "a time, for people to read")]
    pub(crate) fn mean_ms(&self) -> Option<f64> {
        self.mean.map(|mean| mean as f64 / 1e6)
    }
}

/// Nanoseconds that so many units of an RTP timestamp take. `clock_rate`: in Hz.
pub(super) fn rtp_nanos(units: i32, clock_rate: u32) -> i64 {
    i64::from(units) * 1_000_000_000 / i64::from(clock_rate.max(1))
}

/// Nanoseconds of a difference between two NTP times, in 2^-32 s.
fn ntp_nanos(difference: i64) -> i64 {
    let nanos = (i128::from(difference) * 1_000_000_000) >> 32;
    // Within 2^31 seconds.
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = 20_000_000;

    /// Packets of 20 ms, so much later each than the one before; the delay after the last, in milliseconds.
    fn feed(delay: &mut QueueingDelay, start: Instant, count: u32, later: impl Fn(u32) -> i64) -> i64 {
        for n in 0..count {
            delay.on_packet(FRAME + later(n), FRAME, start + Duration::from_millis(20) * n);
        }
        #[allow(clippy::cast_possible_truncation, reason = "a time of a test")]
        let millis = delay.mean_ms().unwrap().round() as i64;
        millis
    }

    #[test]
    fn it_is_what_a_queue_adds_and_goes_with_it() {
        let (mut delay, start) = (QueueingDelay::default(), Instant::now());
        assert_eq!(delay.mean_ms(), None);
        assert_eq!(feed(&mut delay, start, 500, |_| 0), 0);
        let start = start + Duration::from_secs(10);
        // 400 ms of queue that grow in the first second.
        assert!((395..=400).contains(&feed(&mut delay, start, 1_000, |n| if n < 50 {
            8_000_000
        } else {
            0
        })));
        let start = start + Duration::from_secs(20);
        assert!(feed(&mut delay, start, 1_000, |n| if n == 0 { -400_000_000 } else { 0 }) < 3);
    }

    /// NTP time of a sender's clock after so many milliseconds.
    fn ntp(millis: u64) -> u64 {
        (millis << 32) / 1_000 + (1 << 60)
    }

    #[test]
    fn a_source_that_stood_still_is_no_queue_by_its_sender_reports() {
        let (mut delay, start) = (QueueingDelay::default(), Instant::now());
        delay.on_sender_report(ntp(0), u32::MAX - 1_000, 48_000);
        feed(&mut delay, start, 250, |_| 0);
        delay.on_sender_report(ntp(5_000), (u32::MAX - 1_000).wrapping_add(240_000), 48_000);
        // Ten seconds without media, after which timestamps go on where they stopped.
        let start = start + Duration::from_secs(15);
        let late = feed(&mut delay, start, 100, |n| if n == 0 { 10_000_000_000 } else { 0 });
        assert!(late > 5_000, "{late}");
        delay.on_sender_report(ntp(17_000), (u32::MAX - 1_000).wrapping_add(336_000), 48_000);
        assert!((0..=3).contains(&feed(&mut delay, start + Duration::from_secs(2), 250, |_| 0)));
        // A queue after it is one.
        let start = start + Duration::from_secs(7);
        let queue = feed(&mut delay, start, 1_000, |n| if n < 50 { 8_000_000 } else { 0 });
        delay.on_sender_report(ntp(42_000), (u32::MAX - 1_000).wrapping_add(336_000 + 25 * 48_000), 48_000);
        assert!((395..=403).contains(&queue), "{queue}");
        assert!((395..=403).contains(&feed(&mut delay, start, 10, |_| 0)));
    }

    #[test]
    fn reports_of_a_clock_that_drifts_and_is_set_are_no_gap() {
        let (mut delay, start) = (QueueingDelay::default(), Instant::now());
        // Timestamps run ahead by 150 in a million for an hour, with a report each 5 s.
        for n in 0..720_u64 {
            feed(&mut delay, start + Duration::from_secs(5 * n), 250, |_| 0);
            let timestamp = u32::try_from((n * 240_000 * 1_000_150 / 1_000_000) & 0xffff_ffff).unwrap();
            delay.on_sender_report(ntp(5_000 * n), timestamp, 48_000);
        }
        assert_eq!(delay.mean_ms().map(f64::round), Some(0.0));
        // And lag as much, by which packets come later: without reports it would be 90 ms and more.
        let mut slow = QueueingDelay::default();
        for n in 0..720_u64 {
            let millis = 5_000 * n;
            feed(&mut slow, start + Duration::from_millis(millis), 250, |_| FRAME * 150 / 1_000_000);
            let timestamp = u32::try_from((n * 240_000) & 0xffff_ffff).unwrap();
            slow.on_sender_report(ntp(millis + millis * 150 / 1_000_000), timestamp, 48_000);
        }
        assert!(slow.mean_ms().is_some_and(|mean| mean < 45.0), "{:?}", slow.mean_ms());
        // Set back and forward by a minute.
        let timestamp = |n: u64| u32::try_from((n * 240_000) & 0xffff_ffff).unwrap();
        for (n, set) in [(721, 0), (722, 60_000), (723, 0)] {
            delay.on_sender_report(ntp(100_000 + 5_000 * n - set), timestamp(n), 48_000);
            feed(&mut delay, start + Duration::from_secs(5 * n), 250, |_| 0);
        }
        assert!(delay.mean_ms().is_some_and(|mean| mean < 1.0), "{:?}", delay.mean_ms());
    }

    #[test]
    fn clocks_that_drift_apart_are_no_queue() {
        let (mut delay, start) = (QueueingDelay::default(), Instant::now());
        // 30 in a million, for an hour.
        let drift = feed(&mut delay, start, 180_000, |_| FRAME * 30 / 1_000_000);
        assert!((15..=40).contains(&drift), "{drift}");
    }
}
