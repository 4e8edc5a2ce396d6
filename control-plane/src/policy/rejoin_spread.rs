//! Over how long those who have to join again come back: by their number, so that a few are back at once
//! and many do not come together.

use std::time::Duration;

/// How many of one replica come back in a second: each costs the nodes two handshakes, and several
/// replicas send theirs at the same time.
const PEOPLE_PER_SECOND: u64 = 200;
/// Longest delay of a rejoin, however many people rejoin.
const SPREAD_MAX: Duration = Duration::from_secs(5);

/// Each of `people` waits for a time that is drawn from nothing to this.
pub(crate) fn spread(people: usize) -> Duration {
    let people = u64::try_from(people).unwrap_or(u64::MAX);
    Duration::from_millis(people.saturating_mul(1000) / PEOPLE_PER_SECOND).min(SPREAD_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_come_back_at_once_and_many_over_seconds() {
        assert_eq!(spread(0), Duration::ZERO);
        assert_eq!(spread(24), Duration::from_millis(120));
        assert_eq!(spread(500), Duration::from_millis(2500));
        assert_eq!(spread(1000), SPREAD_MAX);
        assert_eq!(spread(usize::MAX), SPREAD_MAX);
    }
}
