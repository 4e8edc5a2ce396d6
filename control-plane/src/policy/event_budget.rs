//! How many events a socket may send.

use std::time::Duration;

/// At once, after a while of silence.
pub(crate) const BURST: u32 = 200;
/// And from then on, each second.
pub(crate) const SUSTAINED: u32 = 50;
/// Events refused beyond what flows back in; the next one ends the socket.
const DEBT_MAX: u32 = BURST;

/// Credits in fractions of an event, so that no time is lost to rounding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventBudget {
    /// Thousandths of an event; below zero is debt.
    credit: i64,
    /// Milliseconds of a monotonic clock.
    at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Taken,
    /// One would be taken after so long.
    Refused(Duration),
    /// It does not stop.
    Exhausted,
}

const EVENT: i64 = 1000;

impl EventBudget {
    pub(crate) fn new() -> Self {
        Self { credit: i64::from(BURST) * EVENT, at: 0 }
    }

    /// An event came at `now`, in milliseconds since this budget was made.
    pub(crate) fn spend(&mut self, now: u64) -> Verdict {
        let passed = i64::try_from(now.saturating_sub(self.at)).unwrap_or(i64::MAX);
        self.at = self.at.max(now);
        let flowed = passed.saturating_mul(i64::from(SUSTAINED));
        self.credit = self.credit.saturating_add(flowed).min(i64::from(BURST) * EVENT);
        if self.credit < EVENT - i64::from(DEBT_MAX) * EVENT {
            return Verdict::Exhausted;
        }
        self.credit -= EVENT;
        if self.credit >= 0 {
            return Verdict::Taken;
        }
        let millis = (-self.credit).div_euclid(i64::from(SUSTAINED)) + 1;
        Verdict::Refused(Duration::from_millis(millis.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_a_steady_rate_are_taken() {
        let mut budget = EventBudget::new();
        assert!((0..BURST).all(|_| budget.spend(0) == Verdict::Taken));
        assert!(matches!(budget.spend(0), Verdict::Refused(_)));
        let mut budget = EventBudget::new();
        let each = u64::from(1000 / SUSTAINED);
        assert!((0..100_000).all(|event| budget.spend(event * each) == Verdict::Taken));
    }

    #[test]
    fn who_does_not_stop_is_refused_for_a_while_and_then_ended() {
        let mut budget = EventBudget::new();
        let verdicts: Vec<_> = (0..1000).map(|_| budget.spend(5)).collect();
        let count = |of: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| of(verdict)).count();
        assert_eq!(count(|verdict| *verdict == Verdict::Taken), 200);
        assert_eq!(count(|verdict| matches!(verdict, Verdict::Refused(_))), 200);
        assert_eq!(count(|verdict| *verdict == Verdict::Exhausted), 600);
    }

    #[test]
    fn after_the_time_it_names_an_event_is_taken_again() {
        let mut budget = EventBudget::new();
        (0..BURST).for_each(|_| assert_eq!(budget.spend(0), Verdict::Taken));
        let Verdict::Refused(wait) = budget.spend(0) else { panic!("it was not refused") };
        let wait = u64::try_from(wait.as_millis()).unwrap();
        // The refused one counts as well.
        assert_eq!(budget.spend(wait + u64::from(1000 / SUSTAINED)), Verdict::Taken);
        // A clock that goes back gives nothing.
        assert!(matches!(budget.spend(0), Verdict::Refused(_)));
    }
}
