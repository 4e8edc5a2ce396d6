//! How long to wait before the next try.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const MAX: Duration = Duration::from_secs(2);
/// However the dice fall, nobody tries in a closed loop.
const LEAST: Duration = Duration::from_millis(5);

/// Full jitter under a bound that doubles from 50 ms to 2 s, so that many who lost the same server
/// do not come back to it at once.
#[derive(Clone, Debug)]
pub struct Backoff {
    bound: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { bound: FIRST }
    }
}

impl Backoff {
    /// How long to wait now; the bound doubles.
    pub fn pause(&mut self) -> Duration {
        let pause = self.bound.mul_f64(rand::random_range(0.0..1.0)).max(LEAST);
        self.bound = (self.bound * 2).min(MAX);
        pause
    }

    /// Notes a success: the next failure waits the shortest time again.
    pub fn reset(&mut self) {
        self.bound = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_to_its_bound_and_begins_anew() {
        let mut backoff = Backoff::default();
        assert!((0..100).map(|_| backoff.pause()).all(|pause| pause >= LEAST && pause <= MAX));
        assert_eq!(backoff.bound, MAX);
        backoff.reset();
        assert!(backoff.pause() <= FIRST);
    }
}
