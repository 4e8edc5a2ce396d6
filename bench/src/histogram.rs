//! Latencies, counted by the microsecond.

use std::time::Duration;

/// Anything longer counts as this.
const MAX_US: usize = 1_000_000;

/// As a time travels in a packet: modulo 2^32.
pub(crate) fn micros(since: Duration) -> u32 {
    u32::try_from(since.as_micros() & 0xffff_ffff).unwrap_or_default()
}

#[derive(Debug, Default)]
pub(crate) struct Histogram {
    counts: Vec<u32>,
    total: u64,
}

impl Histogram {
    pub(crate) fn add(&mut self, us: u32) {
        if self.counts.is_empty() {
            self.counts = vec![0; MAX_US + 1];
        }
        let place = usize::try_from(us).unwrap_or(MAX_US).min(MAX_US);
        self.counts[place] += 1;
        self.total += 1;
    }

    /// The least value that this part of all, 0 to 1, does not exceed; 0 without any.
    #[allow(clippy::cast_possible_truncation, reason = "at most the number of values")]
    pub(crate) fn quantile(&self, part: f64) -> usize {
        let wanted = (self.total as f64 * part).ceil() as u64;
        let mut seen = 0;
        for (us, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted && seen > 0 {
                return us;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_values_at_their_place() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|us| histogram.add(us));
        assert_eq!([0.5, 0.99, 1.0].map(|part| histogram.quantile(part)), [50, 99, 100]);
        histogram.add(u32::MAX);
        assert_eq!(histogram.quantile(1.0), MAX_US);
        assert_eq!(Histogram::default().quantile(0.5), 0);
    }
}
