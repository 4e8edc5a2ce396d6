//! What one receiver was sent under transport-wide numbers, and what its feedback says of it
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01; `by_stream`: RFC 8888).
//!
//! Only what left here has a number, so a packet that its publisher's uplink lost is in no account of a
//! receiver. A packet is reported on once: as arrived, or as lost when a later one arrived; one that comes
//! after it was given up is taken back as recovered.

mod by_stream;

use crate::feedback::stream_names::StreamNames;
use crate::packet::ecn::Ecn;
use crate::packet::rtcp::TransportCc;
use std::time::Instant;

/// Packets remembered, a power of two: 8 KiB. At 450 packets a second, more than any receiver of 4 Mbit/s
/// gets, two seconds.
const PACKETS_MAX: u16 = 1024;
/// Bytes of UDP and IPv4 around a datagram.
const UDP_IP: u64 = 28;
/// Unit of a delta and of a reference time, in microseconds.
const DELTA_US: i64 = 250;
const REFERENCE_US: i64 = 64_000;

/// What a packet was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Media,
    Retransmission,
    /// Padding, to learn what the link takes.
    Probe,
}

/// What feedback says of one sent packet. Packets are reported in the order of their transport-wide
/// numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrived(Arrival),
    /// A later packet arrived.
    Lost(Departure),
    /// The packet was reported lost before and has arrived after all.
    Recovered(Departure),
}

/// A packet as it left. Times are in microseconds since the history began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Departure {
    pub(crate) number: u16,
    pub(crate) sent_us: i64,
    /// Bytes on the wire above UDP.
    pub(crate) len: u16,
    pub(crate) purpose: Purpose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) departure: Departure,
    /// By the receiver's clock, from a zero of its own.
    pub(crate) arrived_us: i64,
    /// As its IP header had it on arrival; transport-cc feedback does not say.
    pub(crate) ecn: Ecn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unused,
    InFlight,
    Arrived,
    Lost,
}

/// Eight bytes: `flags` has the length in its lower eleven bits, then two of purpose and two of state.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    sent_us: u32,
    number: u16,
    flags: u16,
}

const LEN_BITS: u16 = 0x07ff;
const PURPOSE_SHIFT: u16 = 11;
const STATE_SHIFT: u16 = 13;

impl Entry {
    #[inline]
    fn state(self) -> State {
        match self.flags >> STATE_SHIFT & 3 {
            0 => State::Unused,
            1 => State::InFlight,
            2 => State::Arrived,
            _ => State::Lost,
        }
    }

    #[inline]
    fn set_state(&mut self, state: State) {
        let bits = match state {
            State::Unused => 0,
            State::InFlight => 1,
            State::Arrived => 2,
            State::Lost => 3,
        };
        self.flags = self.flags & !(3 << STATE_SHIFT) | bits << STATE_SHIFT;
    }

    fn purpose(self) -> Purpose {
        match self.flags >> PURPOSE_SHIFT & 3 {
            0 => Purpose::Media,
            1 => Purpose::Retransmission,
            _ => Purpose::Probe,
        }
    }
}

/// A ring of [`PACKETS_MAX`] packets, allocated with the first.
#[derive(Debug)]
pub(crate) struct SentHistory {
    epoch: Instant,
    /// When the first packet was sent, of [`Self::micros`]; `None` before.
    begun_us: Option<i64>,
    entries: Vec<Entry>,
    /// The first number whose fate is not known yet, and the one after the newest sent.
    unresolved: u16,
    next: u16,
    /// Sent so far, with UDP and IP.
    bytes: u64,
    /// The last feedback's reference time as it came (24 bits), and unwrapped.
    reference: Option<(i32, i64)>,
    names: StreamNames,
}

