//! How many events a socket may send.
//!
//! What the server tells it of others has its client ask for more: a new producer is consumed. That much
//! is given with the news, and paid with before the budget is: what others do costs nobody anything. How
//! much others can do is the media node's to bound.

use railgun_protocol::limits::{FOLLOW_UPS_BURST, PARTICIPANTS_PRO, REQUESTS_BURST, REQUESTS_PER_SECOND};
use std::time::Duration;

const BURST: u32 = REQUESTS_BURST;
const SUSTAINED: u32 = REQUESTS_PER_SECOND;
/// Follow-ups not asked for yet: as many as everybody else in the largest room can cause at once.
const FOLLOW_UPS_MAX: u32 = (PARTICIPANTS_PRO as u32 - 1) * FOLLOW_UPS_BURST;
/// Events refused beyond what flows back in; the next one ends the socket.
const DEBT_MAX: u32 = BURST;

/// Credits in fractions of an event, so that no time is lost to rounding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventBudget {
    /// Thousandths of an event; below zero is debt.
    credit: i64,
    /// Milliseconds of a monotonic clock.
    at: u64,
    follow_ups: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BudgetDecision {
    Taken,
    /// Refused now; one would be taken after this time.
    Refused(Duration),
    /// The session goes on asking although it was refused.
    Exhausted,
}

const EVENT: i64 = 1000;

impl EventBudget {
    pub(crate) fn new() -> Self {
        Self { credit: i64::from(BURST) * EVENT, at: 0, follow_ups: 0 }
    }

    /// The client is told something that it answers with so many requests.
    pub(crate) fn provoke(&mut self, requests: u32) {
        self.follow_ups = self.follow_ups.saturating_add(requests).min(FOLLOW_UPS_MAX);
    }

    /// An event came at `now`, in milliseconds since this budget was made; `may_follow_up`: it is one of
    /// those that are asked because of others.
    pub(crate) fn spend(&mut self, now: u64, may_follow_up: bool) -> BudgetDecision {
        if may_follow_up && let Some(left) = self.follow_ups.checked_sub(1) {
            self.follow_ups = left;
            return BudgetDecision::Taken;
        }
        let passed = i64::try_from(now.saturating_sub(self.at)).unwrap_or(i64::MAX);
        self.at = self.at.max(now);
        let flowed = passed.saturating_mul(i64::from(SUSTAINED));
        self.credit = self.credit.saturating_add(flowed).min(i64::from(BURST) * EVENT);
        if self.credit < EVENT - i64::from(DEBT_MAX) * EVENT {
            return BudgetDecision::Exhausted;
        }
        self.credit -= EVENT;
        if self.credit >= 0 {
            return BudgetDecision::Taken;
        }
        let millis = (-self.credit).div_euclid(i64::from(SUSTAINED)) + 1;
        BudgetDecision::Refused(Duration::from_millis(millis.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_a_steady_rate_are_taken() {
        let mut budget = EventBudget::new();
        assert!((0..BURST).all(|_| budget.spend(0, false) == BudgetDecision::Taken));
        assert!(matches!(budget.spend(0, false), BudgetDecision::Refused(_)));
        let mut budget = EventBudget::new();
        let each = u64::from(1000 / SUSTAINED);
        assert!((0..100_000).all(|event| budget.spend(event * each, false) == BudgetDecision::Taken));
    }

    #[test]
    fn who_does_not_stop_is_refused_for_a_while_and_then_ended() {
        let mut budget = EventBudget::new();
        let verdicts: Vec<_> = (0..1000).map(|_| budget.spend(5, false)).collect();
        let count = |of: fn(&BudgetDecision) -> bool| verdicts.iter().filter(|verdict| of(verdict)).count();
        assert_eq!(count(|verdict| *verdict == BudgetDecision::Taken), 200);
        assert_eq!(count(|verdict| matches!(verdict, BudgetDecision::Refused(_))), 200);
        assert_eq!(count(|verdict| *verdict == BudgetDecision::Exhausted), 600);
    }

    #[test]
    fn after_the_time_it_names_an_event_is_taken_again() {
        let mut budget = EventBudget::new();
        (0..BURST).for_each(|_| assert_eq!(budget.spend(0, false), BudgetDecision::Taken));
        let BudgetDecision::Refused(wait) = budget.spend(0, false) else { panic!("it was not refused") };
        let wait = u64::try_from(wait.as_millis()).unwrap();
        // The refused one counts as well.
        assert_eq!(budget.spend(wait + u64::from(1000 / SUSTAINED), false), BudgetDecision::Taken);
        // A clock that goes back gives nothing.
        assert!(matches!(budget.spend(0, false), BudgetDecision::Refused(_)));
    }

    #[test]
    fn what_others_cause_costs_nothing_and_nothing_else_is_had_for_it() {
        let mut budget = EventBudget::new();
        (0..300).for_each(|_| budget.provoke(2));
        assert!((0..600).all(|_| budget.spend(0, true) == BudgetDecision::Taken));
        // The budget itself is whole, for these and for others.
        assert!((0..BURST).all(|event| budget.spend(0, event % 2 == 0) == BudgetDecision::Taken));
        assert!(matches!(budget.spend(0, true), BudgetDecision::Refused(_)));
        budget.provoke(1);
        assert!(matches!(budget.spend(0, false), BudgetDecision::Refused(_)));
        assert_eq!(budget.spend(0, true), BudgetDecision::Taken);
        // However much is told, there is an end to it.
        (0..10_000).for_each(|_| budget.provoke(100));
        let taken = (0..100_000).filter(|_| budget.spend(0, true) == BudgetDecision::Taken).count();
        assert_eq!(taken, 960);
    }
}
