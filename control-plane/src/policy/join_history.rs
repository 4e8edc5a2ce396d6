//! How often one user may join. A small record per user, which replicas can share.

use serde::{Deserialize, Serialize};

/// In which joins are counted, in milliseconds.
const WINDOW: u64 = 60_000;

/// How often a user may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinLimits {
    /// `joins.per_minute`: joins asked for in any minute; 0: any number.
    pub per_minute: u16,
    /// `joins.cooldown`: milliseconds from one successful join to the next.
    pub cooldown: u64,
}

impl Default for JoinLimits {
    fn default() -> Self {
        Self { per_minute: 10, cooldown: 5000 }
    }
}

/// One user's joins. Times are Unix milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JoinHistory {
    /// When joins were asked for that were not refused for their number, oldest first.
    recent: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_success: Option<u64>,
    /// Kicked until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    barred_until: Option<u64>,
}

/// Why a join has to wait, and for how many milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    TooMany(u64),
    TooSoon(u64),
    Barred(u64),
}

impl JoinHistory {
    /// Stamps that lie ahead were made by a clock that is ahead: whatever they are of was now at the
    /// latest. They stay so, or each look would find them ahead again until that time has come.
    pub(crate) fn clamp(&mut self, now: u64) {
        self.recent.iter_mut().chain(&mut self.last_success).for_each(|at| *at = now.min(*at));
    }

    /// A join is asked for. Counts it if it may go on.
    pub(crate) fn ask(&mut self, limits: JoinLimits, now: u64) -> Result<(), Wait> {
        self.barred(now)?;
        self.recent.retain(|at| now.saturating_sub(*at) < WINDOW);
        let again = |from: u64, after: u64| after.saturating_sub(now.saturating_sub(from));
        if limits.per_minute == 0 {
            self.recent.clear();
        } else if self.recent.len() >= usize::from(limits.per_minute)
            && let Some(oldest) = self.recent.first()
        {
            return Err(Wait::TooMany(again(*oldest, WINDOW).max(1)));
        }
        if let Some(last) = self.last_success
            && again(last, limits.cooldown) > 0
        {
            return Err(Wait::TooSoon(again(last, limits.cooldown)));
        }
        if limits.per_minute > 0 {
            self.recent.push(now);
        }
        Ok(())
    }

    /// Whoever was kicked for a time stays out, even if its other joins are not counted.
    pub(crate) fn barred(&self, now: u64) -> Result<(), Wait> {
        match self.barred_until.map(|until| until.saturating_sub(now)) {
            None | Some(0) => Ok(()),
            Some(wait) => Err(Wait::Barred(wait)),
        }
    }

    pub(crate) fn succeeded(&mut self, now: u64) {
        self.last_success = Some(now);
    }

    pub(crate) fn bar(&mut self, until: u64) {
        self.barred_until = self.barred_until.max(Some(until));
    }

    /// Until when something in it counts.
    pub(crate) fn counts_until(&self, limits: JoinLimits) -> u64 {
        let asked = self.recent.iter().map(|at| at.saturating_add(WINDOW));
        let succeeded = self.last_success.map(|at| at.saturating_add(limits.cooldown));
        asked.chain(succeeded).chain(self.barred_until).max().unwrap_or_default()
    }

    /// Nothing in it counts any more.
    pub(crate) fn is_over(&self, limits: JoinLimits, now: u64) -> bool {
        self.counts_until(limits) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_COOLDOWN: JoinLimits = JoinLimits { per_minute: 10, cooldown: 0 };

    #[test]
    fn ten_joins_a_minute_and_the_next_when_the_oldest_is_a_minute_old() {
        let mut history = JoinHistory::default();
        for at in 0..10 {
            assert_eq!(history.ask(NO_COOLDOWN, at * 1000), Ok(()));
        }
        assert_eq!(history.ask(NO_COOLDOWN, 10_000), Err(Wait::TooMany(50_000)));
        assert_eq!(history.ask(NO_COOLDOWN, 59_999), Err(Wait::TooMany(1)));
        assert_eq!(history.ask(NO_COOLDOWN, 60_000), Ok(()));
        assert_eq!(history.ask(NO_COOLDOWN, 60_000), Err(Wait::TooMany(1000)));
    }

    #[test]
    fn the_cooldown_counts_from_the_last_join_that_succeeded() {
        let limits = JoinLimits::default();
        let mut history = JoinHistory::default();
        assert_eq!(history.ask(limits, 0), Ok(()));
        assert_eq!(history.ask(limits, 100), Ok(()), "the first one failed");
        history.succeeded(200);
        assert_eq!(history.ask(limits, 1200), Err(Wait::TooSoon(4000)));
        assert_eq!(history.ask(limits, 5200), Ok(()));
    }

    #[test]
    fn a_stamp_from_the_future_counts_from_now_and_no_longer() {
        let mut history = JoinHistory::default();
        history.ask(NO_COOLDOWN, 300_000).unwrap();
        history.succeeded(300_000);
        history.clamp(200);
        assert_eq!(history.clone().ask(NO_COOLDOWN, 200), Ok(()));
        assert_eq!(history.ask(JoinLimits::default(), 200), Err(Wait::TooSoon(5000)));
        history.clamp(5200);
        assert_eq!(history.ask(JoinLimits::default(), 5200), Ok(()));
        assert_eq!(history.counts_until(NO_COOLDOWN), 65_200);
    }

    #[test]
    fn who_was_kicked_for_a_time_stays_out_for_it() {
        let mut history = JoinHistory::default();
        history.bar(300_000);
        history.bar(1);
        assert_eq!(history.ask(JoinLimits::default(), 100), Err(Wait::Barred(299_900)));
        assert_eq!(history.barred(299_999), Err(Wait::Barred(1)));
        assert_eq!(history.ask(JoinLimits::default(), 300_000), Ok(()));
    }

    #[test]
    fn a_record_is_over_when_nothing_in_it_counts() {
        let limits = JoinLimits::default();
        let mut history = JoinHistory::default();
        assert!(history.is_over(limits, 0));
        history.ask(limits, 0).unwrap();
        history.succeeded(0);
        assert!(!history.is_over(limits, 59_999));
        assert!(history.is_over(limits, 60_000));
        history.bar(70_000);
        assert!(!history.is_over(limits, 60_000));
    }

    #[test]
    fn a_record_reads_back_from_its_json() {
        let mut history = JoinHistory::default();
        history.ask(JoinLimits::default(), 7).unwrap();
        history.bar(9);
        let json = serde_json::to_string(&history).unwrap();
        assert_eq!(json, r#"{"recent":[7],"barredUntil":9}"#);
        assert_eq!(serde_json::from_str::<JoinHistory>(&json).unwrap(), history);
    }
}