impl SentHistory {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            begun_us: None,
            entries: Vec::new(),
            unresolved: 0,
            next: 0,
            bytes: 0,
            reference: None,
            names: StreamNames::default(),
        }
    }

    /// Microseconds since the history began.
    #[inline]
    pub(crate) fn micros(&self, now: Instant) -> i64 {
        i64::try_from(now.saturating_duration_since(self.epoch).as_micros()).unwrap_or(i64::MAX)
    }

    /// A packet was sent at `sent_us`, of [`Self::micros`].
    #[inline]
    pub(crate) fn put(&mut self, number: u16, len: usize, purpose: Purpose, sent_us: i64) {
        if self.entries.is_empty() {
            self.begin(number, sent_us);
        }
        let purpose = match purpose {
            Purpose::Media => 0,
            Purpose::Retransmission => 1,
            Purpose::Probe => 2,
        };
        let len = u16::try_from(len).unwrap_or(LEN_BITS).min(LEN_BITS);
        let flags = len | purpose << PURPOSE_SHIFT | 1 << STATE_SHIFT;
        let sent_us = low_bits(sent_us);
        if let Some(entry) = self.entries.get_mut(place(number)) {
            *entry = Entry { sent_us, number, flags };
        }
        self.next = number.wrapping_add(1);
        self.bytes += u64::from(len) + UDP_IP;
    }

    /// Bytes sent so far, with UDP and IP.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    #[cold]
    fn begin(&mut self, first: u16, sent_us: i64) {
        self.entries = vec![Entry::default(); usize::from(PACKETS_MAX)];
        self.unresolved = first;
        self.begun_us = Some(sent_us);
    }

    /// Microseconds since the first packet was sent; 0 before it.
    pub(crate) fn sends_for_us(&self, now: Instant) -> i64 {
        self.begun_us.map_or(0, |begun| self.micros(now) - begun)
    }

    /// Packets sent so far that no feedback spoke of, at most [`PACKETS_MAX`].
    pub(crate) fn unreported(&self) -> u16 {
        if self.entries.is_empty() { 0 } else { self.next.wrapping_sub(self.unresolved).min(PACKETS_MAX) }
    }

    /// Takes a feedback message: what it says of packets that are still remembered and were not reported
    /// on. A number that was never sent says nothing.
    pub(crate) fn on_feedback(
        &mut self,
        feedback: &TransportCc<'_>,
        now: Instant,
        mut tell: impl FnMut(Fate),
    ) {
        if self.entries.is_empty() {
            return;
        }
        let now_us = self.micros(now);
        let mut arrived_us = self.unwrap(feedback.reference_time) * REFERENCE_US;
        for (number, delta) in feedback.received() {
            arrived_us += i64::from(delta) * DELTA_US;
            if self.is_ahead(number) {
                self.give_up_to(number, now_us, &mut tell);
            }
            let Some(entry) = self.entries.get_mut(place(number)).filter(|it| it.number == number) else {
                continue;
            };
            let state = entry.state();
            if !matches!(state, State::InFlight | State::Lost) {
                continue;
            }
            entry.set_state(State::Arrived);
            let departure = departure(*entry, now_us);
            tell(if state == State::Lost {
                Fate::Recovered(departure)
            } else {
                Fate::Arrived(Arrival { departure, arrived_us, ecn: Ecn::NotEct })
            });
        }
    }

    /// Whether its fate, and that of those before it, was not known yet; false for what was never sent.
    fn is_ahead(&self, number: u16) -> bool {
        number.wrapping_sub(self.unresolved) < self.next.wrapping_sub(self.unresolved)
    }

    /// What was sent before `number` and is in flight is lost.
    fn give_up_to(&mut self, number: u16, now_us: i64, tell: &mut impl FnMut(Fate)) {
        let steps = number.wrapping_sub(self.unresolved).min(PACKETS_MAX);
        for back in (1..=steps).rev() {
            let lost = number.wrapping_sub(back);
            let entry = self.entries.get_mut(place(lost)).filter(|it| it.number == lost);
            if let Some(entry) = entry.filter(|it| it.state() == State::InFlight) {
                entry.set_state(State::Lost);
                tell(Fate::Lost(departure(*entry, now_us)));
            }
        }
        self.unresolved = number.wrapping_add(1);
    }

    /// The reference time without its wrapping, in its own unit.
    fn unwrap(&mut self, reference: i32) -> i64 {
        let unwrapped = match self.reference {
            None => i64::from(reference),
            Some((before, unwrapped)) => {
                let step = (reference.wrapping_sub(before) << 8) >> 8;
                unwrapped + i64::from(step)
            }
        };
        self.reference = Some((reference, unwrapped));
        unwrapped
    }
}

fn place(number: u16) -> usize {
    usize::from(number % PACKETS_MAX)
}

