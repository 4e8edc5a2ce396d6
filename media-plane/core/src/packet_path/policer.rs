//! How much a user may send into a room: the ceiling of each source with its headroom, and that of camera
//! and screen together, as token buckets.
//!
//! They are the user's, not a producer's: closing and producing again, or leaving and joining again,
//! finds them as they were left. A sender that keeps to what it is told never meets them: Opus by
//! `maxaveragebitrate`, video by REMB. Only packets that are authentic are counted, or whoever spoofs an
//! address could use up its budget.

use railgun_protocol::rtp_parameters::MediaKind;
use railgun_protocol::signal::Source;
use std::time::{Duration, Instant};

/// Bytes of an RTP header, counted with each payload: a flood of tiny packets costs what it costs us.
const HEADER: u64 = 12;
/// What a packet of video counts for at least. Real ones are larger, but for a few.
const VIDEO_PACKET_MIN: u64 = 200;
/// A source that went over its limit in so many more seconds than it kept to it loses its producer.
const STRIKES_MAX: u8 = 10;
/// Shortest time between two evaluations of a source; closer ones are merged.
const LOOK_INTERVAL: Duration = Duration::from_millis(900);

/// Millionths of a bit: what flows in a microsecond at one bit a second.
const PER_BIT: u64 = 1_000_000;

/// What one user may send into one room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policer {
    sources: [Watch; Source::ALL.len()],
    /// Camera and screen together.
    videos: Bucket,
}

/// Token bucket and strikes of one source (mic, camera and so on) of a user, whichever producers send it.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    bucket: Bucket,
    dropped: u64,
    dropped_before: u64,
    looked_at: Option<Instant>,
    strikes: u8,
}

/// A token bucket that holds what refills in one second, and starts full.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Bits a second.
    rate: u64,
    /// In millionths of a bit.
    level: u64,
    filled: Option<Instant>,
}

impl Policer {
    /// `videos`: what camera and screen may take together, in bits a second, headroom included.
    pub(crate) fn new(videos: u64, now: Instant) -> Self {
        let mut policer = Self { sources: Default::default(), videos: Bucket::default() };
        policer.videos.set_rate(videos, now);
        policer
    }

    /// What this source may take, in bits a second, headroom included.
    pub(crate) fn set_rate(&mut self, source: Source, rate: u64, now: Instant) {
        let watch = self.watch(source);
        watch.bucket.set_rate(rate, now);
        watch.looked_at.get_or_insert(now);
    }

    /// Whether a packet with so much payload may pass.
    #[inline]
    pub(crate) fn admit(&mut self, source: Source, payload: usize, now: Instant) -> bool {
        let bytes = (payload as u64).saturating_add(HEADER);
        if source.kind() == MediaKind::Audio {
            let cost = bytes.saturating_mul(8 * PER_BIT);
            let watch = self.watch(source);
            let passes = watch.bucket.take(cost, now);
            return watch.count(passes);
        }
        let cost = bytes.max(VIDEO_PACKET_MIN).saturating_mul(8 * PER_BIT);
        // What the total does not let pass takes nothing from the source.
        self.videos.fill(now);
        let may = self.videos.level >= cost;
        let watch = self.watch(source);
        let passes = may && watch.bucket.take(cost, now);
        watch.count(passes);
        if passes {
            self.videos.level -= cost;
        }
        passes
    }

    /// To be called about each second in which there is a producer of this source; whether it has gone
    /// over its limit for too long.
    pub(crate) fn is_incorrigible(&mut self, source: Source, now: Instant) -> bool {
        let watch = self.watch(source);
        watch.look(now);
        watch.strikes >= STRIKES_MAX
    }

    /// Forgetting it gives its user nothing.
    pub(crate) fn is_as_new(&self, now: Instant) -> bool {
        self.videos.is_full(now) && self.sources.iter().all(|watch| watch.is_as_new(now))
    }

    #[inline]
    fn watch(&mut self, source: Source) -> &mut Watch {
        let [mic, camera, screen, screen_audio] = &mut self.sources;
        match source {
            Source::Mic => mic,
            Source::Camera => camera,
            Source::Screen => screen,
            Source::ScreenAudio => screen_audio,
        }
    }
}

