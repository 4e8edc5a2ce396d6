//! What is missing of a stream that a client sends, and when to ask for it again (RFC 4585
//! section 6.2.1).

use crate::packet::sequence_of;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most missing packets of one stream that are tracked. If more are missing, all are given up and a key frame
/// is requested.
pub(crate) const MISSING_MAX: usize = 1000;
/// Packets asked for in one message: so many fit, however far they lie apart, into 1300 bytes.
pub(crate) const ASKED_PER_MESSAGE: usize = 320;

/// A packet that is late by less was overtaken, not lost.
const REORDERING_MAX: Duration = Duration::from_millis(20);
/// A packet counts as lost only once this many later packets arrived.
const OVERTAKEN_BY: u64 = 3;
/// The sender needs a moment of its own, and round trips are measured coarsely.
const REPEAT_AFTER_MIN: Duration = Duration::from_millis(40);
const TRIES_MAX: u8 = 10;
/// A packet missing for longer is not requested: receivers have played on without it.
const VIDEO_AGE_MAX: Duration = Duration::from_secs(2);
const AUDIO_AGE_MAX: Duration = Duration::from_secs(1);
/// The longest round trip within which lost audio is asked for: receivers' jitter buffers wait for the answer. After a longer one
/// they have played on, and error correction, which encoders add by the loss that is reported, repairs more.
const AUDIO_ROUND_TRIP_MAX: Duration = Duration::from_millis(120);
/// Requests for one packet of audio.
const AUDIO_TRIES: u8 = 3;
/// With a longer round trip, one packet is asked for in each such time, to learn whether it still is long.
const MEASURED_EACH: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct NackGenerator {
    is_audio: bool,
    age_max: Duration,
    /// When anything was asked for last.
    asked: Option<Instant>,
    highest: Option<u64>,
    /// Packets that were the highest when they came.
    advances: u64,
    /// Ascending by index.
    missing: VecDeque<Missing>,
    /// Earliest time at which a request may be due.
    due: Option<Instant>,
    /// The value of `advances` at which the next packet counts as lost at once.
    lost_at: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    index: u64,
    noticed: Instant,
    /// When to ask, unless `lost_at` comes first.
    due: Instant,
    /// When it was asked for last.
    asked: Option<Instant>,
    /// The value of `advances` at which it counts as lost, and may be asked for the first time.
    lost_at: u64,
    tries: u8,
}

/// Too many packets were missing and were given up: the receiver needs a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overwhelmed;

/// How soon a packet came that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    After(Duration),
    /// The packet was asked for more than once, so it is unknown which request this answers (RFC 6298 section 3).
    Unclear,
}

impl NackGenerator {
    pub(crate) fn video() -> Self {
        Self::new(false, VIDEO_AGE_MAX)
    }

    /// For audio whose parameters offer `nack`.
    pub(crate) fn audio() -> Self {
        Self::new(true, AUDIO_AGE_MAX)
    }

    fn new(is_audio: bool, age_max: Duration) -> Self {
        Self {
            is_audio,
            age_max,
            asked: None,
            highest: None,
            advances: 0,
            missing: VecDeque::new(),
            due: None,
            lost_at: None,
        }
    }

    /// `index`: the sender's roll-over counter and sequence number.
    pub(crate) fn on_packet(&mut self, index: u64, now: Instant) -> Result<(), Overwhelmed> {
        let Some(highest) = self.highest.filter(|highest| index > *highest) else {
            self.highest = self.highest.or(Some(index));
            self.on_retransmission(index);
            return Ok(());
        };
        self.highest = Some(index);
        self.advances += 1;
        self.give_up_old(now);
        let gap = usize::try_from(index - highest - 1).unwrap_or(usize::MAX);
        if gap > MISSING_MAX - self.missing.len() {
            self.clear();
            return Err(Overwhelmed);
        }
        if gap > 0 {
            let (due, lost_at) = (now + REORDERING_MAX, self.advances + OVERTAKEN_BY - 1);
            let missing = |index| Missing { index, noticed: now, due, asked: None, lost_at, tries: 0 };
            self.missing.extend((highest + 1..index).map(missing));
            self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
            self.lost_at = self.lost_at.or(Some(lost_at));
        }
        if self.lost_at.is_some_and(|lost_at| self.advances >= lost_at) {
            self.due = Some(self.due.map_or(now, |earlier| earlier.min(now)));
        }
        Ok(())
    }

