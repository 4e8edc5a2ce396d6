//! How much later a stream's packets come than the soonest of them: the delay of queues on the way, without the
//! round trip and without the clocks of both sides.

use std::time::{Duration, Instant};

/// The soonest packet counts for one to two times so long. In it clocks drift apart by 30 ms, at 50 parts in a million.
const LEAST_FOR: Duration = Duration::from_mins(10);
/// Packets that the mean is of, about: two seconds of speech.
const SMOOTHED: i64 = 128;

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

    /// Milliseconds above the least. None: less than two packets came.
    #[allow(clippy::cast_precision_loss, reason = "a time, for people to read")]
    pub(crate) fn mean_ms(&self) -> Option<f64> {
        self.mean.map(|mean| mean as f64 / 1e6)
    }
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

    #[test]
    fn clocks_that_drift_apart_are_no_queue() {
        let (mut delay, start) = (QueueingDelay::default(), Instant::now());
        // 30 in a million, for an hour.
        let drift = feed(&mut delay, start, 180_000, |_| FRAME * 30 / 1_000_000);
        assert!((15..=40).contains(&drift), "{drift}");
    }
}
