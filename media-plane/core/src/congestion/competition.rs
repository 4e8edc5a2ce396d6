//! Somebody else's transfer in the same queue, one that loss alone slows down: delay says nothing of our own rate then.
//! Whether there is one, and what is ours beside it; the folder's documentation has the states.

use super::rate_mean::RateMean;
use super::window::Window;

/// A queue that is no shorter after so many cuts, and so long after the first, does not follow us, if what was sent of
/// late is no more than this part of what the first one measured.
const CUTS: u8 = 2;
const SINCE_US: i64 = 2_500_000;
const SENT: f64 = 0.75;
/// Of a link that falls, the queue grows or drains; of one that somebody else fills, it stays: its trend is within
/// this in so many messages, and a trend of more begins the count anew.
const FLAT: f64 = 0.08;
const STEEP: f64 = 0.3;
const FLAT_MESSAGES: u16 = 20;
/// Or it is no shorter than this part of what it was at the second cut, so long after that.
const KEPT: f64 = 0.7;
const KEPT_US: i64 = 1_500_000;
/// A path that became longer is so by a constant; by more than this its queue swings.
const SWING_US: i64 = 20_000;
/// A shorter one than this may be a packet's own length on the link.
const STUCK_US: i64 = 50_000;
/// A queue that grows so fast in so many messages in a row is the link's that became slower.
const OURS_TREND: f64 = 0.12;
const OURS_MESSAGES: u16 = 24;
/// Loss of so much, in the mean of so many packets, for so long, though the rate follows it, is our own doing; then it
/// is taken for nobody else's for so long.
const OURS: f64 = 0.2;
const OURS_PACKETS: f64 = 100.0;
const OURS_AFTER_US: i64 = 5_000_000;
const OURS_US: i64 = 15_000_000;
/// Alone in a queue, what comes out of it is what the link takes: the same within this factor in so many seconds, while
/// our rate moved by that one.
const SAME: f64 = 1.06;
const SAME_SECONDS: u8 = 6;
const MOVED: f64 = 1.25;
/// After nothing was sent, so many packets that all waited for so long show a queue that is not ours.
const QUIET_PACKETS: u8 = 3;
const QUIET_US: i64 = 30_000;
/// The queue is short for so long: the other one is gone.
const GONE_US: i64 = 2_000_000;
/// The rate is the mean over about so long of what the window lets go.
const MEAN_US: i64 = 2_000_000;

/// How the queue of the link is now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Its trend, in microseconds of delay a microsecond.
    pub(crate) trend: f64,
    /// Hardly anything is in it.
    pub(crate) is_short: bool,
    /// Round trip with the queue.
    pub(crate) round_trip_us: i64,
    /// What every packet of late waited at least.
    pub(crate) standing_us: i64,
    /// What the layers take that are sent, and what was sent in the last second, in bits a second.
    pub(crate) sending: u64,
    pub(crate) sent: u64,
    /// What arrived in the last second, in bits a second.
    pub(crate) delivered: u64,
    pub(crate) now_us: i64,
}

/// The least and the most of some seconds.
#[derive(Clone, Copy, Debug)]
struct Range(f64, f64);

impl Range {
    fn put(&mut self, value: f64) {
        (self.0, self.1) = (self.0.min(value), self.1.max(value));
    }

    fn ratio(self) -> f64 {
        self.1 / self.0.max(1.0)
    }
}

/// What came out of the queue second by second, beside what was let go.
#[derive(Clone, Copy, Debug)]
struct Output {
    seconds: u8,
    next_us: i64,
    delivered: Range,
    rate: Range,
}

impl Output {
    fn new(now_us: i64) -> Self {
        let none = Range(f64::MAX, 0.0);
        Self { seconds: 0, next_us: now_us + 1_000_000, delivered: none, rate: none }
    }

    /// Whether it is the same though our rate moved: nobody else is in the queue.
    fn is_alone(&mut self, rate: f64, seen: &Seen) -> bool {
        if seen.now_us < self.next_us {
            return false;
        }
        self.next_us += 1_000_000;
        self.seconds = self.seconds.saturating_add(1);
        self.delivered.put(seen.delivered as f64);
        self.rate.put(rate);
        if self.delivered.ratio() > SAME {
            *self = Self::new(seen.now_us);
        }
        self.seconds >= SAME_SECONDS && self.rate.ratio() > MOVED
    }
}

#[derive(Clone, Copy, Debug)]
struct Beside {
    window: Window,
    mean: RateMean,
    short_since_us: Option<i64>,
    /// Messages in a row in which the queue grew fast.
    growing: u16,
    lossy_since_us: Option<i64>,
    output: Output,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Competition {
    cuts: u8,
    /// When the first cut was, and to which rate.
    first: (i64, u64),
    /// What was sent in the second before the first cut, in bits a second.
    sent_before: u64,
    /// When the second one was, and the queue then.
    second: (i64, i64),
    /// Messages of a queue that stayed, and the least and the most of it since the last cut.
    flat: u16,
    swing: (i64, i64),
    /// Of the packets since a silence, how many came and the least that any waited.
    quiet: Option<(u8, i64)>,
    /// Part of the packets that are lost, of late, and until when that is our doing.
    lately: f64,
    ours_until_us: i64,
    beside: Option<Beside>,
}

impl Competition {
    pub(crate) fn on_loss(&mut self, sent_us: i64) {
        self.lately += (1.0 - self.lately) / OURS_PACKETS;
        if let Some(beside) = &mut self.beside {
            beside.window.on_loss(sent_us);
        }
    }