    /// A packet that was asked for came, by whatever way.
    pub(crate) fn on_retransmission(&mut self, index: u64) {
        if let Ok(place) = self.missing.binary_search_by_key(&index, |missing| missing.index) {
            self.missing.remove(place);
        }
        if self.missing.is_empty() {
            self.clear();
        }
    }

    /// Whether the index is the highest so far, or below it.
    pub(crate) fn is_behind(&self, index: u64) -> bool {
        self.highest.is_some_and(|highest| index <= highest)
    }

    /// [`Self::on_retransmission`], for one that can only be an answer, and to what; none if it was not
    /// asked for.
    pub(crate) fn on_answer(&mut self, index: u64, now: Instant) -> Option<Answer> {
        let place = self.missing.binary_search_by_key(&index, |missing| missing.index).ok();
        let missing = place.and_then(|place| self.missing.get(place));
        let answer = missing.and_then(|missing| {
            let took = now.saturating_duration_since(missing.asked?);
            Some(if missing.tries == 1 { Answer::After(took) } else { Answer::Unclear })
        });
        self.on_retransmission(index);
        answer
    }

    /// When to call [`Self::take`] next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The packets to ask for now, ascending, in `out`. If they fill it, more may be due at once. `round_trip`: the mean, if it
    /// was measured; `patience`: the time to wait for an answer.
    pub(crate) fn take<'a>(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
        patience: Duration,
        out: &'a mut [u16],
    ) -> &'a [u16] {
        if self.due.is_none_or(|due| now < due) {
            return &[];
        }
        self.give_up_old(now);
        let repeat_at = now + patience.max(REPEAT_AFTER_MIN).min(self.age_max);
        let (tries, at_once) = self.allowance(round_trip, now);
        let advances = self.advances;
        let given_up = self.age_max + REORDERING_MAX;
        let mut count = 0;
        let mut due: Option<Instant> = None;
        let mut lost_at: Option<u64> = None;
        self.missing.retain_mut(|missing| {
            if missing.tries < tries
                && count < at_once
                && missing.is_due(advances, now)
                && let Some(place) = out.get_mut(count)
            {
                *place = sequence_of(missing.index);
                count += 1;
                missing.tries += 1;
                missing.asked = Some(now);
                missing.due = repeat_at;
            }
            if missing.tries == TRIES_MAX {
                return false;
            }
            let next = match missing.tries < tries {
                true if missing.is_due(advances, now) => now,
                true => missing.due,
                // Kept, since its answer tells the round trip.
                false => missing.noticed + given_up,
            };
            due = Some(due.map_or(next, |earlier| earlier.min(next)));
            if missing.tries == 0 && tries > 0 {
                lost_at = lost_at.or(Some(missing.lost_at));
            }
            true
        });
        (self.due, self.lost_at) = (due, lost_at);
        if count > 0 {
            self.asked = Some(now);
        }
        out.get(..count).unwrap_or_default()
    }

    /// How often a packet may be asked for, and how many packets in one message. Audio is asked for once until the answer
    /// measures the round trip.
    fn allowance(&self, round_trip: Option<Duration>, now: Instant) -> (u8, usize) {
        match round_trip {
            _ if !self.is_audio => (TRIES_MAX, usize::MAX),
            None => (1, usize::MAX),
            Some(time) if time <= AUDIO_ROUND_TRIP_MAX => (AUDIO_TRIES, usize::MAX),
            Some(_) => {
                let is_due = |at: Instant| now.saturating_duration_since(at) >= MEASURED_EACH;
                (self.asked.is_none_or(is_due).into(), 1)
            }
        }
    }

    /// The oldest are in front.
    fn give_up_old(&mut self, now: Instant) {
        let is_old = |missing: &Missing| now.saturating_duration_since(missing.noticed) > self.age_max;
        while self.missing.front().is_some_and(is_old) {
            self.missing.pop_front();
        }
    }

    fn clear(&mut self) {
        self.missing.clear();
        self.due = None;
        self.lost_at = None;
    }
}

