//! How well a stream comes through, as a number from 0 to 10.

use crate::packet::rtcp::ReportBlock;
use railgun_protocol::rtp_parameters::MediaKind;
use std::time::{Duration, Instant};

/// A stream without packets for so long is dead.
const SILENCE_MAX: Duration = Duration::from_millis(1_500);
/// With discontinuous transmission Opus sends a packet each 400 ms of silence: a dozen lost in a row.
const DTX_SILENCE_MAX: Duration = Duration::from_secs(5);

/// Scores are reckoned in hundredths.
const FULL: u32 = 1_000;
/// A live stream is never below it: 0 says dead.
const LIVE_MIN: u32 = 100;
/// Jitter in milliseconds that jitter buffers absorb; it lowers no score.
const JITTER_FREE_MS: u32 = 30;
/// Beyond that, a point for every so many milliseconds of jitter, up to four points.
const JITTER_MS_PER_POINT: u32 = 40;
const JITTER_PENALTY_MAX: u32 = 400;
/// A bad report moves the score down by this part of the way: half.
const FALL_DIVISOR: u32 = 2;
/// A good report moves the score up by this part of the way: an eighth, and at least a tenth of a point.
const RISE_DIVISOR: u32 = 8;
const RISE_MIN: u32 = 10;

/// The score of one stream, from its receiver reports, ours or a client's, once a second.
///
/// A report alone is worth `10 * (1 - loss)^n`, minus up to four points for jitter: the chance that
/// `n` packets in a row arrive. For video `n` is 4, a frame of usual size; for audio 2, as Opus
/// conceals a single loss well and two in a row badly. 5 % loss is 8.1 and 9.0, 20 % 4.1 and 6.4.
///
/// The score goes half of the way down to a worse report and an eighth of the way up to a better
/// one: whoever chooses by it leaves a bad stream within two seconds, and is not led back by the
/// first good one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamScore {
    kind: MediaKind,
    silence_max: Duration,
    last_packet: Option<Instant>,
    /// A packet came since the last report; a report without any says nothing.
    is_fresh: bool,
    hundredths: u32,
}

impl StreamScore {
    /// `dtx`: the sender may stop sending during silence.
    pub(crate) fn new(kind: MediaKind, dtx: bool) -> Self {
        let silence_max = if dtx && kind == MediaKind::Audio { DTX_SILENCE_MAX } else { SILENCE_MAX };
        Self { kind, silence_max, last_packet: None, is_fresh: false, hundredths: FULL }
    }

    /// A packet of the stream came, or went out for a consumer's.
    #[inline]
    pub(crate) fn on_packet(&mut self, now: Instant) {
        // Who comes back from the dead has to earn its score again.
        if self.last_packet.is_some() && !self.is_alive(now) {
            self.hundredths = LIVE_MIN;
        }
        self.last_packet = Some(now);
        self.is_fresh = true;
    }

    pub(crate) fn on_report(&mut self, block: &ReportBlock, clock_rate: u32) {
        if !std::mem::take(&mut self.is_fresh) {
            return;
        }
        let target = self.worth(block, clock_rate);
        if target < self.hundredths {
            self.hundredths -= (self.hundredths - target).div_ceil(FALL_DIVISOR);
        } else {
            let step = ((target - self.hundredths) / RISE_DIVISOR).max(RISE_MIN);
            self.hundredths = target.min(self.hundredths + step);
        }
    }

    /// 0: nothing comes; 1 to 10: poor to perfect.
    pub(crate) fn score(&self, now: Instant) -> u8 {
        if !self.is_alive(now) {
            return 0;
        }
        u8::try_from((self.hundredths + 50) / 100).unwrap_or_default()
    }

    pub(crate) fn is_alive(&self, now: Instant) -> bool {
        self.dead_at().is_some_and(|dead_at| now < dead_at)
    }

    /// When it counts as dead unless a packet comes; none before the first.
    pub(crate) fn dead_at(&self) -> Option<Instant> {
        self.last_packet.map(|last| last + self.silence_max)
    }

