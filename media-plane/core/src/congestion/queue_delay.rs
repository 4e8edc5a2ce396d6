//! How long packets wait in the queue of a link, and whether that grows.

/// One minimum is kept for each so many microseconds of arrival.
const BIN_US: i64 = 50_000;
const BINS: usize = 16;
/// The standing queue is the least delay of so many bins.
const STANDING_BINS: i64 = 3;
const LATEST_BINS: i64 = 2;
/// The trend is that of so many.
const TREND_BINS: i64 = 12;
/// The base is the least of so many slots of so many microseconds: 30 s, after which a longer path is the
/// path.
const BASE_SLOT_US: i64 = 5_000_000;
const BASE_SLOTS: usize = 6;
/// Bounds of the threshold, and how fast it follows a delay above and below it, in parts a second.
const THRESHOLD_MIN_US: i64 = 30_000;
const THRESHOLD_MAX_US: i64 = 300_000;
const FOLLOW_UP: f64 = 0.2;
const FOLLOW_DOWN: f64 = 1.0;
/// Growth by less than this in 300 ms is none.
const GROWTH_MIN: f64 = 4_000.0 / 300_000.0;

#[derive(Clone, Copy, Debug)]
struct Bin {
    number: i64,
    least: i64,
}

/// Delays are in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct QueueDelay {
    base: [Option<(i64, i64)>; BASE_SLOTS],
    bins: [Option<Bin>; BINS],
    newest_us: i64,
    newest_bin: i64,
    threshold: f64,
    adapted_us: Option<i64>,
}

impl Default for QueueDelay {
    #[allow(clippy::cast_precision_loss, reason = "small")]
    fn default() -> Self {
        Self {
            base: [None; BASE_SLOTS],
            bins: [None; BINS],
            // A receiver's clock may be below zero.
            newest_us: i64::MIN,
            newest_bin: i64::MIN,
            threshold: THRESHOLD_MIN_US as f64,
            adapted_us: None,
        }
    }
}

impl QueueDelay {
    /// A packet's one-way delay beyond the least one, in microseconds. The offset between the two clocks cancels out.
    pub(crate) fn waited(&mut self, sent_us: i64, arrived_us: i64) -> i64 {
        let delay = arrived_us - sent_us;
        let slot = arrived_us.div_euclid(BASE_SLOT_US);
        if let Some(entry) = self.base.get_mut(place(slot, BASE_SLOTS)) {
            match entry {
                Some((number, least)) if *number == slot => *least = delay.min(*least),
                _ => *entry = Some((slot, delay)),
            }
        }
        self.newest_us = self.newest_us.max(arrived_us);
        delay - self.base()
    }

    /// The queue was as long as this packet waited.
    pub(crate) fn on_packet(&mut self, sent_us: i64, arrived_us: i64) {
        let delay = arrived_us - sent_us;
        let number = arrived_us.div_euclid(BIN_US);
        if let Some(bin) = self.bins.get_mut(place(number, BINS)) {
            match bin {
                Some(bin) if bin.number == number => bin.least = bin.least.min(delay),
                _ => *bin = Some(Bin { number, least: delay }),
            }
        }
        self.newest_bin = self.newest_bin.max(number);
    }

    fn base(&self) -> i64 {
        let oldest = self.newest_us.div_euclid(BASE_SLOT_US) - BASE_SLOTS as i64;
        let fresh = self.base.iter().flatten().filter(|(slot, _)| *slot > oldest);
        fresh.map(|(_, least)| *least).min().unwrap_or(0)
    }

    /// The delay that stands now is the path's own: from here on it counts as none.
    pub(crate) fn rebase(&mut self) {
        let least = self.recent(STANDING_BINS).map(|bin| bin.least).min();
        let slot = self.newest_us.div_euclid(BASE_SLOT_US);
        self.base = [None; BASE_SLOTS];
        if let (Some(entry), Some(least)) = (self.base.get_mut(place(slot, BASE_SLOTS)), least) {
            *entry = Some((slot, least));
        }
    }

    /// Nothing is in the queue.
    pub(crate) fn forget_queue(&mut self) {
        self.bins = [None; BINS];
    }

