//! Times as clients read them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// RFC 3339 in UTC, to the second: `2027-01-31T23:59:59Z`. A year that it cannot write is the last
/// it can.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let seconds = i64::try_from(unix_seconds(at)).unwrap_or(i64::MAX);
    let at = OffsetDateTime::from_unix_timestamp(seconds).ok().and_then(|at| at.format(&Rfc3339).ok());
    at.unwrap_or_else(|| "9999-12-31T23:59:59Z".into())
}

/// Whole seconds since 1970.
pub(crate) fn unix_seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Whole milliseconds since 1970.
pub(crate) fn unix_millis(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds of the wall clock of which no two are alike: of two joins that this replica took, the later
/// one has the higher number, also within a millisecond.
#[derive(Debug, Default)]
pub(crate) struct Stamps(AtomicU64);

impl Stamps {
    /// `now`: Unix milliseconds.
    pub(crate) fn next(&self, now: u64) -> u64 {
        let next = |last: u64| now.max(last.saturating_add(1));
        let last = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        next(last.unwrap_or_else(|last| last))
    }
}

#[cfg(test)]
mod stamp_tests {
    use super::*;

    #[test]
    fn of_two_joins_in_one_millisecond_the_later_has_the_higher_stamp() {
        let stamps = Stamps::default();
        assert_eq!([5, 5, 4, 9].map(|now| stamps.next(now)), [5, 6, 7, 9]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_time_is_written_to_the_second_in_utc() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(rfc3339(at(0)), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(at(1_800_000_000)), "2027-01-15T08:00:00Z");
        assert_eq!(rfc3339(at(1 << 50)), "9999-12-31T23:59:59Z");
    }
}
