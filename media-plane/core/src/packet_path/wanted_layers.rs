//! The highest spatial layer of a video that anybody wants, as its sender was last told.

use std::time::{Duration, Instant};

/// A sender is told at once that more is wanted, and that less is only when it stays so: receivers
/// that come and go must not restart its encoders.
const LESS_AFTER: Duration = Duration::from_secs(2);

/// What a producer's owner was told by `voice:producerLayers`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WantedLayers {
    /// The highest spatial layer wanted; none: nobody wants any.
    told: Option<u8>,
    less_since: Option<Instant>,
}

impl WantedLayers {
    /// A new producer sends all it has.
    pub(crate) fn all(layers: u8) -> Self {
        Self { told: Some(layers.saturating_sub(1)), less_since: None }
    }

    /// Records the highest layer wanted now. Returns whether the producer's owner has to be notified.
    pub(crate) fn follow(&mut self, wanted: Option<u8>, now: Instant) -> bool {
        if wanted == self.told {
            self.less_since = None;
            return false;
        }
        if wanted < self.told {
            let since = *self.less_since.get_or_insert(now);
            if now.saturating_duration_since(since) < LESS_AFTER {
                return false;
            }
        }
        *self = Self { told: wanted, less_since: None };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_told_at_once_and_less_when_it_stays_so() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut layers = WantedLayers::all(3);
        assert!(!layers.follow(Some(2), at(0)), "that is where it begins");
        assert!(!layers.follow(None, at(0)));
        assert!(!layers.follow(Some(2), at(1_000)), "wanted again");
        assert!(!layers.follow(None, at(1_500)));
        assert!(!layers.follow(Some(0), at(3_000)));
        assert!(layers.follow(Some(0), at(3_500)), "two seconds after it was last all");
        assert!(layers.follow(Some(1), at(3_600)));
        assert!(!layers.follow(Some(1), at(9_000)));
    }
}
