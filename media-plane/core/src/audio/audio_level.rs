//! How loud one microphone is, and whether it is a noise loop: the same loud level for ten seconds, as
//! feedback and a stuck audio driver make it. Levels are those of RFC 6464: dB below overload, 0 the
//! loudest, 127 silence.

use railgun_protocol::limits::{NOISE_LOOP_DURATION, NOISE_LOOP_LEVEL, NOISE_LOOP_SPREAD};
use std::time::{Duration, Instant};

/// Digital silence.
pub(crate) const SILENCE: u8 = 127;
/// At this level and above a microphone counts as heard: speech is 15 to 40, a quiet room 55 and more.
pub(super) const HEARD: u8 = 50;
/// A gap of this length between packets ends a noise loop.
const GAP_MAX: Duration = Duration::from_millis(500);

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
    /// Records the level of one packet. Returns whether its room has to evaluate its levels.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME: Duration = Duration::from_millis(20);

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
