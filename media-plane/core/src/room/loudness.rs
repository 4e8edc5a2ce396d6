//! What audio levels (RFC 6464) say: how loud a microphone is, whether it is a noise loop, and who
//! in a room is speaking. Pure: levels and times go in. Levels are the extension's: dB below overload,
//! 0 the loudest and 127 silence.

use railgun_shared::ids::SessionId;
use railgun_shared::limits::{NOISE_LOOP_DURATION, NOISE_LOOP_LEVEL, NOISE_LOOP_SPREAD};
use std::time::{Duration, Instant};

/// Digital silence.
pub(crate) const SILENCE: u8 = 127;
/// At this level and above, somebody is heard: speech is 15 to 40, a quiet room 55 and more.
const HEARD: u8 = 50;
/// Between two looks at the levels of a room in which somebody is heard.
pub(crate) const LEVELS_INTERVAL: Duration = Duration::from_millis(250);
/// A sender that is silent for so long makes no continuous noise.
const GAP_MAX: Duration = Duration::from_millis(500);
/// Who wants the floor of somebody has to be so much louder, for so many looks in a row.
const CHALLENGE_DB: i32 = 6;
const CHALLENGE_LOOKS: u8 = 3;
/// Who has the floor keeps it in a pause of so many looks.
const PAUSE_LOOKS: u8 = 6;

/// One microphone's levels since they were last taken.
#[derive(Debug, Default)]
pub(crate) struct LevelMeter {
    sum: u32,
    packets: u32,
    is_heard: bool,
    is_noise: bool,
    tone: SteadyTone,
}

impl LevelMeter {
    /// A packet of that level came. True if its room has to look at the levels.
    #[inline]
    pub(crate) fn on_packet(&mut self, level: u8, now: Instant) -> bool {
        self.sum = self.sum.saturating_add(level.into());
        self.packets = self.packets.saturating_add(1);
        self.is_noise |= self.tone.on_packet(level, now);
        level <= HEARD && !std::mem::replace(&mut self.is_heard, true)
    }

    /// The mean level since the last call, and whether there was a noise loop in it.
    pub(crate) fn take(&mut self) -> (u8, bool) {
        let mean = self.sum.checked_div(self.packets).and_then(|mean| u8::try_from(mean).ok());
        let taken = (mean.unwrap_or(SILENCE), self.is_noise);
        (self.sum, self.packets, self.is_heard, self.is_noise) = (0, 0, false, false);
        taken
    }
}

/// Finds sound that stays loud and equal. Of three whole decibels in a row, all levels of such a
/// sound are one; only three such bands hold the last level, so their starts are all that is kept.
#[derive(Debug, Default)]
struct SteadyTone(Option<Bands>);

#[derive(Debug)]
struct Bands {
    last: u8,
    last_at: Instant,
    /// Since when all levels were in the band that ends at `last`, one above it, and two above.
    since: [Instant; BANDS],
}

const BANDS: usize = NOISE_LOOP_SPREAD as usize;

impl SteadyTone {
    /// True if the sound has been a noise loop for long enough; it is then looked for anew.
    fn on_packet(&mut self, level: u8, now: Instant) -> bool {
        if level >= NOISE_LOOP_LEVEL {
            self.0 = None;
            return false;
        }
        let before = self.0.take();
        let before = before.filter(|it| now.saturating_duration_since(it.last_at) <= GAP_MAX);
        let mut since = [now; BANDS];
        if let Some(before) = before {
            for (above, since) in since.iter_mut().enumerate() {
                // The band that ends so much above `level`, seen from the last level.
                let seen = (usize::from(level) + above).checked_sub(before.last.into());
                if let Some(start) = seen.and_then(|above| before.since.get(above)) {
                    *since = *start;
                }
            }
        }
        if since.iter().any(|since| now.saturating_duration_since(*since) >= NOISE_LOOP_DURATION) {
            return true;
        }
        self.0 = Some(Bands { last: level, last_at: now, since });
        false
    }
}

/// Who is heard in a room, and who has the floor.
#[derive(Debug, Default)]
pub(crate) struct Speakers {
    /// When to look again; none while nobody is heard.
    pub(crate) due: Option<Instant>,
    /// What was told last, quiet ones left out.
    told: Vec<(SessionId, u8)>,
    talkers: Vec<Talker>,
    active: Option<SessionId>,
    /// Looks since the active one was heard.
    paused: u8,
    challenger: Option<(SessionId, u8)>,
}

#[derive(Debug)]
struct Talker {
    session: SessionId,
    /// Loudness, smoothed, in hundredths of a decibel above silence.
    loudness: i32,
}

/// What changed at a look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Everybody who is heard; empty once they fell silent.
    pub(crate) levels: Option<Vec<(SessionId, u8)>>,
    pub(crate) active: Option<Option<SessionId>>,
}