    /// Score that one report stands for, in hundredths.
    fn worth(&self, block: &ReportBlock, clock_rate: u32) -> u32 {
        let packets = if self.kind == MediaKind::Video { 4 } else { 2 };
        let arrived = 256 - u32::from(block.fraction_lost);
        let delivered = (0..packets).fold(FULL, |worth, _| worth * arrived / 256);
        let jitter_ms = u64::from(block.jitter) * 1_000 / u64::from(clock_rate.max(1));
        let jitter_ms = u32::try_from(jitter_ms).unwrap_or(u32::MAX);
        let penalty = (jitter_ms.saturating_sub(JITTER_FREE_MS)).saturating_mul(100) / JITTER_MS_PER_POINT;
        delivered.saturating_sub(penalty.min(JITTER_PENALTY_MAX)).max(LIVE_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(lost_percent: u32, jitter: u32) -> ReportBlock {
        let fraction_lost = u8::try_from((lost_percent * 256 / 100).min(255)).unwrap();
        ReportBlock { fraction_lost, jitter, ..ReportBlock::default() }
    }

    /// The score after each of so many seconds of equal reports.
    fn seconds(score: &mut StreamScore, from: Instant, reports: u64, block: &ReportBlock) -> Vec<u8> {
        let mut scores = Vec::new();
        for second in 0..reports {
            let now = from + Duration::from_secs(second);
            score.on_packet(now);
            score.on_report(block, 90_000);
            scores.push(score.score(now));
        }
        scores
    }

    #[test]
    fn a_good_stream_scores_ten() {
        let (mut score, start) = (StreamScore::new(MediaKind::Video, false), Instant::now());
        assert_eq!(score.score(start), 0, "nothing came yet");
        assert_eq!(seconds(&mut score, start, 5, &block(0, 900)), [10; 5]);
    }

    #[test]
    fn loss_settles_at_its_worth() {
        for (kind, lost, expected) in [
            (MediaKind::Video, 5, 8),
            (MediaKind::Video, 20, 4),
            (MediaKind::Video, 100, 1),
            (MediaKind::Audio, 5, 9),
            (MediaKind::Audio, 20, 6),
            (MediaKind::Audio, 100, 1),
        ] {
            let mut score = StreamScore::new(kind, false);
            let scores = seconds(&mut score, Instant::now(), 15, &block(lost, 0));
            assert_eq!(scores.last(), Some(&expected), "{kind:?} {lost} %");
        }
    }

    #[test]
    fn it_falls_within_two_seconds_and_takes_longer_to_recover() {
        let (mut score, start) = (StreamScore::new(MediaKind::Video, false), Instant::now());
        let falling = seconds(&mut score, start, 6, &block(30, 0));
        assert_eq!(falling[..3], [6, 4, 3]);
        let rising = seconds(&mut score, start + Duration::from_secs(6), 30, &block(0, 0));
        assert!(rising.is_sorted());
        assert!(rising[2] <= 6, "{rising:?}");
        assert_eq!(rising.iter().position(|score| *score == 10), Some(20));
    }

    #[test]
    fn jitter_costs_four_points_at_most() {
        // 30 ms are free, 110 ms cost two points, a second no more than four.
        for (jitter, expected) in [(2_700, 10), (9_900, 8), (90_000, 6), (u32::MAX, 6)] {
            let mut score = StreamScore::new(MediaKind::Video, false);
            let scores = seconds(&mut score, Instant::now(), 15, &block(0, jitter));
            assert_eq!(scores.last(), Some(&expected), "{jitter}");
        }
    }

    #[test]
    fn a_stream_is_dead_when_nothing_comes_and_starts_low_when_it_comes_back() {
        for (kind, dtx, silence_ms) in [
            (MediaKind::Video, true, 1_500),
            (MediaKind::Audio, false, 1_500),
            (MediaKind::Audio, true, 5_000),
        ] {
            let (mut score, start) = (StreamScore::new(kind, dtx), Instant::now());
            score.on_packet(start);
            let dead_at = start + Duration::from_millis(silence_ms);
            assert_eq!(score.dead_at(), Some(dead_at));
            assert_eq!(score.score(dead_at - Duration::from_millis(1)), 10);
            assert_eq!(score.score(dead_at), 0);
            score.on_packet(dead_at);
            assert_eq!(score.score(dead_at), 1);
            score.on_report(&block(0, 0), 48_000);
            assert_eq!(score.score(dead_at), 2);
        }
    }

    #[test]
    fn silence_with_dtx_keeps_the_score() {
        let (mut score, start) = (StreamScore::new(MediaKind::Audio, true), Instant::now());
        for at in (0..60_000).step_by(400) {
            let now = start + Duration::from_millis(at);
            score.on_packet(now);
            if at % 1_000 == 0 {
                score.on_report(&block(0, 0), 48_000);
            }
            assert_eq!(score.score(now + Duration::from_millis(399)), 10);
        }
    }

    #[test]
    fn a_report_on_nothing_changes_nothing() {
        let (mut score, start) = (StreamScore::new(MediaKind::Video, false), Instant::now());
        seconds(&mut score, start, 3, &block(50, 0));
        let before = score.hundredths;
        score.on_report(&block(0, 0), 90_000);
        assert_eq!(score.hundredths, before);
    }

    proptest! {
        #[test]
        fn a_live_stream_scores_one_to_ten_and_worse_reports_never_help(
            reports in proptest::collection::vec((any::<u8>(), any::<u32>(), any::<u8>()), 1..60),
            clock_rate in prop_oneof![Just(0), Just(48_000), Just(90_000), any::<u32>()],
        ) {
            let start = Instant::now();
            let mut better = StreamScore::new(MediaKind::Video, false);
            let mut worse = better;
            for (fraction_lost, jitter, more) in reports {
                let report = ReportBlock { fraction_lost, jitter, ..ReportBlock::default() };
                better.on_packet(start);
                better.on_report(&report, clock_rate);
                let fraction_lost = fraction_lost.saturating_add(more);
                worse.on_packet(start);
                worse.on_report(&ReportBlock { fraction_lost, ..report }, clock_rate);
                prop_assert!((1..=10).contains(&worse.score(start)));
                prop_assert!(worse.hundredths <= better.hundredths);
            }
        }
    }
}
