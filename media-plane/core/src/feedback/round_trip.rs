//! How long a packet takes to a client and its answer back (RFC 6298 section 2).

use std::time::{Duration, Instant};

/// Assumed round-trip time before the first measurement.
const UNKNOWN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: u32 = 4;
/// The least one counts for so long; then the path may have changed.
const LEAST_FOR: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoundTrip {
    /// The mean, and how far from it measurements are on average.
    smoothed: Option<(Duration, Duration)>,
    /// Doublings of the patience since then.
    backoff: u32,
    latest: Option<(Duration, Instant)>,
    least: Option<(Duration, Instant)>,
}

impl RoundTrip {
    pub(crate) fn measured(&mut self, sample: Duration, now: Instant) {
        self.smoothed = Some(match self.smoothed {
            None => (sample, sample / 2),
            Some((mean, deviation)) => {
                let off = mean.abs_diff(sample);
                ((mean * 7 + sample) / 8, (deviation * 3 + off) / 4)
            }
        });
        self.backoff = 0;
        self.latest = Some((sample, now));
        let is_least = |(least, at): (Duration, Instant)| {
            sample <= least || now.saturating_duration_since(at) > LEAST_FOR
        };
        if self.least.is_none_or(is_least) {
            self.least = Some((sample, now));
        }
    }

    /// Records an answer to a packet that was requested more than once, which measures nothing: the
    /// retransmission timeout doubles until the next measurement (RFC 6298 section 5.5).
    pub(crate) fn unclear(&mut self) {
        self.backoff = (self.backoff + 1).min(BACKOFF_MAX);
    }

    pub(crate) fn mean(&self) -> Option<Duration> {
        self.smoothed.map(|(mean, _)| mean)
    }

    pub(crate) fn mean_or_guess(&self) -> Duration {
        self.mean().unwrap_or(UNKNOWN)
    }

    /// The retransmission timeout: an answer that is later than this counts as lost.
    pub(crate) fn patience(&self) -> Duration {
        self.smoothed.map_or(UNKNOWN, |(mean, deviation)| mean + deviation * 4) * (1 << self.backoff)
    }

    /// How much longer than the least the last one took, if it was measured after `since`.
    pub(crate) fn queueing(&self, since: Instant) -> Option<Duration> {
        let (latest, at) = self.latest?;
        let (least, _) = self.least?;
        (at >= since).then(|| latest.saturating_sub(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn it_is_guessed_until_it_was_measured_and_then_smoothed() {
        let (mut round_trip, now) = (RoundTrip::default(), Instant::now());
        assert_eq!((round_trip.mean(), round_trip.patience()), (None, UNKNOWN));
        round_trip.measured(ms(40), now);
        assert_eq!((round_trip.mean(), round_trip.patience()), (Some(ms(40)), ms(120)));
        (0..50).for_each(|_| round_trip.measured(ms(40), now));
        assert!(round_trip.patience() < ms(41));
        round_trip.measured(ms(120), now);
        assert_eq!(round_trip.mean(), Some(ms(50)));
        assert!(round_trip.patience() > ms(120));
    }

    #[test]
    fn unclear_answers_make_patient_until_one_is_clear() {
        let (mut round_trip, now) = (RoundTrip::default(), Instant::now());
        round_trip.unclear();
        assert_eq!(round_trip.patience(), UNKNOWN * 2);
        (0..9).for_each(|_| round_trip.unclear());
        assert_eq!(round_trip.patience(), UNKNOWN * 16);
        round_trip.measured(ms(40), now);
        assert_eq!(round_trip.patience(), ms(120));
    }

    #[test]
    fn what_a_queue_adds_is_told_from_the_path() {
        let (mut round_trip, now) = (RoundTrip::default(), Instant::now());
        assert_eq!(round_trip.queueing(now), None);
        round_trip.measured(ms(30), now);
        round_trip.measured(ms(430), now + ms(1));
        assert_eq!(round_trip.queueing(now), Some(ms(400)));
        assert_eq!(round_trip.queueing(now + ms(2)), None, "nothing was measured since");
        // A longer path, not a queue.
        round_trip.measured(ms(430), now + LEAST_FOR + ms(1));
        assert_eq!(round_trip.queueing(now + ms(2)), Some(ms(0)));
    }
}
