//! Rate limit for logging a lasting condition: when it begins, and once a minute while it lasts.

use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(60);

/// Whether a condition is to be logged: one for each condition.
#[derive(Clone, Copy, Debug, Default)]
pub struct EachMinute {
    /// When it was last logged; `None` while the condition does not hold.
    said_at: Option<Instant>,
}

impl EachMinute {
    /// Records that the condition holds at `now`. Returns whether to log it.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.said_at.is_none_or(|at| now.saturating_duration_since(at) >= INTERVAL);
        if is_due {
            self.said_at = Some(now);
        }
        is_due
    }

    /// Records that the condition ended. Returns whether it had been logged.
    pub fn end(&mut self) -> bool {
        self.said_at.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_once_then_each_minute_and_at_once_again_when_it_comes_back() {
        let (mut pace, start) = (EachMinute::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let said: Vec<u64> = (0..150).filter(|second| pace.is_due(at(*second))).collect();
        assert_eq!(said, [0, 60, 120]);
        assert!(pace.end() && !pace.end());
        assert!(pace.is_due(at(150)));
    }
}
