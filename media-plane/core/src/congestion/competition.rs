//! Somebody else's transfer in the same queue, one that loss alone slows down: delay says nothing of our own rate then.

/// A queue that is no shorter after so many cuts, and so long after the first, does not follow us.
const CUTS: u8 = 2;
const SINCE_US: i64 = 2_500_000;
/// Of a link that falls, the queue grows or drains; of one that somebody else fills, it stays: its trend is within
/// this in so many messages, and a trend of more begins the count anew.
const FLAT: f64 = 0.08;
const STEEP: f64 = 0.3;
const FLAT_MESSAGES: u16 = 20;
/// Loss of so much, in the mean of so many packets, is our own doing; then it is taken for nobody else's for so long.
const OURS: f64 = 0.08;
const OURS_PACKETS: f64 = 100.0;
const OURS_US: i64 = 15_000_000;
/// The queue is short for so long: the other one is gone.
const GONE_US: i64 = 2_000_000;
/// Growth of the rate without loss, in percent a second.
const GROWTH_PERCENT: u64 = 20;
/// Loss is the mean of about so many packets.
const PACKETS: f64 = 400.0;
/// Bits of a packet.
const PACKET: f64 = 9_600.0;
/// Assumed round trip, in seconds, at least.
const ROUND_TRIP_MIN: f64 = 0.05;

/// Whether there is one, and what is ours beside it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Competition {
    cuts: u8,
    /// When the first cut was, and to which rate.
    first: (i64, u64),
    /// Messages of a queue that stayed.
    flat: u16,
    /// Part of the packets that are lost, of late, and until when that is our doing.
    lately: f64,
    ours_until_us: i64,
    /// Since when it is taken for one, and when the rate was followed last.
    followed_us: Option<i64>,
    short_since_us: Option<i64>,
    /// Loss events a packet: those of one round trip are one.
    loss: f64,
    /// When the last one was, by time of sending, and the round trip.
    lost_us: i64,
    round_trip_us: i64,
}

impl Competition {
    pub(crate) fn on_packet(&mut self, is_lost: bool, sent_us: i64) {
        self.lately += (f64::from(u8::from(is_lost)) - self.lately) / OURS_PACKETS;
        let is_event = is_lost && sent_us - self.lost_us > self.round_trip_us;
        if is_event {
            self.lost_us = sent_us;
        }
        self.loss += (f64::from(u8::from(is_event)) - self.loss) / PACKETS;
    }

    /// Less is sent from now on, since the queue grew: `rate`.
    pub(crate) fn on_cut(&mut self, rate: u64, now_us: i64) {
        if self.cuts == 0 {
            self.first = (now_us, rate);
        }
        self.cuts = self.cuts.saturating_add(1);
    }

    /// The queue is long still, and has this trend: the rate to begin with, if that is somebody else's doing.
    pub(crate) fn on_long(&mut self, trend: f64, now_us: i64) -> Option<u64> {
        let (first_us, rate) = self.first;
        match trend.abs() {
            trend if trend < FLAT => self.flat = self.flat.saturating_add(1),
            trend if trend > STEEP => self.flat = 0,
            _ => {}
        }
        let is_flat = self.flat >= FLAT_MESSAGES && now_us >= self.ours_until_us;
        if self.is_on() || self.cuts < CUTS || now_us - first_us < SINCE_US || !is_flat {
            return None;
        }
        self.flat = 0;
        (self.followed_us, self.short_since_us, self.cuts) = (Some(now_us), None, 0);
        Some(rate / 2)
    }

    /// The queue followed our rate.
    pub(crate) fn on_drained(&mut self) {
        (self.cuts, self.flat) = (0, 0);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.followed_us.is_some()
    }

