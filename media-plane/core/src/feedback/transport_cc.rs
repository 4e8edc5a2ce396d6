//! Feedback to a client on when its packets arrived, for its congestion control
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use crate::packet::rtcp::{ChunkPacker, TransportCcInfo, write_transport_cc};
use crate::packet::{WriteError, sequence_of};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// From the first packet that was not reported to the report.
const INTERVAL: Duration = Duration::from_millis(100);
/// Arrivals in one feedback message, which fill it.
const ARRIVALS_MAX: u16 = 400;
/// Packets, arrived or not, of which is remembered whether they did.
const STATUSES_MAX: u16 = 8192;
/// Bytes of a message, below any path's MTU with SRTCP and IPv6 around it.
pub(crate) const MESSAGE_MAX: usize = 1200;
/// A packet that is later than this is given up.
const LATE_MAX: Duration = Duration::from_millis(500);
/// A number so far behind is that of a sender that started anew, if nothing else came for a while.
const FAR_BACK: u16 = 1000;

/// Ticks are 250 us since the first packet ever.
const TICK_US: u128 = 250;
/// The unit of a message's reference time: 64 ms.
const TICKS_PER_REFERENCE: u64 = 256;
const LATE_TICKS_MAX: u64 = 2_000;
const _: () = assert!(LATE_TICKS_MAX as u128 * TICK_US == LATE_MAX.as_micros());
/// In place of an arrival's tick.
const LOST: u64 = u64::MAX;
/// Header, sources, base, count, reference time.
const FIXED_BYTES: usize = 20;
const CHUNK_BYTES: usize = 2;

/// Arrivals of one transport's packets, at most [`STATUSES_MAX`] and half a second of them.
#[derive(Debug, Default)]
pub(crate) struct TransportCcRecorder {
    epoch: Option<Instant>,
    /// By index from `first` on; the last one is an arrival.
    arrivals: VecDeque<u64>,
    first: u64,
    /// Where the next message starts.
    unreported: u64,
    last_taken: Option<Instant>,
    due: Option<Instant>,
    /// Arrivals since the last message.
    pending: u16,
    feedback_count: u8,
}

impl TransportCcRecorder {
    /// A packet with this transport-wide sequence number arrived. Returns whether it was sent later than all that arrived
    /// before.
    pub(crate) fn on_packet(&mut self, sequence: u16, now: Instant) -> bool {
        let before = self.highest();
        let epoch = *self.epoch.get_or_insert(now);
        let tick = now.saturating_duration_since(epoch).as_micros() / TICK_US;
        let tick = u64::try_from(tick).unwrap_or(LOST - 1);
        if !self.record(sequence, tick) {
            if !self.is_anew(sequence, now) {
                return false;
            }
            self.restart(sequence, tick);
        }
        self.last_taken = Some(now);
        self.forget_before(tick);
        self.pending = self.pending.saturating_add(1);
        let at = if self.pending >= ARRIVALS_MAX { now } else { now + INTERVAL };
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
        self.highest() > before
    }

