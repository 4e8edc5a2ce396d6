//! Who is heard in a room, and which of them is the active speaker. Levels are those of RFC 6464: dB below
//! overload.

use super::audio_level::{HEARD, SILENCE};
use railgun_protocol::ids::SessionId;
use std::time::{Duration, Instant};

/// Between two looks at the levels of a room in which somebody is heard.
pub(crate) const LEVELS_INTERVAL: Duration = Duration::from_millis(250);
/// A speaker replaces the active one after being so much louder for so many looks in a row.
const CHALLENGE_DB: i32 = 6;
const CHALLENGE_LOOKS: u8 = 3;
/// The active speaker stays active through a pause of so many looks.
const PAUSE_LOOKS: u8 = 6;

/// Who is heard in a room, and who has the floor.
#[derive(Debug, Default)]
pub(crate) struct Speakers {
    /// When to evaluate the levels next; `None` while every microphone is silent.
    pub(crate) due: Option<Instant>,
    /// The levels that the last event carried, without silent microphones.
    told: Vec<(SessionId, u8)>,
    talkers: Vec<Talker>,
    active: Option<SessionId>,
    /// The active one, or the last that was.
    latest: Option<SessionId>,
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

/// What changed in one evaluation of the levels.
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

    /// The active speaker, or in silence the last one.
    pub(crate) fn latest(&self) -> Option<SessionId> {
        self.latest
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
        self.latest = to.or(self.latest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn who(bits: u128) -> SessionId {
        SessionId::from_bits(bits)
    }

    proptest! {
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
}
