//! The names by which a receiver knows what it was sent, SSRC and sequence number, and what a message of congestion control
//! feedback (RFC 8888) says of them.

use crate::packet::rtcp::{CongestionFeedback, Reception, StreamReport};

/// SSRCs of one message: a block with one report takes twelve bytes of a datagram.
const STREAMS_MAX: usize = 128;
/// Units of a report's time in a second.
const TIMESTAMPS: i64 = 65_536;
pub(crate) const MICROS: i64 = 1_000_000;

/// SSRC and sequence number of a packet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Name {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
}

/// Names of the packets of a history: 8 KiB once it is kept.
#[derive(Debug, Default)]
pub(crate) struct StreamNames {
    ring: Vec<Name>,
    /// The last report's time as it came, and without its wrapping.
    reported: Option<(u32, i64)>,
}

impl StreamNames {
    /// Names of so many packets are kept from now on.
    pub(crate) fn keep(&mut self, packets: usize) {
        if self.ring.is_empty() {
            self.ring = vec![Name::default(); packets];
        }
    }

    pub(crate) fn are_kept(&self) -> bool {
        !self.ring.is_empty()
    }

    #[inline]
    pub(crate) fn put(&mut self, place: usize, name: Name) {
        if let Some(slot) = self.ring.get_mut(place) {
            *slot = name;
        }
    }

    pub(crate) fn at(&self, place: usize) -> Name {
        self.ring.get(place).copied().unwrap_or_default()
    }

    /// The time of a report by the receiver's clock, in microseconds.
    pub(crate) fn unwrap(&mut self, timestamp: u32) -> i64 {
        let unwrapped = match self.reported {
            None => i64::from(timestamp),
            Some((before, unwrapped)) => unwrapped + i64::from(timestamp.wrapping_sub(before).cast_signed()),
        };
        self.reported = Some((timestamp, unwrapped));
        unwrapped.saturating_mul(MICROS) / TIMESTAMPS
    }
}

/// The streams of a message, by SSRC.
pub(crate) struct Reports<'a> {
    sorted: [StreamReport<'a>; STREAMS_MAX],
    count: usize,
}

impl<'a> Reports<'a> {
    pub(crate) fn new(feedback: &CongestionFeedback<'a>) -> Self {
        let mut reports = Self { sorted: [StreamReport::default(); STREAMS_MAX], count: 0 };
        for (slot, report) in reports.sorted.iter_mut().zip(feedback.streams().filter(|it| !it.is_empty())) {
            *slot = report;
            reports.count += 1;
        }
        reports.sorted.get_mut(..reports.count).unwrap_or_default().sort_unstable_by_key(|it| it.ssrc);
        reports
    }

    /// None if the message says nothing of the packet, `Some(None)` if it did not arrive.
    pub(crate) fn of(&self, name: Name) -> Option<Option<Reception>> {
        let sorted = self.sorted.get(..self.count)?;
        let at = sorted.binary_search_by_key(&name.ssrc, |it| it.ssrc).ok()?;
        sorted.get(at)?.of(name.sequence)
    }
}
