//! Feedback to a client on which packets of each of its streams arrived, when, and with which ECN mark, for its congestion
//! control (RFC 8888). In place of `transport_cc`, which carries no marks.

use crate::packet::ecn::Ecn;
use crate::packet::rtcp::{Reception, write_congestion_feedback};
use crate::packet::{WriteError, sequence_of};
use std::time::{Duration, Instant};

/// A packet waits for its report for so long at most, and two reports are so far apart at least. A scalable congestion control
/// reacts once a round trip (RFC 9331), so 100 ms, as of transport-cc, would be most of its delay.
const INTERVAL: Duration = Duration::from_millis(25);
/// Packets of a stream, arrived or not, of which is remembered whether they did.
const STATUSES: u16 = 512;
/// Streams of a transport.
pub(crate) const STREAMS_MAX: usize = 16;
/// Bytes of a message, below any path's MTU with SRTCP and IPv6 around it.
pub(crate) const MESSAGE_MAX: usize = 1200;
/// Header, SSRC of who reports, timestamp.
const FIXED_BYTES: usize = 12;
/// SSRC, first sequence number, count.
const BLOCK_BYTES: usize = 8;
const STATUS_BYTES: usize = 2;

/// Arrivals of one transport's packets, by stream.
#[derive(Debug, Default)]
pub(crate) struct CongestionFeedbackRecorder {
    /// At most [`STREAMS_MAX`]. Those that the last message had no room for come first.
    streams: Vec<StreamArrivals>,
    epoch: Option<Instant>,
    due: Option<Instant>,
}

impl CongestionFeedbackRecorder {
    /// A packet of a stream arrived then, with this mark. `index`: the sender's roll-over counter and sequence number.
    pub(crate) fn on_packet(&mut self, ssrc: u32, index: u64, ecn: Ecn, arrived: Instant) {
        let epoch = *self.epoch.get_or_insert(arrived);
        let status = Status::arrived(arrived.saturating_duration_since(epoch), ecn);
        let is_news = match self.streams.iter_mut().find(|stream| stream.ssrc == ssrc) {
            Some(stream) => stream.record(index, status),
            None => {
                let has_room = self.streams.len() < STREAMS_MAX;
                if has_room {
                    self.streams.push(StreamArrivals::new(ssrc, index, status));
                }
                has_room
            }
        };
        if is_news && self.due.is_none() {
            self.due = Some(arrived + INTERVAL);
        }
    }

    /// The stream is over.
    pub(crate) fn forget(&mut self, ssrc: u32) {
        self.streams.retain(|stream| stream.ssrc != ssrc);
    }

    /// When to take the next message.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Writes the message that is due, of at most [`MESSAGE_MAX`] bytes, to the start of `out`; its length. What it has no
    /// room for comes with the next one, an interval later. `timestamp`: `now`, as the middle of an NTP time.
    pub(crate) fn next_message(
        &mut self,
        now: Instant,
        out: &mut [u8],
        sender_ssrc: u32,
        timestamp: u32,
    ) -> Option<Result<usize, WriteError>> {
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        self.due = None;
        let since = now.saturating_duration_since(self.epoch?);
        let (counts, served) = self.plan();
        if counts.iter().all(|count| *count == 0) {
            return None;
        }
        let planned = self.streams.iter().zip(counts).filter(|(_, count)| *count > 0);
        let blocks = planned.map(|(stream, count)| {
            let begin = sequence_of(stream.unreported);
            (stream.ssrc, begin, stream.statuses(count).map(move |status| status.reception(since)))
        });
        let written = write_congestion_feedback(out, sender_ssrc, timestamp, blocks);
        for (stream, count) in self.streams.iter_mut().zip(counts) {
            stream.unreported += u64::from(count);
        }
        if self.streams.iter().any(|stream| stream.pending() > 0) {
            self.due = Some(now + INTERVAL);
            self.streams.rotate_left(served);
        }
        Some(written)
    }

    /// How many statuses of each stream the next message has, and how many streams it tells all of.
    fn plan(&self) -> ([u16; STREAMS_MAX], usize) {
        let mut counts = [0; STREAMS_MAX];
        let mut room = MESSAGE_MAX - FIXED_BYTES;
        for (served, (stream, count)) in self.streams.iter().zip(&mut counts).enumerate() {
            let pending = stream.pending();
            if pending == 0 {
                continue;
            }
            // Whole words.
            let places = room.saturating_sub(BLOCK_BYTES) / 4 * 4 / STATUS_BYTES;
            let places = u16::try_from(places).unwrap_or(u16::MAX);
            *count = pending.min(places);
            if *count < pending {
                return (counts, served);
            }
            room -= BLOCK_BYTES + STATUS_BYTES * usize::from(count.next_multiple_of(2));
        }
        (counts, self.streams.len())
    }
}

