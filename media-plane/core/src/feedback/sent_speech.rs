//! Speech that one consumer was sent lately, sealed, so that its receiver can be sent a packet again.
//!
//! Audio has no RTX: it is sent again under its own SSRC and sequence number (RFC 4585 section 6.2.1). Sealed anew under that
//! number, with another send time in its header, it would use a nonce of AEAD twice (RFC 7714 section 8.1). So what is
//! sent again is the datagram that left, bit for bit.

use super::rtx_budget::RtxBudget;
use crate::packet::sequence_of;
use std::time::{Duration, Instant};

/// Packets that are kept: 320 ms of 20 ms each, more than two round trips of [`ROUND_TRIP_MAX`].
const PACKETS_MAX: usize = 16;
/// Bytes kept of each; a longer packet, as of music, is not kept. With the table 6 KiB a consumer.
const PACKET_BYTES_MAX: usize = 320;
/// Behind a longer round trip the answer comes after its place was played.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(120);
/// A packet is sent again no later than this, and no more often.
const AGE_MAX: Duration = Duration::from_millis(400);
const TIMES_MAX: u8 = 3;
/// Nothing is kept any more after so long without a NACK.
const UNASKED_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Roll-over counter and sequence number.
    index: u64,
    len: usize,
    sent_at: Instant,
    resent_at: Option<Instant>,
    times: u8,
}

/// Made when a receiver asks for the first time, so that one that loses nothing costs nothing.
#[derive(Debug)]
pub(crate) struct SentSpeech {
    /// Rings: a packet's place is the remainder of its index.
    entries: [Option<Entry>; PACKETS_MAX],
    bytes: Box<[[u8; PACKET_BYTES_MAX]; PACKETS_MAX]>,
    budget: RtxBudget,
    asked_at: Instant,
}

/// What becomes of one number that is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Again<'a> {
    Datagram(&'a [u8]),
    /// Not kept, sent again a round trip ago at most, or too often.
    No,
    /// The budget is spent.
    NoMore,
}

impl SentSpeech {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            entries: [None; PACKETS_MAX],
            bytes: Box::new([[0; PACKET_BYTES_MAX]; PACKETS_MAX]),
            budget: RtxBudget::new(now),
            asked_at: now,
        }
    }

    /// Whether answers come in time behind this round trip.
    pub(crate) fn is_in_time(round_trip: Duration) -> bool {
        round_trip <= ROUND_TRIP_MAX
    }

    pub(crate) fn on_asked(&mut self, now: Instant) {
        self.asked_at = now;
    }

    /// It was not asked for anything for long.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.asked_at) > UNASKED_MAX
    }

    /// Keeps a datagram that leaves now.
    pub(crate) fn put(&mut self, index: u64, datagram: &[u8], now: Instant) {
        self.budget.on_sent(datagram.len(), now);
        let (entry, bytes) = (self.entries.get_mut(place(index)), self.bytes.get_mut(place(index)));
        let (Some(entry), Some(bytes)) = (entry, bytes) else { return };
        *entry = bytes.get_mut(..datagram.len()).map(|bytes| {
            bytes.copy_from_slice(datagram);
            Entry { index, len: datagram.len(), sent_at: now, resent_at: None, times: 0 }
        });
    }

    /// The datagram with this sequence number, which counts as sent again.
    pub(crate) fn again(&mut self, sequence: u16, round_trip: Duration, now: Instant) -> Again<'_> {
        if !self.budget.try_look_up(now) {
            return Again::NoMore;
        }
        let place = place(sequence.into());
        let Some(Some(entry)) = self.entries.get_mut(place) else { return Again::No };
        let is_under_way = entry.resent_at.is_some_and(|at| now.saturating_duration_since(at) < round_trip);
        let is_old = now.saturating_duration_since(entry.sent_at) > AGE_MAX;
        if sequence_of(entry.index) != sequence || is_under_way || is_old || entry.times >= TIMES_MAX {
            return Again::No;
        }
        if !self.budget.try_spend(entry.len, now) {
            return Again::NoMore;
        }
        (entry.resent_at, entry.times) = (Some(now), entry.times + 1);
        self.bytes.get(place).and_then(|bytes| bytes.get(..entry.len)).map_or(Again::No, Again::Datagram)
    }
}