    /// The rate to have beside it: what TCP has at this loss and round trip, approached from below: as Reno (RFC 5348
    /// section 3.1, without the term of time-outs) or as CUBIC (RFC 9438 section 5.1), whichever is more. `is_short`:
    /// hardly anything is in the queue.
    pub(crate) fn follow(&mut self, rate: u64, round_trip_us: i64, is_short: bool, now_us: i64) -> u64 {
        self.round_trip_us = round_trip_us;
        let Some(before) = self.followed_us else { return rate };
        self.followed_us = Some(now_us);
        if self.lately > OURS {
            *self = Self { ours_until_us: now_us + OURS_US, lost_us: self.lost_us, ..Self::default() };
            return rate / 2;
        }
        let since = *self.short_since_us.get_or_insert(now_us);
        if !is_short {
            self.short_since_us = None;
        } else if now_us - since > GONE_US {
            *self = Self { loss: self.loss, lost_us: self.lost_us, lately: self.lately, ..Self::default() };
            return rate;
        }
        let elapsed = u64::try_from(now_us - before).unwrap_or(0).min(200_000);
        let grown = rate + rate * GROWTH_PERCENT * elapsed / 100_000_000;
        #[allow(clippy::cast_precision_loss, reason = "less than 2^52")]
        let round_trip = (round_trip_us as f64 / 1e6).max(ROUND_TRIP_MIN);
        let loss = self.loss.max(1e-6);
        let reno = 1.0 / (2.0 * loss / 3.0).sqrt();
        let cubic = 1.054 * (round_trip / loss).powf(0.75);
        let fair = PACKET * reno.max(cubic) / round_trip;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
        let fair = fair as u64;
        grown.min(fair.max(rate / 100 * 98))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn on() -> Competition {
        let mut competition = Competition::default();
        (0..3).for_each(|at| competition.on_cut(600_000 - 100_000 * at, at.cast_signed() * SECOND));
        assert_eq!((0..30).find_map(|_| competition.on_long(0.02, 2 * SECOND)), None, "too early");
        assert_eq!(competition.on_long(0.02, 3 * SECOND), Some(300_000));
        assert!(competition.is_on());
        competition
    }

    #[test]
    fn a_queue_that_follows_is_no_competition() {
        let mut competition = Competition::default();
        for at in 0..20 {
            competition.on_cut(500_000, at * SECOND);
            assert_eq!((0..20).find_map(|_| competition.on_long(0.0, at * SECOND)), None);
            competition.on_drained();
        }
    }

    #[test]
    fn the_rate_is_what_tcp_has_at_that_loss() {
        let mut competition = on();
        let (mut rate, mut now) = (200_000, 3 * SECOND);
        for at in 0..4_000 {
            competition.on_packet(at % 50 == 0, now);
            now += 50_000;
            rate = competition.follow(rate, 100_000, false, now);
        }
        // 9,600 / (0.1 * sqrt(2 * 0.02 / 3)), which is more than CUBIC's here.
        assert!((700_000..950_000).contains(&rate), "{rate}");
        assert!(competition.is_on());
    }

    #[test]
    fn a_queue_that_grows_and_drains_is_a_link_that_falls() {
        let mut competition = Competition::default();
        for at in 0..200 {
            competition.on_cut(500_000, at * SECOND / 10);
            let trend = if at % 8 < 4 { 0.5 } else { -0.4 };
            assert_eq!(competition.on_long(trend, at * SECOND / 10), None);
        }
    }

    #[test]
    fn heavy_loss_is_our_own_doing() {
        let mut competition = on();
        (0..100).for_each(|at| competition.on_packet(at % 5 == 0, at));
        assert_eq!(competition.follow(600_000, 100_000, false, 4 * SECOND), 300_000);
        assert!(!competition.is_on());
        (0..3).for_each(|_| competition.on_cut(300_000, 5 * SECOND));
        assert_eq!((0..99).find_map(|_| competition.on_long(0.0, 9 * SECOND)), None);
    }

    #[test]
    fn it_ends_when_the_queue_stays_short() {
        let mut competition = on();
        (0..60).for_each(|at| {
            competition.follow(500_000, 100_000, true, 3 * SECOND + at * 50_000);
        });
        assert!(!competition.is_on());
    }
}