impl Speakers {
    /// Somebody is heard: the room is looked at from now on.
    pub(crate) fn wake(&mut self, now: Instant) {
        self.due.get_or_insert(now + LEVELS_INTERVAL);
    }

    /// Takes the levels of all live microphones since the last look.
    pub(crate) fn look(&mut self, levels: &[(SessionId, u8)], now: Instant) -> Heard {
        self.follow(levels);
        let heard: Vec<_> = levels.iter().copied().filter(|(_, level)| *level <= HEARD).collect();
        let before = self.active;
        self.choose(&heard);
        let mut changes = Heard::default();
        if before != self.active {
            changes.active = Some(self.active);
        }
        let is_silent = heard.is_empty();
        if heard != self.told {
            self.told.clone_from(&heard);
            changes.levels = Some(heard);
        }
        let goes_on = !is_silent || self.active.is_some();
        self.due = goes_on.then(|| now + LEVELS_INTERVAL);
        if !goes_on {
            self.talkers.clear();
        }
        changes
    }

    /// Loudness rises fast and falls slowly, so that a pause between words is none.
    fn follow(&mut self, levels: &[(SessionId, u8)]) {
        self.talkers.retain(|talker| levels.iter().any(|(session, _)| *session == talker.session));
        for (session, level) in levels {
            let loudness = 100 * i32::from(SILENCE.saturating_sub(*level));
            match self.talkers.iter_mut().find(|talker| talker.session == *session) {
                Some(talker) => {
                    let step = loudness - talker.loudness;
                    talker.loudness += if step > 0 { step / 2 } else { step / 4 };
                }
                None => self.talkers.push(Talker { session: *session, loudness }),
            }
        }
    }

    fn loudness(&self, session: SessionId) -> i32 {
        let talker = self.talkers.iter().find(|talker| talker.session == session);
        talker.map_or(0, |talker| talker.loudness)
    }

    fn choose(&mut self, heard: &[(SessionId, u8)]) {
        let loudest = heard.iter().map(|(session, _)| *session).max_by_key(|it| self.loudness(*it));
        let Some(active) = self.active.filter(|it| self.talkers.iter().any(|talker| talker.session == *it))
        else {
            return self.give_floor(loudest);
        };
        let is_heard = heard.iter().any(|(session, _)| *session == active);
        self.paused = if is_heard { 0 } else { self.paused.saturating_add(1) };
        if self.paused >= PAUSE_LOOKS {
            return self.give_floor(loudest);
        }
        let louder = |it: &SessionId| self.loudness(*it) >= self.loudness(active) + 100 * CHALLENGE_DB;
        let Some(challenger) = loudest.filter(|it| *it != active).filter(louder) else {
            self.challenger = None;
            return;
        };
        let looks = match self.challenger {
            Some((same, looks)) if same == challenger => looks.saturating_add(1),
            _ => 1,
        };
        self.challenger = Some((challenger, looks));
        if looks >= CHALLENGE_LOOKS {
            self.give_floor(Some(challenger));
        }
    }