    /// `waited_us`: in the queue.
    pub(crate) fn on_arrival(&mut self, waited_us: i64) {
        self.lately -= self.lately / OURS_PACKETS;
        if let Some((count, least)) = &mut self.quiet {
            (*count, *least) = (count.saturating_add(1), (*least).min(waited_us));
        }
    }

    /// Less is sent from now on, since the queue grew: `rate` instead of `sent`.
    pub(crate) fn on_cut(&mut self, rate: u64, sent: u64, standing_us: i64, now_us: i64) {
        match self.cuts {
            0 => (self.first, self.sent_before) = ((now_us, rate), sent),
            1 => self.second = (now_us, standing_us),
            _ => {}
        }
        self.cuts = self.cuts.saturating_add(1);
        self.swing = (i64::MAX, 0);
    }

    /// Nothing is known for long.
    pub(crate) fn on_silence(&mut self) {
        self.beside = None;
    }

    /// Nothing was sent for longer than most queues: what the next packets wait for is not ours.
    pub(crate) fn on_gap(&mut self) {
        self.quiet = Some((0, i64::MAX));
    }

    /// Whether packets that were sent after a silence all had to wait: the rate to begin with, which is `start`.
    pub(crate) fn on_quiet(&mut self, start: u64, seen: &Seen) -> Option<u64> {
        let (count, least) = self.quiet?;
        if count < QUIET_PACKETS {
            return None;
        }
        self.quiet = None;
        let is_foreign = least > QUIET_US && seen.now_us >= self.ours_until_us && !self.is_on();
        // What was measured in between was our part of it, and says nothing.
        is_foreign.then(|| self.begin(start, seen))
    }

    /// The queue is long still: the rate to begin with, if that is somebody else's doing.
    pub(crate) fn on_long(&mut self, seen: &Seen) -> Option<u64> {
        let (least, most) = self.swing;
        self.swing = (least.min(seen.standing_us), most.max(seen.standing_us));
        match seen.trend.abs() {
            trend if trend < FLAT => self.flat = self.flat.saturating_add(1),
            trend if trend > STEEP => self.flat = 0,
            _ => {}
        }
        let (first_us, measured) = self.first;
        let is_less = (seen.sent as f64) < measured as f64 * SENT;
        let is_ours = self.is_on() || seen.now_us < self.ours_until_us || !is_less;
        if is_ours || self.cuts < CUTS || seen.now_us - first_us < SINCE_US {
            return None;
        }
        let (second_us, standing_us) = self.second;
        let is_kept =
            seen.now_us - second_us >= KEPT_US && seen.standing_us as f64 >= standing_us as f64 * KEPT;
        (self.flat >= FLAT_MESSAGES || is_kept).then(|| self.begin(self.part_of(measured), seen))
    }

    /// The queue did not follow for as long as any of our own would take: as [`Self::on_long`]; none if it did not even
    /// swing, as that of a path which became longer.
    pub(crate) fn on_stuck(&mut self, seen: &Seen) -> Option<u64> {
        let (_, measured) = self.first;
        let (least, most) = self.swing;
        let is_less = (seen.sent as f64) < measured as f64 * SENT;
        let is_long = seen.standing_us > STUCK_US && most - least > SWING_US;
        let is_foreign = is_long && is_less && seen.now_us >= self.ours_until_us;
        (is_foreign && !self.is_on()).then(|| self.begin(self.part_of(measured), seen))
    }

    /// What to begin with: half of what the first cut measured, or of what was sent before it. A transfer that has just
    /// begun leaves less of the link than is fair.
    fn part_of(&self, measured: u64) -> u64 {
        measured.max(self.sent_before) / 2
    }

    fn begin(&mut self, rate: u64, seen: &Seen) -> u64 {
        let most = self.first.1.max(rate);
        (self.flat, self.lately) = (0, 0.0);
        self.beside = Some(Beside {
            window: Window::new(most as f64, rate as f64, seen.round_trip_us, seen.now_us),
            mean: RateMean::new(rate as f64, seen.now_us),
            short_since_us: None,
            growing: 0,
            lossy_since_us: None,
            output: Output::new(seen.now_us),
        });
        rate
    }

    /// The queue followed our rate.
    pub(crate) fn on_drained(&mut self) {
        (self.cuts, self.flat) = (0, 0);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.beside.is_some()
    }

    /// The rate to have beside it: the mean of what TCP would have.
    pub(crate) fn follow(&mut self, rate: u64, seen: &Seen) -> u64 {
        let Some(beside) = &mut self.beside else { return rate };
        let now_us = seen.now_us;
        let lossy_since = *beside.lossy_since_us.get_or_insert(now_us);
        if self.lately < OURS {
            beside.lossy_since_us = None;
        }
        let is_lossy = self.lately >= OURS && now_us - lossy_since > OURS_AFTER_US;
        beside.growing = if seen.trend > OURS_TREND { beside.growing.saturating_add(1) } else { 0 };
        let is_alone = beside.output.is_alone(beside.mean.get(), seen);
        if is_lossy || is_alone || beside.growing > OURS_MESSAGES {
            let until = if is_lossy || is_alone { now_us + OURS_US } else { now_us };
            *self = Self { ours_until_us: until, ..Self::default() };
            return if is_lossy { rate / 2 } else { rate };
        }
        let since = *beside.short_since_us.get_or_insert(now_us);
        if !seen.is_short {
            beside.short_since_us = None;
        } else if now_us - since > GONE_US {
            *self = Self { lately: self.lately, ..Self::default() };
            return rate;
        }
        let fair = beside.window.rate(seen.sending, seen.round_trip_us, now_us);
        beside.mean.follow(fair, MEAN_US, now_us)
    }
}

#[cfg(test)]
mod tests;