fn departure(entry: Entry, now_us: i64) -> Departure {
    let age = low_bits(now_us).wrapping_sub(entry.sent_us);
    Departure {
        number: entry.number,
        sent_us: now_us - i64::from(age),
        len: entry.flags & LEN_BITS,
        purpose: entry.purpose(),
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "masked: 71 minutes")]
fn low_bits(us: i64) -> u32 {
    (us & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::rtcp::{RtcpPacket, TransportCcInfo, parse_compound, write_transport_cc};
    use std::time::Duration;

    const MS: i64 = 1_000;

    /// What feedback tells that starts at `base` in units of 64 ms, with deltas in 250 us.
    fn told(
        history: &mut SentHistory,
        now_us: i64,
        base: u16,
        reference: i32,
        deltas: &[Option<i16>],
    ) -> Vec<Fate> {
        let info = TransportCcInfo {
            sender_ssrc: 1,
            media_ssrc: 2,
            base_sequence: base,
            reference_time: reference,
            feedback_count: 0,
        };
        let mut out = [0; 1400];
        let len = write_transport_cc(&mut out, &info, deltas.iter().copied()).unwrap();
        let now = history.epoch + Duration::from_micros(now_us.try_into().unwrap());
        let mut fates = Vec::new();
        for packet in parse_compound(&out[..len]).unwrap() {
            if let RtcpPacket::TransportCc(feedback) = packet {
                history.on_feedback(&feedback, now, |fate| fates.push(fate));
            }
        }
        fates
    }

    fn numbers(fates: &[Fate]) -> Vec<(char, u16)> {
        let name = |fate: &Fate| match fate {
            Fate::Arrived(arrival) => ('a', arrival.departure.number),
            Fate::Lost(departure) => ('l', departure.number),
            Fate::Recovered(departure) => ('r', departure.number),
        };
        fates.iter().map(name).collect()
    }

    fn sent(numbers: impl Iterator<Item = u16>) -> SentHistory {
        let mut history = SentHistory::new(Instant::now());
        for (at, number) in (0..).zip(numbers) {
            history.put(number, 1_000, Purpose::Media, at * MS);
        }
        history
    }

    #[test]
    fn each_packet_is_told_once_in_order_with_its_times_and_size() {
        let mut history = sent(65_534..=65_535);
        history.put(0, 300, Purpose::Probe, 2 * MS);
        history.put(1, 1_200, Purpose::Retransmission, 3 * MS);
        let fates = told(&mut history, 50 * MS, 65_534, 7, &[Some(4), None, Some(8), Some(-2)]);
        assert_eq!(numbers(&fates), [('a', 65_534), ('l', 65_535), ('a', 0), ('a', 1)]);
        let Fate::Arrived(probe) = fates[2] else { panic!("{fates:?}") };
        assert_eq!((probe.departure.sent_us, probe.departure.len), (2 * MS, 300));
        assert_eq!((probe.departure.purpose, probe.arrived_us), (Purpose::Probe, 7 * 64_000 + 12 * 250));
        let Fate::Arrived(again) = fates[3] else { panic!("{fates:?}") };
        assert_eq!(
            (again.departure.purpose, again.arrived_us),
            (Purpose::Retransmission, 7 * 64_000 + 2_500)
        );
        assert_eq!(told(&mut history, 60 * MS, 65_534, 7, &[Some(4), None, Some(8), Some(0)]), []);
        assert_eq!(history.unreported(), 0);
    }

    #[test]
    fn what_comes_late_is_taken_back_as_recovered() {
        let mut history = sent(10..14);
        assert_eq!(
            numbers(&told(&mut history, 9 * MS, 10, 0, &[None, None, Some(1)])),
            [('l', 10), ('l', 11), ('a', 12)]
        );
        assert_eq!(
            numbers(&told(&mut history, 9 * MS, 11, 0, &[Some(1), None, Some(1)])),
            [('r', 11), ('a', 13)]
        );
    }

    #[test]
    fn a_number_that_was_never_sent_says_nothing() {
        let mut history = sent(100..110);
        assert_eq!(told(&mut history, 20 * MS, 200, 0, &[Some(1); 50]), []);
        assert_eq!(told(&mut history, 20 * MS, 50, 0, &[Some(1); 50]), []);
        assert_eq!(history.unreported(), 10, "nothing was given up for it");
        let mut none = SentHistory::new(Instant::now());
        assert_eq!(told(&mut none, 0, 0, 0, &[Some(1)]), []);
    }

    #[test]
    fn numbers_that_were_jumped_over_are_not_lost() {
        let mut history = sent(100..103);
        history.put(8_500, 100, Purpose::Media, 5 * MS);
        assert_eq!(numbers(&told(&mut history, 9 * MS, 8_500, 0, &[Some(1)])), [('a', 8_500)]);
        // Those before the jump are older than what is walked back to, and were told by nobody.
        assert_eq!(
            numbers(&told(&mut history, 9 * MS, 100, 0, &[Some(1), Some(1), Some(1)])),
            [('a', 100), ('a', 101), ('a', 102)]
        );
    }

    #[test]
    fn the_receivers_clock_may_wrap_and_go_back() {
        let mut history = sent(0..3);
        let at = |fates: &[Fate]| match fates {
            [Fate::Arrived(arrival)] => arrival.arrived_us,
            other => panic!("{other:?}"),
        };
        let first = at(&told(&mut history, 9 * MS, 0, (1 << 23) - 1, &[Some(0)]));
        let second = at(&told(&mut history, 9 * MS, 1, -(1 << 23), &[Some(0)]));
        assert_eq!(second - first, 64_000);
        let third = at(&told(&mut history, 9 * MS, 2, (1 << 23) - 1, &[Some(0)]));
        assert_eq!(third, first);
    }

    #[test]
    fn a_receiver_takes_at_most_twelve_kibibytes() {
        let mut history = sent(0..5_000);
        assert!(size_of::<SentHistory>() + history.entries.capacity() * size_of::<Entry>() <= 12 * 1024);
        let all = vec![Some(1); 500];
        let fates = told(&mut history, 6_000 * MS, 4_500, 0, &all);
        assert_eq!(fates.len(), 1024, "the ones before are forgotten");
        assert!(numbers(&fates)[..524].iter().all(|(fate, _)| *fate == 'l'));
    }
}
