//! What one consumer was sent, by the sequence numbers it knows, so that it can be sent again.

use crate::packet::{index_up_to, sequence_of};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Packets remembered: at 500 a second, which no camera exceeds, two seconds.
pub(crate) const SENT_MAX: u16 = 1000;
/// Changes of encoding or timestamps among those packets; what was sent before the last so many is
/// forgotten.
const ERAS_MAX: usize = 8;
/// Packets sent again whose time is remembered: the last of each remainder of the sequence number, so that
/// it is found at once. 1 KiB.
const RESENDS_MAX: usize = 256;
/// A packet that was lost so often is not what the receiver waits for.
const RESENT_MAX: u32 = 10;
/// For a round trip that was not measured yet, or is implausibly short.
const ROUND_TRIP_MIN: Duration = Duration::from_millis(10);

/// A packet as it was sent; what the rewriting made of it must be the same when it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The consumer's roll-over counter and sequence number.
    pub(crate) index: u64,
    /// The source's.
    pub(crate) source: u64,
    /// Place of the source among the producer's encodings.
    pub(crate) encoding: u8,
    pub(crate) marker: bool,
    /// The consumer's timestamp less the source's.
    pub(crate) offset: u32,
}

/// What is the same for all packets from `first` to the next era.
#[derive(Clone, Copy, Debug)]
struct Era {
    first: u64,
    /// Source indexes are remembered as their distance from this one.
    source: u64,
    encoding: u8,
    offset: u32,
}

/// A packet in its era; 0 if there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Entry(u32);

impl Entry {
    const PRESENT: u32 = 1 << 31;
    const MARKER: u32 = 1 << 30;
    const TIMES_SHIFT: u32 = 24;
    const TIMES: u32 = 0xf << Self::TIMES_SHIFT;
    const DISTANCE: u32 = (1 << Self::TIMES_SHIFT) - 1;

    /// None if the source's index is too far from its era's.
    #[inline]
    fn new(distance: u64, marker: bool) -> Option<Self> {
        let distance = u32::try_from(distance).ok().filter(|it| *it <= Self::DISTANCE)?;
        Some(Self(distance | Self::PRESENT | if marker { Self::MARKER } else { 0 }))
    }

    fn is_present(self) -> bool {
        self.0 & Self::PRESENT != 0
    }

    fn times(self) -> u32 {
        (self.0 & Self::TIMES) >> Self::TIMES_SHIFT
    }

    fn sent_again(&mut self) {
        if self.times() < RESENT_MAX {
            self.0 += 1 << Self::TIMES_SHIFT;
        }
    }
}

/// A ring of four bytes a packet, allocated with the first: neighbours share a cache line, and a
/// thousand consumers have their thousand packets in 4 MB.
#[derive(Debug, Default)]
pub(crate) struct SentPackets {
    entries: Vec<Entry>,
    highest: Option<u64>,
    /// Changes of encoding or timestamps, the oldest first.
    eras: Vec<Era>,
    resends: Resends,
}

impl SentPackets {
    /// Remembers a packet, in place of the one sent [`SENT_MAX`] numbers before.
    #[inline]
    pub(crate) fn put(&mut self, sent: Sent) {
        self.advance(sent.index);
        let Some(era) = self.eras.last().filter(|era| era.takes(&sent)) else {
            return self.put_into_another_era(&sent);
        };
        if let Some(entry) = Entry::new(sent.source - era.source, sent.marker) {
            self.set(sent.index, entry);
        } else {
            self.put_into_another_era(&sent);
        }
    }

    /// An era begins with the packet, unless it is a late one.
    fn put_into_another_era(&mut self, sent: &Sent) {
        if self.highest == Some(sent.index) {
            if self.eras.len() == ERAS_MAX {
                self.eras.remove(0);
            }
            let Sent { index, source, encoding, offset, .. } = *sent;
            self.eras.push(Era { first: index, source, encoding, offset });
        }
        let Some(era) = self.era(sent.index).filter(|era| era.takes(sent)) else { return };
        if let Some(entry) = Entry::new(sent.source - era.source, sent.marker) {
            self.set(sent.index, entry);
        }
    }

    /// Makes room up to this index: what was skipped was not sent.
    #[inline]
    fn advance(&mut self, index: u64) {
        let Some(highest) = self.highest.filter(|_| !self.entries.is_empty()) else {
            self.entries = vec![Entry::default(); usize::from(SENT_MAX)];
            self.highest = Some(index);
            return;
        };
        if index <= highest {
            return;
        }
        self.highest = Some(index);
        if index > highest + 1 {
            self.forget(highest + 1..index);
        }
    }

    /// Forgets the packets from this index on, which are not sent after all.
    pub(crate) fn take_back(&mut self, from: u64) {
        let Some(highest) = self.highest.filter(|highest| *highest >= from) else { return };
        self.forget(from..highest + 1);
        self.highest = from.checked_sub(1);
        self.eras.retain(|era| era.first < from);
    }

