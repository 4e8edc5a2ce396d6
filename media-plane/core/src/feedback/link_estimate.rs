//! How much the link to one receiver takes, by what its reports say of loss and delay.
//!
//! As long as everything gets through there is no limit. Two bad seconds set one, at what did get
//! through; a while without trouble lets one more layer be tried, and each try that fails makes the
//! next one wait longer. A link that loses as much when it is sent little is a bad link, not a full
//! one: then its usual loss is no sign of anything.

use std::time::{Duration, Instant};

/// Loss above the link's usual one that is congestion, and loss at which a link is held to be well: in
/// thousandths.
const LOSS_BAD: u32 = 100;
const LOSS_WELL: u32 = 20;
/// Highest loss, in thousandths, that may become a link's usual loss.
const USUAL_LOSS_MAX: u32 = 300;
/// Reports that cover fewer packets than this are not evaluated.
const PACKETS_MIN: u32 = 20;
/// Packets that wait so much longer than the quickest did stand in a queue that only grows.
const QUEUEING_BAD: Duration = Duration::from_millis(800);
const BAD_SECONDS: u8 = 2;
/// Reports that arrive this soon after a change are ignored: they still describe the time before it.
const SETTLE: Duration = Duration::from_secs(3);
const PATIENCE_MIN: Duration = Duration::from_secs(10);
const PATIENCE_MAX: Duration = Duration::from_secs(60);
/// Lower bound of the estimate in bit/s, enough for one speaker.
const LIMIT_MIN: u64 = 20_000;

/// What was seen since the last time, about a second ago. Rates in bits per second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    /// Packets that reports of this second are about, and how many of them were lost.
    pub(crate) expected: u32,
    pub(crate) lost: u32,
    pub(crate) queueing: Option<Duration>,
    /// The receiver's own estimate, if it sends one.
    pub(crate) estimated: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkEstimate {
    limit: Option<u64>,
    bad_seconds: u8,
    well_since: Option<Instant>,
    settles_at: Option<Instant>,
    raised_at: Option<Instant>,
    patience: Duration,
    /// At the last cut, in thousandths.
    loss_at_cut: Option<u32>,
    usual_loss: u32,
}

impl Default for LinkEstimate {
    fn default() -> Self {
        Self {
            limit: None,
            bad_seconds: 0,
            well_since: None,
            settles_at: None,
            raised_at: None,
            patience: PATIENCE_MIN,
            loss_at_cut: None,
            usual_loss: 0,
        }
    }
}

impl LinkEstimate {
    /// The estimate in bit/s; `None` while the link is not limited.
    pub(crate) fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// `next`: what would be sent with one more layer; none if nothing more is wanted.
    pub(crate) fn observe(&mut self, seen: &Observed, next: Option<u64>, now: Instant) {
        if self.settles_at.is_some_and(|at| now < at) {
            return;
        }
        let loss = (seen.expected >= PACKETS_MIN).then(|| permille(seen.lost, seen.expected));
        let is_slow = seen.queueing.is_some_and(|wait| wait > QUEUEING_BAD)
            || seen.estimated.is_some_and(|estimated| estimated < seen.sent / 10 * 9);
        if is_slow || loss.is_some_and(|loss| loss > self.usual_loss + LOSS_BAD) {
            self.well_since = None;
            self.bad_seconds += 1;
            if self.bad_seconds >= BAD_SECONDS {
                self.bad_seconds = 0;
                self.cut(seen, loss, is_slow, now);
            }
            return;
        }
        // A second without any report is neither good nor bad.
        let Some(loss) = loss else { return };
        self.bad_seconds = 0;
        if loss < self.usual_loss {
            self.usual_loss -= (self.usual_loss - loss).div_ceil(8);
        }
        if loss > self.usual_loss + LOSS_WELL {
            self.well_since = None;
            return;
        }
        let since = *self.well_since.get_or_insert(now);
        if self.limit.is_some() && now.saturating_duration_since(since) >= self.patience {
            self.raise(next, now);
        }
    }

    fn cut(&mut self, seen: &Observed, loss: Option<u32>, is_slow: bool, now: Instant) {
        let is_since_cut = self.limit.is_some() && self.raised_at.is_none() && !is_slow;
        if let (Some(before), Some(loss)) = (self.loss_at_cut.filter(|_| is_since_cut), loss)
            && (before / 4 * 3..=USUAL_LOSS_MAX).contains(&loss)
        {
            self.usual_loss = loss;
            return;
        }
        let through = seen.delivered.min(seen.sent).min(seen.estimated.unwrap_or(u64::MAX));
        let limit = through.min(self.limit.unwrap_or(u64::MAX)) / 100 * 85;
        self.limit = Some(limit.max(LIMIT_MIN));
        self.loss_at_cut = loss;
        if self.raised_at.take().is_some() {
            self.patience = (self.patience * 2).min(PATIENCE_MAX);
        }
        self.settles_at = Some(now + SETTLE);
    }

