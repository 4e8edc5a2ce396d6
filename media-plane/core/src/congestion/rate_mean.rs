//! The mean over time of a rate that swings as a competitor's does: layers cannot follow each swing.

/// A longer time between two messages counts as this.
const APART_MAX_US: i64 = 200_000;

/// In bits a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateMean {
    rate: f64,
    followed_us: i64,
}

impl RateMean {
    pub(crate) fn new(rate: f64, now_us: i64) -> Self {
        Self { rate, followed_us: now_us }
    }

    pub(crate) fn get(&self) -> f64 {
        self.rate
    }

    /// Moves towards `rate` by the part of `over_us` that went by since the last message. Gives the mean.
    pub(crate) fn follow(&mut self, rate: f64, over_us: i64, now_us: i64) -> u64 {
        let elapsed = (now_us - self.followed_us).clamp(0, APART_MAX_US) as f64;
        self.followed_us = now_us;
        self.rate += (rate - self.rate) * elapsed / over_us as f64;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
        let mean = self.rate as u64;
        mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_by_the_part_of_the_time_that_went_by_and_by_200_ms_at_most() {
        let mut mean = RateMean::new(1_000_000.0, 0);
        assert_eq!(mean.follow(2_000_000.0, 2_000_000, 100_000), 1_050_000);
        assert_eq!(mean.follow(1_050_000.0, 2_000_000, 150_000), 1_050_000);
        assert_eq!(mean.follow(2_050_000.0, 2_000_000, 9_000_000), 1_150_000);
        assert_eq!(mean.follow(9_000_000.0, 2_000_000, 8_000_000), 1_150_000, "a clock that went back");
    }
}