    fn give_floor(&mut self, to: Option<SessionId>) {
        (self.active, self.paused, self.challenger) = (to, 0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME: Duration = Duration::from_millis(20);

    fn who(bits: u128) -> SessionId {
        SessionId::from_bits(bits)
    }

    /// When a tone of these levels, a packet each 20 ms, is first taken for a noise loop.
    fn first_loop(levels: impl IntoIterator<Item = u8>) -> Option<Duration> {
        let (mut tone, start) = (SteadyTone::default(), Instant::now());
        let mut at = Duration::ZERO;
        for level in levels {
            if tone.on_packet(level, start + at) {
                return Some(at);
            }
            at += FRAME;
        }
        None
    }

    #[test]
    fn a_steady_tone_is_a_noise_loop_after_ten_seconds() {
        let ten = Some(Duration::from_secs(10));
        assert_eq!(first_loop([10; 600]), ten);
        assert_eq!(first_loop([10, 11, 12].into_iter().cycle().take(600)), ten, "2 dB apart");
        assert_eq!(first_loop([10, 13].into_iter().cycle().take(2_000)), None, "3 dB apart");
        assert_eq!(first_loop([30; 2_000]), None, "not above -30 dBov");
        assert_eq!(first_loop([29; 2_000]), ten);
        let late = (0..600).map(|frame| if frame < 50 { 5 } else { 20 });
        assert_eq!(first_loop(late), Some(Duration::from_secs(11)));
    }

    #[test]
    fn bursts_of_a_tone_and_a_tone_with_gaps_are_no_noise_loop() {
        let burst = |frame: u32| if frame % 50 < 25 { 10 } else { SILENCE };
        assert_eq!(first_loop((0..3_000).map(burst)), None);
        let (mut tone, start) = (SteadyTone::default(), Instant::now());
        let found = (0..3_000u32).any(|frame| {
            let pause = (frame / 400) * Duration::from_millis(501);
            tone.on_packet(10, start + frame * FRAME + pause)
        });
        assert!(!found);
    }

    proptest! {
        /// Against the rule as it is written, with every packet of the last ten seconds at hand.
        #[test]
        fn a_noise_loop_is_what_the_rule_says(
            runs in proptest::collection::vec((0u8..36, 1u32..700, 1u8..5), 1..12),
            gaps in proptest::collection::vec(0u64..700, 12),
        ) {
            let (mut tone, mut now) = (SteadyTone::default(), Instant::now());
            let mut history: Vec<(u8, Instant)> = Vec::new();
            for ((base, frames, width), gap) in runs.into_iter().zip(gaps) {
                now += Duration::from_millis(gap);
                for frame in 0..frames {
                    let level = base + u8::try_from(frame * 7 % u32::from(width)).unwrap();
                    now += FRAME;
                    let broken = history.last().is_some_and(|(_, at)| now - *at > GAP_MAX);
                    if broken || level >= 30 {
                        history.clear();
                    }
                    if level < 30 {
                        history.push((level, now));
                    }
                    // The shortest stretch up to now that lasts ten seconds, if there is one.
                    let from = history.iter().rposition(|(_, at)| now - *at >= NOISE_LOOP_DURATION);
                    let expected = from.is_some_and(|from| {
                        let levels = || history[from..].iter().map(|(level, _)| *level);
                        levels().max().unwrap() - levels().min().unwrap() < 3
                    });
                    prop_assert_eq!(tone.on_packet(level, now), expected);
                    if expected {
                        history.clear();
                    }
                }
            }
        }

        /// Whatever is heard: the floor is kept for 750 ms, its holder was heard within 1.5 s, levels
        /// are told when they change, and a silent room comes to rest.
        #[test]
        fn the_floor_does_not_flap_and_silence_is_silent(
            looks in proptest::collection::vec(proptest::array::uniform3(0u8..128), 1..200),
        ) {
            let (mut speakers, mut now) = (Speakers::default(), Instant::now());
            let (mut taken_at, mut heard_at, mut told) = (0, [0usize; 3], Vec::new());
            let mut active = None;
            for (look, levels) in looks.iter().enumerate() {
                speakers.wake(now);
                now += LEVELS_INTERVAL;
                let levels: Vec<_> = (0..3).map(|it| (who(it), levels[usize::try_from(it).unwrap()])).collect();
                let heard: Vec<_> = levels.iter().copied().filter(|it| it.1 <= HEARD).collect();
                for (place, level) in levels.iter().enumerate() {
                    if level.1 <= HEARD {
                        heard_at[place] = look;
                    }
                }
                let changes = speakers.look(&levels, now);
                prop_assert_eq!(changes.levels.is_some(), heard != told);
                told = changes.levels.unwrap_or(told);
                prop_assert_eq!(&told, &heard);
                if let Some(next) = changes.active {
                    prop_assert_ne!(next, active);
                    prop_assert!(active.is_none() || look - taken_at >= usize::from(CHALLENGE_LOOKS));
                    (active, taken_at) = (next, look);
                }
                let holder = (0..3).find(|it| Some(who(*it)) == active);
                if let Some(holder) = holder {
                    let since = look - heard_at[usize::try_from(holder).unwrap()];
                    prop_assert!(since < usize::from(PAUSE_LOOKS));
                }
                prop_assert_eq!(heard.is_empty() && active.is_none(), speakers.due.is_none());
            }
            let quiet: Vec<_> = (0..3).map(|it| (who(it), SILENCE)).collect();
            for _ in 0..PAUSE_LOOKS {
                speakers.look(&quiet, now);
            }
            prop_assert_eq!(speakers.look(&quiet, now), Heard::default());
            prop_assert_eq!(speakers.due, None);
        }
    }

    #[test]
    fn a_louder_voice_takes_the_floor_and_one_who_leaves_gives_it_up_at_once() {
        let (mut speakers, now) = (Speakers::default(), Instant::now());
        let first = speakers.look(&[(who(1), 30), (who(2), 35)], now);
        assert_eq!(first.active, Some(Some(who(1))));
        let louder = [(who(1), 45), (who(2), 20)];
        let changes: Vec<_> = (0..6).map(|_| speakers.look(&louder, now).active).collect();
        let taken = changes.iter().position(|it| *it == Some(Some(who(2)))).expect("the floor is taken");
        assert!((2..=5).contains(&taken), "{changes:?}");
        assert_eq!(speakers.look(&[(who(1), 45)], now).active, Some(Some(who(1))));
    }

    #[test]
    fn a_meter_gives_the_mean_and_wakes_its_room_once() {
        let (mut meter, now) = (LevelMeter::default(), Instant::now());
        assert!(!meter.on_packet(80, now));
        assert!(meter.on_packet(20, now));
        assert!(!meter.on_packet(20, now));
        assert_eq!(meter.take(), (40, false));
        assert_eq!(meter.take(), (SILENCE, false));
        assert!(meter.on_packet(20, now));
    }
}