    fn raise(&mut self, next: Option<u64>, now: Instant) {
        // The last one held until its turn came.
        if self.raised_at.is_some() {
            self.patience = (self.patience / 2).max(PATIENCE_MIN);
        }
        self.limit = match (self.limit, next) {
            (Some(limit), Some(next)) => Some((limit / 4 * 5).max(next / 10 * 11)),
            _ => None,
        };
        self.raised_at = Some(now);
        self.well_since = Some(now);
        self.settles_at = Some(now + SETTLE);
    }
}

fn permille(part: u32, whole: u32) -> u32 {
    let permille = u64::from(part) * 1_000 / u64::from(whole.max(1));
    u32::try_from(permille).unwrap_or(u32::MAX).min(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link that drops what is above `takes`, and `loses` thousandths of all; the sender has a layer
    /// of 100 kbit/s and one of 900, and speech of 50. What was sent in each second.
    fn seconds(link: &mut LinkEstimate, from: Instant, count: u64, takes: u64, loses: u64) -> Vec<u64> {
        let mut sent = Vec::new();
        for second in 0..count {
            let (rate, next) = match link.limit() {
                None => (1_050_000, None),
                Some(limit) if limit >= 1_050_000 => (1_050_000, None),
                Some(limit) if limit >= 150_000 => (150_000, Some(950_000)),
                Some(_) => (50_000, Some(150_000)),
            };
            let delivered = rate.min(takes) * (1_000 - loses) / 1_000;
            let expected = u32::try_from(rate / 8_000).unwrap().max(50);
            let lost = u64::from(expected) * (rate - delivered) / rate;
            let seen = Observed {
                sent: rate,
                delivered,
                expected,
                lost: u32::try_from(lost).unwrap(),
                ..Observed::default()
            };
            let next = next.map(|_| if rate == 50_000 { 150_000 } else { 1_050_000 });
            link.observe(&seen, next, from + Duration::from_secs(second));
            sent.push(rate);
        }
        sent
    }

    #[test]
    fn a_wide_link_has_no_limit() {
        let mut link = LinkEstimate::default();
        let sent = seconds(&mut link, Instant::now(), 60, 10_000_000, 0);
        assert!(sent.iter().all(|rate| *rate == 1_050_000));
        assert_eq!(link.limit(), None);
    }

    #[test]
    fn a_narrow_link_gets_what_it_takes_and_is_tried_less_and_less_often() {
        let mut link = LinkEstimate::default();
        let sent = seconds(&mut link, Instant::now(), 300, 400_000, 0);
        assert!(sent[2..12].iter().all(|rate| *rate == 150_000), "{sent:?}");
        let too_much = |range: std::ops::Range<usize>| sent[range].iter().filter(|it| **it > 400_000).count();
        assert!(too_much(2..62) > 0, "it is tried again");
        assert!(too_much(120..300) <= 3 * 6, "{sent:?}");
        assert!(sent.iter().all(|rate| *rate >= 150_000), "what fits is never taken away");
    }

    #[test]
    fn when_the_link_is_wide_again_everything_comes_back() {
        let (mut link, start) = (LinkEstimate::default(), Instant::now());
        seconds(&mut link, start, 30, 60_000, 0);
        assert!(link.limit().is_some_and(|limit| limit < 150_000));
        seconds(&mut link, start + Duration::from_secs(30), 200, 10_000_000, 0);
        assert_eq!(link.limit(), None);
    }

    #[test]
    fn a_link_that_always_loses_an_eighth_keeps_its_pictures() {
        let (mut link, start) = (LinkEstimate::default(), Instant::now());
        seconds(&mut link, start, 120, 10_000_000, 125);
        let later = seconds(&mut link, start + Duration::from_secs(120), 60, 10_000_000, 125);
        assert!(later.iter().all(|rate| *rate == 1_050_000), "{later:?}");
    }

    #[test]
    fn one_bad_second_is_nothing_and_a_growing_queue_is_as_bad_as_loss() {
        let (mut link, start) = (LinkEstimate::default(), Instant::now());
        let bad = Observed {
            sent: 500_000,
            delivered: 300_000,
            expected: 50,
            queueing: Some(Duration::from_millis(900)),
            ..Observed::default()
        };
        let good = Observed { queueing: None, delivered: 500_000, ..bad };
        for second in 0..10 {
            let seen = if second % 2 == 0 { bad } else { good };
            link.observe(&seen, None, start + Duration::from_secs(second));
        }
        assert_eq!(link.limit(), None);
        for second in 10..13 {
            link.observe(&bad, None, start + Duration::from_secs(second));
        }
        assert_eq!(link.limit(), Some(255_000));
    }

    #[test]
    fn a_receivers_own_estimate_counts_when_it_is_below_what_it_is_sent() {
        let (mut link, start) = (LinkEstimate::default(), Instant::now());
        let seen = |estimated| Observed {
            sent: 500_000,
            delivered: 500_000,
            expected: 50,
            estimated: Some(estimated),
            ..Observed::default()
        };
        (0..5).for_each(|second| link.observe(&seen(600_000), None, start + Duration::from_secs(second)));
        assert_eq!(link.limit(), None);
        (5..8).for_each(|second| link.observe(&seen(200_000), None, start + Duration::from_secs(second)));
        assert_eq!(link.limit(), Some(170_000));
    }
}