    /// When to take messages next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The next message that is due; call it until there is none.
    pub(crate) fn next_feedback(&mut self, now: Instant) -> Option<Feedback<'_>> {
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        self.pending = 0;
        let start = self.place(self.unreported)?;
        let Some((len, reference)) = self.message(start) else {
            self.due = None;
            return None;
        };
        let base = self.unreported;
        self.unreported += u64::try_from(len).unwrap_or_default();
        let feedback_count = self.feedback_count;
        self.feedback_count = feedback_count.wrapping_add(1);
        Some(Feedback { recorder: self, start, len, base, reference, feedback_count })
    }

    /// Returns false for a packet that is too late or a duplicate.
    fn record(&mut self, sequence: u16, tick: u64) -> bool {
        let Some(highest) = self.highest() else {
            self.restart(sequence, tick);
            return true;
        };
        let ahead = sequence.wrapping_sub(sequence_of(highest));
        if ahead != 0 && ahead < 1 << 15 {
            self.advance(highest + u64::from(ahead), tick);
            return true;
        }
        // After a silence too: what it would be told with again is long reported, in one message for
        // each stretch of time.
        if self.arrivals.back().is_some_and(|newest| newest.saturating_add(LATE_TICKS_MAX) < tick) {
            return false;
        }
        let index = highest.checked_sub(u64::from(sequence_of(highest).wrapping_sub(sequence)));
        let Some(index) = index else { return false };
        let place = self.place(index);
        let Some(arrival) = place.and_then(|place| self.arrivals.get_mut(place)) else { return false };
        if *arrival != LOST {
            return false;
        }
        *arrival = tick;
        // Reported as lost before, it is now told with what came after it.
        self.unreported = self.unreported.min(index);
        true
    }

    fn is_anew(&self, sequence: u16, now: Instant) -> bool {
        let back = self.highest().map_or(0, |highest| sequence_of(highest).wrapping_sub(sequence));
        let since = self.last_taken.map(|last| now.saturating_duration_since(last));
        back > FAR_BACK && since.is_none_or(|since| since > LATE_MAX)
    }

    fn advance(&mut self, index: u64, tick: u64) {
        if index - self.unreported >= u64::from(STATUSES_MAX) {
            self.restart(sequence_of(index), tick);
            return;
        }
        while index - self.first >= u64::from(STATUSES_MAX) && self.arrivals.pop_front().is_some() {
            self.first += 1;
        }
        let len = usize::try_from(index - self.first).unwrap_or_default();
        self.arrivals.resize(len, LOST);
        self.arrivals.push_back(tick);
    }

    /// Forgets everything; the sequence goes on from here.
    fn restart(&mut self, sequence: u16, tick: u64) {
        self.arrivals.clear();
        self.arrivals.push_back(tick);
        self.first = u64::from(sequence);
        self.unreported = self.first;
    }

    /// Lets go of reported packets that are older than any that may still be overtaken.
    fn forget_before(&mut self, tick: u64) {
        let is_old = |arrival: &u64| *arrival == LOST || arrival.saturating_add(LATE_TICKS_MAX) < tick;
        while self.first < self.unreported && self.arrivals.front().is_some_and(is_old) {
            self.arrivals.pop_front();
            self.first += 1;
        }
    }

    /// How many statuses from `start` on make the next message, and its reference time. It ends
    /// with an arrival, so that losses after it are told once something came after them.
    fn message(&self, start: usize) -> Option<(usize, u64)> {
        let mut packer = ChunkPacker::default();
        let mut bytes = FIXED_BYTES + CHUNK_BYTES;
        let mut reference = None;
        let mut previous = 0;
        let mut end = None;
        for (offset, arrival) in self.arrivals.range(start..).take(usize::from(STATUSES_MAX)).enumerate() {
            let mut delta = None;
            if *arrival != LOST {
                if reference.is_none() {
                    reference = Some(arrival / TICKS_PER_REFERENCE);
                    previous = arrival / TICKS_PER_REFERENCE * TICKS_PER_REFERENCE;
                }
                // A longer time does not fit into a delta: the next message starts here.
                let Some(since) = delta_of(*arrival, previous) else { break };
                bytes += if u8::try_from(since).is_ok() { 1 } else { 2 };
                previous = *arrival;
                delta = Some(since);
            }
            bytes += if packer.push(delta).is_some() { CHUNK_BYTES } else { 0 };
            if bytes > MESSAGE_MAX {
                break;
            }
            if delta.is_some() {
                end = Some(offset + 1);
            }
        }
        end.zip(reference)
    }

    fn highest(&self) -> Option<u64> {
        let len = u64::try_from(self.arrivals.len()).ok()?;
        (self.first + len).checked_sub(1).filter(|_| len > 0)
    }

    /// Where the arrival of a packet is recorded.
    fn place(&self, index: u64) -> Option<usize> {
        let place = usize::try_from(index.checked_sub(self.first)?).ok()?;
        (place <= self.arrivals.len()).then_some(place)
    }
}

/// One message, ready to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feedback<'a> {
    recorder: &'a TransportCcRecorder,
    start: usize,
    len: usize,
    base: u64,
    reference: u64,
    feedback_count: u8,
}

impl Feedback<'_> {
    /// Writes it to the start of `out`, at most [`MESSAGE_MAX`] bytes; returns its length.
    pub(crate) fn write(
        &self,
        out: &mut [u8],
        sender_ssrc: u32,
        media_ssrc: u32,
    ) -> Result<usize, WriteError> {
        // 24 bits, which wrap after twelve days.
        let [.., r0, r1, r2] = self.reference.to_be_bytes();
        let info = TransportCcInfo {
            sender_ssrc,
            media_ssrc,
            base_sequence: sequence_of(self.base),
            reference_time: i32::from_be_bytes([r0, r1, r2, 0]) >> 8,
            feedback_count: self.feedback_count,
        };
        write_transport_cc(out, &info, self.deltas())
    }

    fn deltas(&self) -> impl Iterator<Item = Option<i16>> + Clone + '_ {
        let mut previous = self.reference * TICKS_PER_REFERENCE;
        self.recorder.arrivals.range(self.start..).take(self.len).map(move |arrival| {
            let delta = delta_of(*arrival, previous).filter(|_| *arrival != LOST)?;
            previous = *arrival;
            Some(delta)
        })
    }
}

fn delta_of(arrival: u64, previous: u64) -> Option<i16> {
    i16::try_from(i64::try_from(arrival).ok()? - i64::try_from(previous).ok()?).ok()
}

#[cfg(test)]
mod tests;
