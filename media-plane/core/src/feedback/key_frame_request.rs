//! One key-frame request to a source for all who want one (RFC 4585 section 6.3.1).

use railgun_protocol::limits::KEY_FRAME_REQUEST_INTERVAL;
use std::time::{Duration, Instant};

/// Without a key frame for this long, the request is taken as lost.
const REPEAT_AFTER: Duration = Duration::from_secs(1);
/// Requests in a row without a key frame after which the source is asked again only on a new demand.
const REPEATS_MAX: u8 = 10;

/// When a source was asked, and when it is to be asked again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyFrameRequests {
    asked: Option<Instant>,
    due: Option<Instant>,
    repeats: u8,
    sent: u64,
}

impl KeyFrameRequests {
    /// Somebody needs a key frame; it is asked for at once or as soon as the interval allows.
    pub(crate) fn want(&mut self, now: Instant) {
        self.repeats = 0;
        let earliest = self.asked.map_or(now, |asked| now.max(asked + KEY_FRAME_REQUEST_INTERVAL));
        self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
    }

    /// A request was sent within the time in which its key frame comes.
    #[inline]
    pub(crate) fn was_asked(&self, now: Instant) -> bool {
        self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < REPEAT_AFTER)
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// How many requests were sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether to send a request now.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        self.asked = Some(now);
        self.sent += 1;
        self.repeats += 1;
        self.due = (self.repeats < REPEATS_MAX).then(|| now + REPEAT_AFTER);
        true
    }

    /// A key frame came.
    pub(crate) fn on_key_frame(&mut self) {
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_wishes_are_one_request_each_interval() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::default();
        let mut sent = 0;
        for ms in 0..2_000 {
            let now = start + Duration::from_millis(ms);
            requests.want(now);
            sent += u32::from(requests.take(now));
        }
        assert_eq!(sent, 4);
    }

    #[test]
    fn a_lost_request_is_repeated_until_the_key_frame_comes() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::default();
        requests.want(start);
        assert!(requests.take(start));
        assert!(!requests.take(start + Duration::from_millis(999)));
        assert!(requests.take(start + REPEAT_AFTER));
        requests.on_key_frame();
        assert_eq!(requests.due(), None);
    }

    #[test]
    fn a_source_that_never_answers_is_left_in_peace() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::default();
        requests.want(start);
        let sent = (0..60).filter(|s| requests.take(start + Duration::from_secs(*s))).count();
        assert_eq!(sent, usize::from(REPEATS_MAX));
    }
}