    #[cold]
    fn forget(&mut self, skipped: Range<u64>) {
        for index in skipped.take(usize::from(SENT_MAX)) {
            if let Some(entry) = self.entries.get_mut(place(index)) {
                *entry = Entry::default();
            }
        }
    }

    #[inline]
    fn set(&mut self, index: u64, entry: Entry) {
        let is_young = self.highest.is_some_and(|highest| highest - index < u64::from(SENT_MAX));
        if let Some(place) = self.entries.get_mut(place(index)).filter(|_| is_young) {
            *place = entry;
        }
    }

    fn era(&self, index: u64) -> Option<Era> {
        self.eras.iter().rev().find(|era| era.first <= index).copied()
    }

    /// The packet behind a sequence number that was asked for, if it may be sent again now: not
    /// twice within a round trip, in which a copy may still be under way, and ten times at most.
    pub(crate) fn resendable(&self, sequence: u16, now: Instant, round_trip: Duration) -> Option<Sent> {
        let index = self.index(sequence)?;
        let entry = self.entries.get(place(index)).copied().filter(|entry| entry.is_present())?;
        if entry.times() >= RESENT_MAX {
            return None;
        }
        let since = self.resends.since(sequence, now).filter(|_| entry.times() > 0);
        if since.is_some_and(|since| since < round_trip.max(ROUND_TRIP_MIN)) {
            return None;
        }
        let Era { source, encoding, offset, .. } = self.era(index)?;
        let source = source + u64::from(entry.0 & Entry::DISTANCE);
        Some(Sent { index, source, encoding, marker: entry.0 & Entry::MARKER != 0, offset })
    }

    /// The packet of this consumer's index was sent again.
    pub(crate) fn on_resent(&mut self, index: u64, now: Instant) {
        if self.index(sequence_of(index)) != Some(index) {
            return;
        }
        if let Some(entry) = self.entries.get_mut(place(index)).filter(|entry| entry.is_present()) {
            entry.sent_again();
            self.resends.put(sequence_of(index), now);
        }
    }

    /// The last index that ends in `sequence`; none if it was too long ago.
    fn index(&self, sequence: u16) -> Option<u64> {
        index_up_to(self.highest?, sequence, SENT_MAX)
    }
}

impl Era {
    #[inline]
    fn takes(&self, sent: &Sent) -> bool {
        (self.encoding, self.offset) == (sent.encoding, sent.offset)
            && self.first <= sent.index
            && self.source <= sent.source
    }
}

/// When packets were sent again.
#[derive(Debug, Default)]
struct Resends {
    /// The first one, from which the others' milliseconds count.
    origin: Option<Instant>,
    /// Sequence number, and milliseconds modulo 2^16: what is two seconds old is not sent again anyway.
    times: Vec<(u16, u16)>,
}

impl Resends {
    fn put(&mut self, sequence: u16, now: Instant) {
        let ms = self.ms(now);
        self.origin.get_or_insert(now);
        if self.times.is_empty() {
            self.times = vec![(0, 0); RESENDS_MAX];
        }
        if let Some(place) = self.times.get_mut(usize::from(sequence) % RESENDS_MAX) {
            *place = (sequence, ms);
        }
    }

    fn since(&self, sequence: u16, now: Instant) -> Option<Duration> {
        let (_, at) =
            self.times.get(usize::from(sequence) % RESENDS_MAX).filter(|(it, _)| *it == sequence)?;
        Some(Duration::from_millis(self.ms(now).wrapping_sub(*at).into()))
    }

    /// Modulo 2^16.
    fn ms(&self, now: Instant) -> u16 {
        let since = self.origin.map_or(Duration::ZERO, |origin| now.saturating_duration_since(origin));
        u16::try_from(since.as_millis() & 0xffff).unwrap_or_default()
    }
}

