//! How often something may be done: so many times at once, and once more after each interval.

use std::time::{Duration, Instant};

/// A token bucket's configuration: burst size in units, and the time in which one unit refills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    /// Time in which one unit refills.
    pub(crate) interval: Duration,
}

impl Rate {
    pub(crate) const fn per_second(burst: u32, units: u32) -> Self {
        Self { burst, interval: Duration::from_nanos(1_000_000_000 / units as u64) }
    }
}

/// What is left of a [`Rate`], which is the same each time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    /// When the bucket is full again.
    whole_at: Option<Instant>,
}

impl Allowance {
    /// Takes `units` from the bucket, or returns how long to wait until that many are available. A request
    /// larger than the burst is never granted.
    pub(crate) fn take(&mut self, rate: Rate, units: u32, now: Instant) -> Result<(), Duration> {
        let whole_at = self.whole_at.map_or(now, |at| at.max(now)) + rate.interval * units;
        let missing = whole_at.saturating_duration_since(now).saturating_sub(rate.interval * rate.burst);
        if !missing.is_zero() {
            return Err(missing);
        }
        self.whole_at = Some(whole_at);
        Ok(())
    }

    /// Whether the bucket is full.
    pub(crate) fn is_whole(&self, now: Instant) -> bool {
        self.whole_at.is_none_or(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate::per_second(10, 2);

    #[test]
    fn a_burst_and_then_the_rate_are_taken() {
        let (mut allowance, start) = (Allowance::default(), Instant::now());
        assert!((0..10).all(|_| allowance.take(RATE, 1, start).is_ok()));
        assert_eq!(allowance.take(RATE, 1, start), Err(Duration::from_millis(500)));
        assert_eq!(allowance.take(RATE, 3, start), Err(Duration::from_millis(1_500)));
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(allowance.take(RATE, 3, at(1)), Err(Duration::from_millis(500)));
        assert!(allowance.take(RATE, 2, at(1)).is_ok());
        let taken: usize =
            (1..=100).map(|s| (0..50).filter(|_| allowance.take(RATE, 1, at(1 + s)).is_ok()).count()).sum();
        assert_eq!(taken, 200);
    }

    #[test]
    fn after_the_time_it_names_it_is_there_and_all_of_it_after_a_while() {
        let (mut allowance, start) = (Allowance::default(), Instant::now());
        assert!(allowance.is_whole(start));
        allowance.take(RATE, 10, start).unwrap();
        let wait = allowance.take(RATE, 4, start).unwrap_err();
        assert!(allowance.take(RATE, 4, start + wait - Duration::from_nanos(1)).is_err());
        assert!(!allowance.is_whole(start + Duration::from_millis(4_999)));
        assert!(allowance.is_whole(start + Duration::from_secs(5)));
        assert!(allowance.take(RATE, 4, start + wait).is_ok());
        // More than there ever is.
        assert!(allowance.take(RATE, 11, start + Duration::from_secs(3_600)).is_err());
    }
}
