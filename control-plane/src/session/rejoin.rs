//! When people whose room is gone join again.

use crate::policy::rejoin_spread;

/// How long one of so many waits before it joins again, in milliseconds.
pub(super) fn rejoin_after(people: usize) -> u64 {
    let spread = u64::try_from(rejoin_spread::spread(people).as_millis()).unwrap_or(u64::MAX);
    rand::random_range(0..=spread)
}