fn place(index: u64) -> usize {
    usize::try_from(index % u64::from(SENT_MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const ROUND_TRIP: Duration = Duration::from_millis(80);

    fn sent(index: u64) -> Sent {
        Sent { index, source: index + 7_000, encoding: 1, marker: index.is_multiple_of(9), offset: 3_000 }
    }

    #[test]
    fn a_packet_goes_out_again_once_a_round_trip_and_ten_times_in_all() {
        let (mut packets, start) = (SentPackets::default(), Instant::now());
        packets.put(sent(70_000));
        let sequence = 70_000_u64.to_be_bytes();
        let sequence = u16::from_be_bytes([sequence[6], sequence[7]]);
        let mut times = Vec::new();
        for ms in 0..2_000 {
            let now = start + Duration::from_millis(ms);
            if let Some(packet) = packets.resendable(sequence, now, ROUND_TRIP) {
                assert_eq!(packet, sent(70_000));
                packets.on_resent(packet.index, now);
                times.push(ms);
            }
        }
        assert_eq!(times, [0, 80, 160, 240, 320, 400, 480, 560, 640, 720]);
    }

    #[test]
    fn what_was_never_sent_or_is_forgotten_is_refused() {
        let (mut packets, now) = (SentPackets::default(), Instant::now());
        assert_eq!(packets.resendable(1, now, ROUND_TRIP), None);
        packets.put(sent(5));
        for sequence in [4, 6, 65_535] {
            assert_eq!(packets.resendable(sequence, now, ROUND_TRIP), None, "{sequence}");
        }
        packets.put(sent(1_004));
        assert_eq!(packets.resendable(5, now, ROUND_TRIP), Some(sent(5)));
        packets.put(sent(1_006));
        assert_eq!(packets.resendable(5, now, ROUND_TRIP), None);
        packets.put(sent(3));
        assert_eq!(packets.resendable(3, now, ROUND_TRIP), None, "older than the ring is long");
    }

    #[test]
    fn another_encoding_or_timeline_is_remembered_with_its_packets() {
        let (mut packets, now) = (SentPackets::default(), Instant::now());
        let of = |index: u64| {
            let era = index / 50;
            let source = if era.is_multiple_of(2) { 1 << 40 } else { 7 } + index;
            let encoding = u8::try_from(era % 3).unwrap();
            let offset = u32::try_from(era / 3).unwrap();
            Sent { index, source, encoding, marker: index.is_multiple_of(4), offset }
        };
        (0..500).for_each(|index| packets.put(of(index)));
        for index in 100..500_u16 {
            assert_eq!(packets.resendable(index, now, ROUND_TRIP), Some(of(index.into())), "{index}");
        }
        assert_eq!(packets.resendable(99, now, ROUND_TRIP), None, "of the ninth era from the end");
    }

    #[test]
    fn what_was_taken_back_is_not_sent_again_and_its_numbers_are_those_of_other_packets() {
        let (mut packets, now) = (SentPackets::default(), Instant::now());
        let high = |index: u64| Sent { encoding: 1, source: 1 << 30, ..sent(index) };
        (10..20).for_each(|index| packets.put(sent(index)));
        (20..30).for_each(|index| packets.put(high(index)));
        packets.take_back(15);
        assert_eq!(packets.resendable(14, now, ROUND_TRIP), Some(sent(14)));
        assert!((15..30).all(|index| packets.resendable(index, now, ROUND_TRIP).is_none()));
        (15..17).for_each(|index| packets.put(high(index)));
        assert_eq!(packets.resendable(16, now, ROUND_TRIP), Some(high(16)));
        assert!((17..30).all(|index| packets.resendable(index, now, ROUND_TRIP).is_none()));
        packets.take_back(40);
        assert_eq!(packets.resendable(16, now, ROUND_TRIP), Some(high(16)), "nothing is behind it");
    }

    #[test]
    fn a_source_that_jumps_far_is_remembered_on_both_sides() {
        let (mut packets, now) = (SentPackets::default(), Instant::now());
        let of = |index: u64, source| Sent { source, ..sent(index) };
        let put = [of(1, 5), of(2, 6), of(3, 1 << 30), of(4, (1 << 30) + 1)];
        put.into_iter().for_each(|sent| packets.put(sent));
        for (sequence, sent) in (1..).zip(put) {
            assert_eq!(packets.resendable(sequence, now, ROUND_TRIP), Some(sent));
        }
    }

    proptest! {
        /// Whatever was sent, in whatever order, is found by its number while it is among the last
        /// thousand, and nothing else ever is.
        #[test]
        fn it_finds_what_the_model_finds(
            start in 0_u64..1 << 40,
            steps in proptest::collection::vec((0_u64..400, 0_u64..8), 1..300),
            asked in proptest::collection::vec(any::<u16>(), 50),
        ) {
            let (mut packets, mut model) = (SentPackets::default(), BTreeMap::new());
            let (mut highest, now) = (start + 10, Instant::now());
            for (ahead, back) in steps {
                highest += if back < 4 { ahead % 4 } else { ahead };
                // Nothing goes out below a stretch's first number.
                let first = model.first_key_value().map_or(highest, |(first, _)| *first);
                let packet = sent((highest - back).max(first));
                highest = highest.max(packet.index);
                packets.put(packet);
                model.insert(packet.index, packet);
                let last = *model.last_key_value().unwrap().0;
                let near = (0..40_u16).map(|back| u16::try_from(last & 0xffff).unwrap().wrapping_sub(back * 30));
                for sequence in near.chain(asked.iter().copied()) {
                    let window = model.range(last.saturating_sub(999)..).map(|(_, sent)| *sent);
                    let mut matching = window.filter(|sent| sent.index & 0xffff == u64::from(sequence));
                    prop_assert_eq!(packets.resendable(sequence, now, ROUND_TRIP), matching.next());
                }
            }
        }
    }
}