impl Watch {
    #[inline]
    fn count(&mut self, passes: bool) -> bool {
        self.dropped += u64::from(!passes);
        passes
    }

    /// A second in which packets were dropped is a strike; every other one since the last look takes one
    /// away.
    fn look(&mut self, now: Instant) {
        let since = *self.looked_at.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        if elapsed < LOOK_INTERVAL {
            return;
        }
        self.looked_at = Some(now);
        let is_over = self.dropped > std::mem::replace(&mut self.dropped_before, self.dropped);
        let good = seconds(elapsed).saturating_sub(u8::from(is_over));
        self.strikes = self.strikes.saturating_sub(good).saturating_add(u8::from(is_over)).min(STRIKES_MAX);
    }

    fn is_as_new(&self, now: Instant) -> bool {
        let elapsed = self.looked_at.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        let are_over = self.dropped == self.dropped_before && seconds(elapsed) >= self.strikes;
        are_over && self.bucket.is_full(now)
    }
}

/// Rounded; 255 at most.
fn seconds(elapsed: Duration) -> u8 {
    u8::try_from(elapsed.saturating_add(Duration::from_millis(500)).as_secs()).unwrap_or(u8::MAX)
}

impl Bucket {
    fn capacity(&self) -> u64 {
        self.rate.saturating_mul(PER_BIT)
    }

    fn set_rate(&mut self, rate: u64, now: Instant) {
        let is_new = self.filled.is_none();
        self.fill(now);
        self.rate = rate;
        self.level = if is_new { self.capacity() } else { self.level.min(self.capacity()) };
    }

    #[inline]
    fn fill(&mut self, now: Instant) {
        self.level = self.level_at(now);
        self.filled = Some(now);
    }

    #[inline]
    fn level_at(&self, now: Instant) -> u64 {
        let elapsed = self
            .filled
            .map_or(0, |at| u64::try_from(now.saturating_duration_since(at).as_micros()).unwrap_or(u64::MAX));
        self.level.saturating_add(self.rate.saturating_mul(elapsed)).min(self.capacity())
    }

    fn is_full(&self, now: Instant) -> bool {
        self.level_at(now) == self.capacity()
    }