/// Arrivals of one stream.
#[derive(Debug)]
struct StreamArrivals {
    ssrc: u32,
    /// By the index modulo their number: of [`Self::oldest`] to the highest.
    statuses: Box<[Status; STATUSES as usize]>,
    /// The first index, or the first after a jump.
    first: u64,
    highest: u64,
    /// Where the next report begins: at most the highest plus one.
    unreported: u64,
}

impl StreamArrivals {
    fn new(ssrc: u32, index: u64, status: Status) -> Self {
        let statuses = Box::new([Status::LOST; STATUSES as usize]);
        let mut stream = Self { ssrc, statuses, first: index, highest: index, unreported: index };
        stream.put(index, status);
        stream
    }

    /// Whether it is to be reported: not of a packet that is too late or came before.
    fn record(&mut self, index: u64, status: Status) -> bool {
        if index > self.highest {
            self.advance(index);
        } else if index < self.oldest() {
            return false;
        }
        let known = self.get(index);
        if known != Status::LOST {
            // The first copy's time, and a mark of any (RFC 8888 section 3.1).
            self.put(index, known.marked_as(status));
            return false;
        }
        self.put(index, status);
        // Reported as lost before, it is told now with what came after it.
        self.unreported = self.unreported.min(index);
        true
    }

    fn advance(&mut self, index: u64) {
        if index - self.highest >= u64::from(STATUSES) {
            // Nothing is told of the gap: it is the sender's jump, or an outage that it noticed by the silence.
            (self.first, self.unreported) = (index, index);
            self.put(index, Status::LOST);
        } else {
            (self.highest + 1..=index).for_each(|lost| self.put(lost, Status::LOST));
        }
        self.highest = index;
        self.unreported = self.unreported.max(self.oldest());
    }

    /// The lowest index of which is known whether it arrived.
    fn oldest(&self) -> u64 {
        self.first.max((self.highest + 1).saturating_sub(STATUSES.into()))
    }

    /// Statuses that wait for a report.
    fn pending(&self) -> u16 {
        u16::try_from(self.highest + 1 - self.unreported).unwrap_or_default()
    }

    fn statuses(&self, count: u16) -> impl ExactSizeIterator<Item = Status> + '_ {
        (0..count).map(|offset| self.get(self.unreported + u64::from(offset)))
    }

    fn get(&self, index: u64) -> Status {
        self.statuses.get(place(index)).copied().unwrap_or(Status::LOST)
    }

    fn put(&mut self, index: u64, status: Status) {
        if let Some(place) = self.statuses.get_mut(place(index)) {
            *place = status;
        }
    }
}

fn place(index: u64) -> usize {
    usize::try_from(index % u64::from(STATUSES)).unwrap_or_default()
}

/// What became of a packet: lost, or microseconds of its arrival since the recorder's first packet above two bits of ECN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Status(u64);

impl Status {
    const LOST: Self = Self(u64::MAX);

    fn arrived(since: Duration, ecn: Ecn) -> Self {
        let micros = u64::try_from(since.as_micros()).unwrap_or_default();
        Self(micros << 2 | u64::from(ecn.bits()))
    }

    fn ecn(self) -> Ecn {
        let [.., low] = self.0.to_be_bytes();
        Ecn::from_bits(low)
    }

    fn marked_as(self, copy: Self) -> Self {
        if copy.ecn() == Ecn::Ce { Self(self.0 | u64::from(Ecn::Ce.bits())) } else { self }
    }

    /// As a message says it that is made `now` after the recorder's first packet.
    fn reception(self, now: Duration) -> Option<Reception> {
        let ago = now.saturating_sub(Duration::from_micros(self.0 >> 2));
        let offset = u16::try_from(ago.as_micros() * 1_024 / 1_000_000).unwrap_or(u16::MAX);
        (self != Self::LOST).then(|| Reception { ecn: self.ecn(), offset: Some(offset) })
    }
}

#[cfg(test)]
mod tests;
