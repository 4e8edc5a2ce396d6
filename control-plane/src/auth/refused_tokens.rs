//! Why tokens are refused, said in the log: the first thing that who sets the server up has to know, and
//! nothing that a stranger can fill a disk with.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines about one reason.
const PAUSE: Duration = Duration::from_secs(10);

/// By reason, of which there are few: when it was said last, and how often it came up since.
#[derive(Debug, Default)]
pub(crate) struct RefusedTokens(Mutex<HashMap<&'static str, (Instant, u64)>>);

impl RefusedTokens {
    /// Logs it, or counts it for the next line.
    pub(crate) fn tell(&self, reason: &'static str) {
        if let Some(times) = self.note(reason, Instant::now()) {
            tracing::info!(reason, times, "a token was refused");
        }
    }

    /// How many refusals there were since the last line about this reason, if another line is due.
    fn note(&self, reason: &'static str, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match told.get_mut(reason) {
            Some((at, since)) if now.saturating_duration_since(*at) < PAUSE => {
                *since += 1;
                None
            }
            Some((at, since)) => {
                *at = now;
                Some(std::mem::take(since) + 1)
            }
            None => {
                told.insert(reason, (now, 0));
                Some(1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_said_at_once_and_then_with_its_count() {
        let (refused, start) = (RefusedTokens::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(refused.note("it has expired", at(0)), Some(1));
        for _ in 0..1000 {
            assert_eq!(refused.note("it has expired", at(9)), None);
        }
        assert_eq!(refused.note("it is no JWT", at(9)), Some(1));
        assert_eq!(refused.note("it has expired", at(10)), Some(1001));
        assert_eq!(refused.note("it has expired", at(20)), Some(1));
    }
}