    #[inline]
    fn take(&mut self, cost: u64, now: Instant) -> bool {
        self.fill(now);
        let left = self.level.checked_sub(cost);
        self.level = left.unwrap_or(self.level);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Source::{Camera, Mic, Screen};

    const FREE_MIC: u64 = 48_000;
    const CAMERA: u64 = 3_750_000;
    const SCREEN: u64 = 2_250_000;
    const VIDEOS: u64 = 4_400_000;

    fn police(start: Instant) -> Policer {
        let mut policer = Policer::new(VIDEOS, start);
        for (source, rate) in [(Mic, FREE_MIC), (Camera, CAMERA), (Screen, SCREEN)] {
            policer.set_rate(source, rate, start);
        }
        policer
    }

    /// Bits of payload that pass of each source in ten seconds, `packet` bytes being sent so many times a
    /// second.
    fn passed<const N: usize>(sources: [Source; N], packet: usize, per_second: u64) -> [u64; N] {
        let start = Instant::now();
        let mut policer = police(start);
        let every = Duration::from_secs(1) / u32::try_from(per_second).unwrap();
        let mut passed = [0; N];
        for n in 0..10 * per_second {
            let now = start + every * u32::try_from(n).unwrap();
            for (source, passed) in sources.iter().zip(&mut passed) {
                *passed += u64::from(policer.admit(*source, packet, now)) * packet as u64 * 8;
            }
        }
        passed
    }

    #[test]
    fn speech_at_its_ceiling_passes_whole() {
        // 32 kbit/s in packets of 20 ms, and of 10 ms.
        for (packet, per_second) in [(80, 50), (40, 100)] {
            assert_eq!(passed([Mic], packet, per_second), [320_000]);
        }
    }

    #[test]
    fn a_flood_gets_the_rate_and_one_second_of_burst() {
        let [bits] = passed([Mic], 1_000, 2_500);
        assert!((10 * FREE_MIC..=11 * FREE_MIC).contains(&bits), "{bits}");
        let [bits] = passed([Camera], 1_000, 2_500);
        assert!((10 * CAMERA - 500_000..=11 * CAMERA).contains(&bits), "{bits}");
    }

    #[test]
    fn camera_and_screen_get_the_total_though_each_keeps_to_its_own() {
        // 3.6 and 2.2 Mbit/s.
        let start = Instant::now();
        let mut policer = police(start);
        let mut bits = 0;
        for millisecond in 0..10_000 {
            let now = start + Duration::from_millis(millisecond);
            for (source, bytes) in [(Camera, 437), (Screen, 260)] {
                bits += u64::from(policer.admit(source, bytes, now)) * bytes as u64 * 8;
            }
        }
        assert!((10 * VIDEOS - 2_500_000..=11 * VIDEOS).contains(&bits), "{bits}");
        // Each at its ceiling: 4,000 kbit/s pass whole.
        let start = start + Duration::from_secs(20);
        for millisecond in 0..10_000 {
            let now = start + Duration::from_millis(millisecond);
            assert!(policer.admit(Camera, 300, now) && policer.admit(Screen, 176, now), "{millisecond}");
        }
    }

    #[test]
    fn tiny_packets_pass_by_the_hundred_not_by_the_hundred_thousand() {
        for (source, most) in [(Mic, 463), (Camera, 2_344)] {
            let [bits] = passed([source], 1, 100_000);
            assert!(bits / 8 <= 11 * most, "{bits}");
        }
    }

    #[test]
    fn who_comes_back_finds_the_bucket_as_it_was_left() {
        let start = Instant::now();
        let mut policer = police(start);
        while policer.admit(Mic, 1_000, start) {}
        policer.set_rate(Mic, FREE_MIC, start);
        assert!(!policer.admit(Mic, 1_000, start));
        // A second device's microphone: room for both, and no burst for it.
        policer.set_rate(Mic, 2 * FREE_MIC, start);
        assert!(!policer.admit(Mic, 1_000, start));
        assert!(!policer.is_as_new(start + Duration::from_millis(900)));
        let after = start + Duration::from_secs(1);
        let burst = (0..1_000).filter(|_| policer.admit(Mic, 988, after)).count();
        assert_eq!(burst, 12, "96,000 bits");
        // What was dropped is looked at first.
        let later = after + Duration::from_secs(2);
        assert!(!policer.is_as_new(later));
        assert!(!policer.is_incorrigible(Mic, later));
        assert!(policer.is_as_new(later + Duration::from_secs(1)));
    }

    #[test]
    fn ten_seconds_over_the_limit_are_too_many_and_good_ones_make_up() {
        let mut now = Instant::now();
        let mut policer = police(now);
        let mut second = |policer: &mut Policer, packets: u32| {
            now += Duration::from_secs(1);
            (0..packets).for_each(|_| _ = policer.admit(Mic, 100, now));
            // Two transports of one user may ask.
            policer.is_incorrigible(Mic, now) | policer.is_incorrigible(Mic, now + Duration::from_millis(500))
        };
        assert!((0..9).all(|_| !second(&mut policer, 200)));
        assert!((0..9).all(|_| !second(&mut policer, 10)));
        assert!((0..9).all(|_| !second(&mut policer, 200)));
        assert!(second(&mut policer, 200));
        // Producing again changes nothing, waiting does.
        policer.set_rate(Mic, FREE_MIC, now);
        assert!(policer.is_incorrigible(Mic, now));
        assert!(!policer.is_incorrigible(Mic, now + Duration::from_secs(1)));
        assert!(!policer.is_as_new(now + Duration::from_secs(9)));
        assert!(policer.is_as_new(now + Duration::from_secs(10)));
    }

    #[test]
    fn no_rate_is_too_high_to_reckon_with() {
        let start = Instant::now();
        let mut policer = Policer::new(u64::MAX, start);
        policer.set_rate(Camera, u64::MAX, start);
        assert!((0..1_000).all(|_| policer.admit(Camera, 1_500, start)));
        policer.admit(Camera, usize::MAX, start);
        assert!(policer.admit(Camera, 1_500, start + Duration::from_secs(1)));
    }
}
