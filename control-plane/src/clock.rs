//! Times as clients read them.

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