impl Missing {
    fn is_due(&self, advances: u64, now: Instant) -> bool {
        now >= self.due || self.tries == 0 && advances >= self.lost_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const ROUND_TRIP: Duration = Duration::from_millis(100);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn taken(nacks: &mut NackGenerator, now: Instant) -> Vec<u16> {
        nacks.take(now, None, ROUND_TRIP, &mut [0; ASKED_PER_MESSAGE]).to_vec()
    }

    fn with_gap(nacks: &mut NackGenerator, now: Instant) {
        [10, 13].into_iter().for_each(|index| nacks.on_packet(index, now).unwrap());
    }

    #[test]
    fn a_gap_is_asked_for_after_the_reordering_delay_then_once_a_round_trip() {
        let (mut nacks, start) = (NackGenerator::video(), Instant::now());
        with_gap(&mut nacks, start);
        assert_eq!(nacks.due(), Some(start + ms(20)));
        assert!(taken(&mut nacks, start + ms(19)).is_empty());
        assert_eq!(taken(&mut nacks, start + ms(20)), [11, 12]);
        assert_eq!(nacks.due(), Some(start + ms(120)));
        assert!(taken(&mut nacks, start + ms(119)).is_empty());
        nacks.on_retransmission(11);
        assert_eq!(taken(&mut nacks, start + ms(120)), [12]);
        nacks.on_packet(12, start + ms(130)).unwrap();
        assert_eq!(nacks.due(), None);
    }

    #[test]
    fn three_packets_that_overtook_it_make_a_packet_lost_at_once() {
        let (mut nacks, start) = (NackGenerator::video(), Instant::now());
        with_gap(&mut nacks, start);
        nacks.on_packet(14, start).unwrap();
        assert!(taken(&mut nacks, start).is_empty());
        nacks.on_packet(15, start).unwrap();
        assert_eq!(taken(&mut nacks, start), [11, 12]);
    }

    #[test]
    fn what_was_only_overtaken_is_never_asked_for() {
        let (mut nacks, start) = (NackGenerator::video(), Instant::now());
        with_gap(&mut nacks, start);
        [12, 11].into_iter().for_each(|index| nacks.on_packet(index, start + ms(5)).unwrap());
        assert_eq!(nacks.due(), None);
        assert!(taken(&mut nacks, start + ms(500)).is_empty());
    }

    #[test]
    fn a_packet_is_asked_for_ten_times_at_most() {
        let (mut nacks, start) = (NackGenerator::video(), Instant::now());
        with_gap(&mut nacks, start);
        let mut asked = 0;
        for at in 0..5_000 {
            asked += nacks.take(start + ms(at), None, Duration::ZERO, &mut [0; 8]).len();
        }
        assert_eq!((asked, nacks.due()), (2 * usize::from(TRIES_MAX), None));
    }

    #[test]
    fn only_the_answer_to_a_single_request_tells_the_round_trip() {
        let (mut nacks, start) = (NackGenerator::video(), Instant::now());
        with_gap(&mut nacks, start);
        assert_eq!(nacks.on_answer(13, start), None, "it was never missing");
        assert_eq!(taken(&mut nacks, start + ms(20)).len(), 2);
        assert_eq!(nacks.on_answer(11, start + ms(75)), Some(Answer::After(ms(55))));
        assert_eq!(taken(&mut nacks, start + ms(120)), [12]);
        assert_eq!(nacks.on_answer(12, start + ms(130)), Some(Answer::Unclear));
        assert_eq!(nacks.due(), None);
    }

    #[test]
    fn old_packets_are_given_up() {
        for (mut nacks, age_max) in [(NackGenerator::video(), 2_000), (NackGenerator::audio(), 1_000)] {
            let start = Instant::now();
            with_gap(&mut nacks, start);
            assert_eq!(taken(&mut nacks, start + ms(age_max)).len(), 2);
            assert!(taken(&mut nacks, start + ms(age_max + 100)).is_empty());
            assert_eq!(nacks.due(), None);
        }
    }

    #[test]
    fn audio_is_asked_for_as_its_round_trip_allows() {
        let start = Instant::now();
        let asked = |round_trip: Option<u64>| {
            let mut nacks = NackGenerator::audio();
            with_gap(&mut nacks, start);
            let mut asked = 0;
            for at in (0..1_500).step_by(10) {
                let mut out = [0; ASKED_PER_MESSAGE];
                asked += nacks.take(start + ms(at), round_trip.map(ms), ROUND_TRIP, &mut out).len();
            }
            assert_eq!(nacks.due(), None);
            asked
        };
        // Of two that are missing: once each, three times each, and one of them to measure by.
        assert_eq!([None, Some(120), Some(121)].map(asked), [2, 6, 1]);
    }

    #[test]
    fn a_full_list_is_cleared_and_a_key_frame_asked_for() {
        let (mut nacks, start) = (NackGenerator::video(), Instant::now());
        nacks.on_packet(0, start).unwrap();
        nacks.on_packet(1_001, start).unwrap();
        assert_eq!(nacks.on_packet(1_003, start), Err(Overwhelmed));
        assert_eq!(nacks.due(), None);
        assert_eq!(nacks.on_packet(u64::MAX, start), Err(Overwhelmed));
        assert_eq!(nacks.on_packet(u64::MAX, start), Ok(()));
    }

    #[test]
    fn a_short_buffer_leaves_the_rest_due() {
        let (mut nacks, start) = (NackGenerator::video(), Instant::now());
        nacks.on_packet(0, start).unwrap();
        nacks.on_packet(6, start).unwrap();
        let now = start + ms(20);
        assert_eq!(nacks.take(now, None, ROUND_TRIP, &mut [0; 3]), [1, 2, 3]);
        assert_eq!(nacks.due(), Some(now));
        assert_eq!(nacks.take(now, None, ROUND_TRIP, &mut [0; 3]), [4, 5]);
        assert_eq!(nacks.due(), Some(start + ms(120)));
    }

    #[derive(Clone, Copy)]
    struct Expected {
        noticed: u64,
        noticed_at_advance: u64,
        asked: Option<u64>,
        tries: u8,
    }

    /// The same rules without caches: every packet is looked at each time.
    #[derive(Default)]
    struct Model {
        highest: Option<u64>,
        advances: u64,
        missing: BTreeMap<u64, Expected>,
    }

    impl Model {
        fn on_packet(&mut self, index: u64, at: u64) -> Result<(), Overwhelmed> {
            let highest = *self.highest.get_or_insert(index);
            if index <= highest {
                self.missing.remove(&index);
                return Ok(());
            }
            self.highest = Some(index);
            self.advances += 1;
            self.give_up(at);
            let new = Expected { noticed: at, noticed_at_advance: self.advances, asked: None, tries: 0 };
            self.missing.extend((highest + 1..index).map(|index| (index, new)));
            if self.missing.len() > MISSING_MAX {
                self.missing.clear();
                return Err(Overwhelmed);
            }
            Ok(())
        }

        fn take(&mut self, at: u64) -> Vec<u16> {
            self.give_up(at);
            let mut asked = Vec::new();
            for (index, missing) in &mut self.missing {
                let is_due = match missing.asked {
                    Some(last) => at >= last + 100,
                    None => at >= missing.noticed + 20 || self.advances >= missing.noticed_at_advance + 2,
                };
                if is_due {
                    (missing.asked, missing.tries) = (Some(at), missing.tries + 1);
                    asked.push(u16::try_from(index & 0xffff).unwrap());
                }
            }
            self.give_up(at);
            asked
        }

        fn give_up(&mut self, at: u64) {
            self.missing.retain(|_, missing| at - missing.noticed <= 2_000 && missing.tries < 10);
        }
    }

    proptest! {
        /// Taken after every step, at whatever `due` says: exactly what the model asks for.
        #[test]
        fn it_asks_as_the_model_does(
            start in prop_oneof![Just(65_000_u64), 0_u64..1 << 40],
            steps in proptest::collection::vec((0_u64..60, prop_oneof![8 => 1_u64..4, 1 => 1_u64..700], 0_u64..40), 1..300),
        ) {
            let (mut nacks, mut model) = (NackGenerator::video(), Model::default());
            let (origin, mut at, mut index) = (Instant::now(), 0, start);
            for (passed, ahead, back) in steps {
                at += passed;
                let now = origin + ms(at);
                index += ahead;
                // Every tenth step or so an old packet comes instead of a new one.
                let this = if back < 4 { index.saturating_sub(ahead + back) } else { index };
                prop_assert_eq!(nacks.on_packet(this, now), model.on_packet(this, at));
                index = nacks.highest.unwrap();
                prop_assert!(nacks.missing.len() <= MISSING_MAX);
                let mut out = [0; MISSING_MAX];
                let due = nacks.due();
                let asked = nacks.take(now, None, ROUND_TRIP, &mut out);
                prop_assert!(asked.is_empty() || due.is_some_and(|due| due <= now));
                prop_assert_eq!(asked, model.take(at));
            }
        }
    }
}
