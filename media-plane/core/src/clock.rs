//! Wall time, for sender reports alone; everything else is measured in [`Instant`]s.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Seconds from the NTP epoch, 1900, to the Unix epoch (RFC 868).
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// One moment on both clocks. Wall time is counted from there, whatever steps the system's clock makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) started: (Instant, SystemTime),
}

impl Clock {
    /// Wall time as a 32.32 fixed-point number of seconds since 1900 (RFC 5905 section 6).
    pub(crate) fn ntp(self, now: Instant) -> u64 {
        let (instant, wall) = self.started;
        let wall = wall + now.saturating_duration_since(instant);
        let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = (since.as_secs().wrapping_add(NTP_TO_UNIX)) & 0xffff_ffff;
        (seconds << 32) | ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000)
    }
}
