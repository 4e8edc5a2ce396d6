//! How much of what one consumer is sent may be retransmissions, and how much may be looked up for them.

use super::sent_packets::SENT_MAX;
use std::time::{Duration, Instant};

/// The send rate is that of the last ten slots: a second.
const SLOT: Duration = Duration::from_millis(100);
const SLOTS: usize = 10;
/// Retransmissions may take this part of the send rate: loss above it is congestion, to which more
/// packets are no answer.
const SHARE: u64 = 10;
/// Bytes a second that are granted in any case, so that audio and the first second are repaired too:
/// 64 kbit/s.
const BYTES_PER_SECOND_MIN: u64 = 8_000;
/// Slots whose grant may be saved up and spent at once; with it, a second has at most 15 % more.
const SAVED_SLOTS_MAX: u64 = 5;
/// Numbers of NACKs that are looked up, 2,000 a second: a receiver asks for what it lost once a round
/// trip, and the bytes above repair a tenth of 500 packets a second.
const LOOKUPS_PER_SLOT: u16 = 200;
/// Looked up at once: all that is remembered, as after an outage.
const LOOKUPS_MAX: u16 = SENT_MAX;

/// Two token buckets: of bytes, filled at the end of each slot by what was sent in the second before,
/// and of look-ups, filled by time alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RtxBudget {
    /// Media bytes of the slots of the last second, a ring.
    slots: [u64; SLOTS],
    slot: usize,
    slot_start: Instant,
    /// Bytes that may be spent.
    saved: u64,
    lookups: u16,
}

impl RtxBudget {
    pub(crate) fn new(now: Instant) -> Self {
        let saved = SAVED_SLOTS_MAX * grant(BYTES_PER_SECOND_MIN * SHARE);
        Self { slots: [0; SLOTS], slot: 0, slot_start: now, saved, lookups: LOOKUPS_MAX }
    }

    /// Media was sent; retransmissions earn nothing.
    #[inline]
    pub(crate) fn on_sent(&mut self, bytes: usize, now: Instant) {
        self.advance(now);
        if let Some(slot) = self.slots.get_mut(self.slot) {
            *slot = slot.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }

    /// Whether one more number may be looked up, which then counts. Not when no byte is left to send what
    /// would be found.
    #[inline]
    pub(crate) fn try_look_up(&mut self, now: Instant) -> bool {
        self.advance(now);
        let left = self.lookups.checked_sub(1).filter(|_| self.saved > 0);
        self.lookups = left.unwrap_or(self.lookups);
        left.is_some()
    }

    /// Whether a retransmission of so many bytes may be sent; they are then spent.
    pub(crate) fn try_spend(&mut self, bytes: usize, now: Instant) -> bool {
        self.advance(now);
        let left = u64::try_from(bytes).ok().and_then(|bytes| self.saved.checked_sub(bytes));
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }

    /// Ends the slots that are over.
    #[inline]
    fn advance(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.slot_start);
        if elapsed < SLOT {
            return;
        }
        let over = usize::try_from(elapsed.as_millis() / SLOT.as_millis()).unwrap_or(usize::MAX);
        for _ in 0..=over.saturating_sub(1).min(SLOTS) {
            let grant = grant(self.slots.iter().fold(0, |sum, slot| sum.saturating_add(*slot)));
            self.saved = self.saved.saturating_add(grant).min(SAVED_SLOTS_MAX * grant);
            self.lookups = self.lookups.saturating_add(LOOKUPS_PER_SLOT).min(LOOKUPS_MAX);
            self.slot = (self.slot + 1) % SLOTS;
            if let Some(slot) = self.slots.get_mut(self.slot) {
                *slot = 0;
            }
        }
        self.slot_start = match u32::try_from(over) {
            Ok(slots) if over <= SLOTS => self.slot_start + SLOT * slots,
            _ => now,
        };
    }
}

/// What a slot adds at this send rate, in bytes a second.
fn grant(sent_per_second: u64) -> u64 {
    (sent_per_second / SHARE).max(BYTES_PER_SECOND_MIN) / 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Retransmitted bytes of the last ten of twelve seconds, everything being asked for each millisecond.
    fn spent(media_bytes_per_ms: usize) -> usize {
        let start = Instant::now();
        let mut budget = RtxBudget::new(start);
        let mut spent = 0;
        for at in 0..12_000 {
            let now = start + ms(at);
            budget.on_sent(media_bytes_per_ms, now);
            while budget.try_spend(100, now) {
                spent += if at < 2_000 { 0 } else { 100 };
            }
        }
        spent
    }

    #[test]
    fn a_storm_gets_a_tenth_of_the_send_rate() {
        // 2.4 Mbit/s for ten seconds are 3 MB.
        let spent = spent(300);
        assert!((295_000..=300_000).contains(&spent), "{spent}");
    }

    #[test]
    fn a_thin_stream_gets_64_kbit_a_second() {
        let spent = spent(1);
        assert!((79_000..=80_000).contains(&spent), "{spent}");
    }

    #[test]
    fn silence_saves_half_a_second_at_most() {
        let start = Instant::now();
        let mut budget = RtxBudget::new(start);
        (0..1_000).for_each(|at| budget.on_sent(1_000, start + ms(at)));
        let now = start + Duration::from_secs(3_600);
        assert!(budget.try_spend(4_000, now));
        assert!(!budget.try_spend(1, now));
        assert!(!budget.try_spend(usize::MAX, now));
    }

    #[test]
    fn look_ups_are_two_thousand_a_second_and_a_thousand_at_once() {
        let start = Instant::now();
        let mut budget = RtxBudget::new(start);
        let mut looked_up = [0; 3];
        for at in 0..3_000 {
            while budget.try_look_up(start + ms(at)) {
                looked_up[usize::try_from(at / 1_000).unwrap()] += 1;
            }
        }
        assert_eq!(looked_up, [2_800, 2_000, 2_000]);
        let mut spent = RtxBudget::new(start);
        assert!(spent.try_spend(4_000, start));
        assert!(!spent.try_look_up(start), "there is no byte to send it with");
    }

    proptest! {
        /// For any traffic: what is spent in any one second is at most 1.5 times the largest grant
        /// that the exact sums of the seconds around it allow.
        #[test]
        fn no_second_exceeds_its_share(
            steps in proptest::collection::vec((0_u64..150, 0_usize..3_000, 0_usize..2_000), 1..400),
        ) {
            let start = Instant::now();
            let mut budget = RtxBudget::new(start);
            let (mut at, mut sent, mut spent) = (0, Vec::new(), Vec::new());
            for (passed, media, asked) in steps {
                at += passed;
                budget.on_sent(media, start + ms(at));
                sent.push((at, media));
                if budget.try_spend(asked, start + ms(at)) {
                    spent.push((at, asked));
                }
                let within = |list: &[(u64, usize)], from: u64, to: u64| -> usize {
                    list.iter().filter(|(at, _)| (from..=to).contains(at)).map(|(_, bytes)| bytes).sum()
                };
                let peak = (at.saturating_sub(1_500)..=at)
                    .step_by(100)
                    .map(|end| within(&sent, end.saturating_sub(1_200), end + 100))
                    .max()
                    .unwrap();
                let allowed = (peak / 10).max(8_000) * 16 / 10;
                let spent = within(&spent, at.saturating_sub(999), at);
                prop_assert!(spent <= allowed, "{spent} of {allowed}");
            }
        }
    }
}
