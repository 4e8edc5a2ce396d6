//! The present moment on both clocks, as a command meets it.

use railgun_protocol::media_rpc::Grant;
use std::time::{Instant, SystemTime};

/// The present moment. Wall time serves to read a deadline once; later steps of that clock move none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) wall: SystemTime,
}

impl Moment {
    /// The moment of a deadline; at once if it has passed.
    fn moment_of(self, deadline: SystemTime) -> Option<Instant> {
        match deadline.duration_since(self.wall) {
            // One that no clock reaches is none.
            Ok(left) => self.at.checked_add(left),
            Err(_) => Some(self.at),
        }
    }

    /// When a grant's video ends; none if it does not.
    pub(super) fn end_of(self, grant: &Grant) -> Option<Instant> {
        grant.video_until.and_then(|until| self.moment_of(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn deadlines_become_moments() {
        let now = Moment { at: Instant::now(), wall: UNIX_EPOCH + Duration::from_secs(100) };
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(now.moment_of(at(130)), Some(now.at + Duration::from_secs(30)));
        assert_eq!(now.moment_of(at(99)), Some(now.at));
        assert!(now.moment_of(at(i64::MAX as u64 / 2)).is_none_or(|at| at > now.at));
    }
}