    fn recent(&self, bins: i64) -> impl Iterator<Item = Bin> + '_ {
        let newest = self.newest_bin;
        self.bins.iter().flatten().copied().filter(move |bin| (0..bins).contains(&(newest - bin.number)))
    }

    /// What every packet of the last 150 ms waited at least.
    pub(crate) fn standing(&self) -> i64 {
        self.recent(STANDING_BINS).map(|bin| bin.least).min().map_or(0, |least| least - self.base())
    }

    /// The same of the last 100 ms.
    pub(crate) fn latest(&self) -> i64 {
        self.recent(LATEST_BINS).map(|bin| bin.least).min().map_or(0, |least| least - self.base())
    }

    pub(crate) fn threshold(&self) -> i64 {
        #[allow(clippy::cast_possible_truncation, reason = "between its bounds")]
        let threshold = self.threshold as i64;
        threshold
    }

    /// Microseconds of delay a microsecond, by least squares over the minima of 600 ms.
    #[allow(clippy::cast_precision_loss, reason = "less than 2^52")]
    pub(crate) fn trend(&self) -> f64 {
        let origin = self.newest_bin;
        let base = self.base();
        let points = || {
            self.recent(TREND_BINS)
                .map(move |bin| (((bin.number - origin) * BIN_US) as f64, (bin.least - base) as f64))
        };
        let count = points().count();
        if count < 3 {
            return 0.0;
        }
        let count = count as f64;
        let (mean_x, mean_y) =
            points().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
        let (above, below) = points().fold((0.0, 0.0), |(above, below), (x, y)| {
            (above + (x - mean_x) * (y - mean_y), below + (x - mean_x) * (x - mean_x))
        });
        if below == 0.0 { 0.0 } else { above / below }
    }

    pub(crate) fn grows(&self) -> bool {
        self.trend() > GROWTH_MIN
    }

    /// Once a message: lets the threshold follow what stands.
    #[allow(clippy::cast_precision_loss, reason = "less than 2^52")]
    pub(crate) fn adapt(&mut self) {
        let elapsed = self.adapted_us.map_or(0, |at| self.newest_us.saturating_sub(at)).clamp(0, 200_000);
        self.adapted_us = Some(self.newest_us);
        let standing = self.standing() as f64;
        let follow = if standing > self.threshold { FOLLOW_UP } else { FOLLOW_DOWN };
        self.threshold += (standing - self.threshold) * follow * elapsed as f64 / 1_000_000.0;
        self.threshold = self.threshold.clamp(THRESHOLD_MIN_US as f64, THRESHOLD_MAX_US as f64);
    }
}

fn place(number: i64, len: usize) -> usize {
    usize::try_from(number.rem_euclid(i64::try_from(len).unwrap_or(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet each 10 ms with these delays, in milliseconds.
    fn after(delays: impl Iterator<Item = i64>) -> QueueDelay {
        let mut queue = QueueDelay::default();
        for (at, delay) in (0..).zip(delays) {
            let sent_us = 1_000_000 + at * 10_000;
            let arrived_us = sent_us - 77_000_000 + delay * 1_000;
            queue.waited(sent_us, arrived_us);
            queue.on_packet(sent_us, arrived_us);
        }
        queue
    }

    #[test]
    fn a_queue_that_grows_by_a_twentieth_is_seen_to_grow() {
        let queue = after((0..300).map(|at| 20 + if at < 200 { 0 } else { (at - 200) / 2 }));
        assert!((30_000..50_000).contains(&queue.standing()), "{}", queue.standing());
        assert!(queue.grows() && (0.03..0.07).contains(&queue.trend()), "{}", queue.trend());
    }

    #[test]
    fn jitter_and_one_long_frame_leave_the_standing_queue_short() {
        let queue = after((0..300).map(|at| 20 + (at * 7_919) % 31));
        assert!(queue.standing() < 10_000 && !queue.grows(), "{} {}", queue.standing(), queue.trend());
        let queue = after((0..300).map(|at| 20 + if (280..295).contains(&at) { (at - 280) * 8 } else { 0 }));
        assert_eq!(queue.standing(), 0);
    }

    #[test]
    fn a_longer_path_becomes_the_base() {
        let mut queue = after((0..600).map(|at| if at < 300 { 20 } else { 90 }));
        assert_eq!(queue.standing(), 70_000);
        queue.rebase();
        assert_eq!(queue.standing(), 0);
        let late = after((0..4_000).map(|at| if at < 300 { 20 } else { 90 }));
        assert_eq!(late.standing(), 0, "after half a minute by itself");
    }
}