fn place(index: u64) -> usize {
    usize::try_from(index).unwrap_or_default() % PACKETS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(40);

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    /// 100 packets of 20 ms, the last with index 65,599.
    fn kept(start: Instant) -> SentSpeech {
        let mut speech = SentSpeech::new(start);
        for at in 0..100u8 {
            speech.put(65_500 + u64::from(at), &[at; 90], after(start, 20 * u64::from(at)));
        }
        speech
    }

    #[test]
    fn what_was_sent_lately_is_given_again_bit_for_bit() {
        let start = Instant::now();
        let (mut speech, now) = (kept(start), after(start, 1_990));
        assert_eq!(speech.again(sequence_of(65_598), ROUND_TRIP, now), Again::Datagram(&[98; 90]));
        assert_eq!(speech.again(sequence_of(65_584), ROUND_TRIP, now), Again::Datagram(&[84; 90]));
        assert_eq!(speech.again(sequence_of(65_583), ROUND_TRIP, now), Again::No, "another took its place");
        assert_eq!(speech.again(sequence_of(65_600), ROUND_TRIP, now), Again::No, "not sent yet");
    }

    #[test]
    fn it_is_given_again_once_a_round_trip_three_times_and_not_after_400_ms() {
        let start = Instant::now();
        let mut speech = kept(start);
        let given = [1_990, 2_020, 2_031, 2_080, 2_130]
            .map(|at| speech.again(sequence_of(65_598), ROUND_TRIP, after(start, at)) != Again::No);
        assert_eq!(given, [true, false, true, true, false]);
        assert_eq!(speech.again(sequence_of(65_597), ROUND_TRIP, after(start, 2_341)), Again::No, "too old");
        assert_ne!(speech.again(sequence_of(65_597), ROUND_TRIP, after(start, 2_339)), Again::No);
    }

    #[test]
    fn behind_a_round_trip_of_more_than_120_ms_an_answer_is_too_late() {
        let is_in_time = |millis| SentSpeech::is_in_time(Duration::from_millis(millis));
        assert!(is_in_time(120) && !is_in_time(121));
    }

    #[test]
    fn a_flood_of_requests_is_bounded_by_the_budget() {
        let start = Instant::now();
        let mut speech = kept(start);
        let now = after(start, 1_990);
        let refused = (0..10_000u16).filter(|it| speech.again(*it, ROUND_TRIP, now) == Again::NoMore);
        assert!(refused.count() > 8_900);
    }

    #[test]
    fn whoever_asks_for_all_of_it_gets_64_kilobits_a_second() {
        let start = Instant::now();
        let (mut speech, mut bytes) = (SentSpeech::new(start), 0);
        for at in 0..500u16 {
            let now = after(start, 20 * u64::from(at));
            speech.put(at.into(), &[7; PACKET_BYTES_MAX], now);
            for back in 0..16 {
                if let Again::Datagram(datagram) = speech.again(at.wrapping_sub(back), Duration::ZERO, now) {
                    bytes += datagram.len();
                }
            }
        }
        // 10 s, and the half a second's worth that is saved at the start.
        assert!((70_000..=85_000).contains(&bytes), "{bytes} bytes");
    }

    #[test]
    fn a_packet_that_is_too_long_is_not_kept_nor_is_what_was_there_before() {
        let start = Instant::now();
        let (mut speech, now) = (kept(start), after(start, 1_990));
        speech.put(65_598 + 16, &[7; PACKET_BYTES_MAX + 1], now);
        assert_eq!(speech.again(sequence_of(65_598), ROUND_TRIP, now), Again::No);
        assert_eq!(speech.again(sequence_of(65_614), ROUND_TRIP, now), Again::No);
    }

    #[test]
    fn after_a_minute_without_a_request_it_is_idle() {
        let start = Instant::now();
        let mut speech = SentSpeech::new(start);
        assert!(!speech.is_idle(after(start, 60_000)) && speech.is_idle(after(start, 60_001)));
        speech.on_asked(after(start, 30_000));
        assert!(!speech.is_idle(after(start, 90_000)));
    }
}
