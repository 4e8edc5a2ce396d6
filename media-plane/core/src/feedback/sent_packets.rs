//! What one consumer was sent, by the sequence numbers it knows, so that it can be sent again.

use crate::packet::index_up_to;
use std::time::{Duration, Instant};

/// Packets remembered: at 500 a second, which no camera exceeds, two seconds.
pub(crate) const SENT_MAX: u16 = 1000;
/// A packet that was lost so often is not what the receiver waits for.
const RESENT_MAX: u8 = 10;
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
    pub(crate) timestamp: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    sent: Sent,
    resent: Option<Instant>,
    times: u8,
}

/// A ring, allocated with the first packet: about 48 KiB.
#[derive(Debug, Default)]
pub(crate) struct SentPackets {
    entries: Vec<Option<Entry>>,
    highest: Option<u64>,
}

impl SentPackets {
    /// Remembers a packet, in place of the one sent [`SENT_MAX`] numbers before.
    #[inline]
    pub(crate) fn put(&mut self, sent: Sent) {
        if self.entries.is_empty() {
            self.entries = vec![None; usize::from(SENT_MAX)];
        }
        let highest = self.highest.map_or(sent.index, |highest| highest.max(sent.index));
        self.highest = Some(highest);
        if highest - sent.index < u64::from(SENT_MAX)
            && let Some(entry) = self.entries.get_mut(place(sent.index))
        {
            *entry = Some(Entry { sent, resent: None, times: 0 });
        }
    }

    /// The packet behind a sequence number that was asked for, if it may be sent again now: not
    /// twice within a round trip, in which a copy may still be under way, and ten times at most.
    pub(crate) fn resendable(&self, sequence: u16, now: Instant, round_trip: Duration) -> Option<Sent> {
        let index = self.index(sequence)?;
        let entry = self.entries.get(place(index)).copied().flatten()?;
        if entry.sent.index != index || entry.times >= RESENT_MAX {
            return None;
        }
        let since = entry.resent.map(|at| now.saturating_duration_since(at));
        let is_under_way = since.is_some_and(|since| since < round_trip.max(ROUND_TRIP_MIN));
        (!is_under_way).then_some(entry.sent)
    }

    /// The packet of this consumer's index was sent again.
    pub(crate) fn on_resent(&mut self, index: u64, now: Instant) {
        if let Some(Some(entry)) = self.entries.get_mut(place(index))
            && entry.sent.index == index
        {
            entry.resent = Some(now);
            entry.times = entry.times.saturating_add(1);
        }
    }

    /// The last index that ends in `sequence`; none if it was too long ago.
    fn index(&self, sequence: u16) -> Option<u64> {
        index_up_to(self.highest?, sequence, SENT_MAX)
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
        Sent { index, source: index + 7_000, encoding: 1, marker: index.is_multiple_of(9), timestamp: 3_000 }
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
                let packet = sent(highest - if model.is_empty() { 0 } else { back });
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
