//! The reaction to ECN marks of a scalable control (RFC 9330, RFC 9331): DCTCP's (RFC 8257), with the additive increase of
//! one packet a round trip, kept as a rate.
//!
//! A queue for such flows marks packets from a millisecond on, instead of dropping them from tens of milliseconds on, and
//! marks more the more it is congested, by flows in the classic queue beside it as well (RFC 9332). So one mark says
//! little, and the part that is marked says how much to leave: the rate is reduced by half of its moving average, once a
//! round trip. In equilibrium that is two marks a round trip, whatever the rate.

use super::competition::Seen;
use super::rate_mean::RateMean;
use super::window::{PACKET, UNUSED};

/// Gain of the moving average of the marked part (RFC 8257 section 3.3).
const GAIN: f64 = 1.0 / 16.0;
/// A shorter round trip counts as this one, in microseconds: a flow near its server has no more than others.
const ROUND_TRIP_MIN_US: i64 = 25_000;
/// Without a mark for so long, nothing on the path is congested.
const QUIET_US: i64 = 2_000_000;
/// What layers get follows the mean of the rate over about so long.
const MEAN_US: i64 = 1_000_000;

/// The rate that marks leave, in bits a second.
#[derive(Clone, Copy, Debug)]
struct Marked {
    rate: f64,
    mean: RateMean,
    /// When a round of packets last had marks.
    marked_us: i64,
}

/// Times are of the history's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    /// Moving average of the part of packets that is marked.
    alpha: f64,
    /// Packets of this round that came as ECT(1) or marked, and those marked.
    arrived: u32,
    marked: u32,
    /// It ends with the first packet that was sent later.
    round_us: i64,
    on: Option<Marked>,
}

impl Marks {
    /// A packet arrived that went out as ECT(1).
    pub(crate) fn on_arrival(&mut self, is_marked: bool) {
        self.arrived += 1;
        self.marked += u32::from(is_marked);
    }

    /// Marks came within the last 2 s.
    pub(crate) fn is_on(&self) -> bool {
        self.on.is_some()
    }

    /// Nothing was sent for long.
    pub(crate) fn forget(&mut self) {
        self.on = None;
    }

    /// A message was taken; `newest_sent_us`: of the newest packet that it reports on. Gives the rate to have, while marks
    /// come. `estimate`: the rate until now.
    pub(crate) fn on_message(&mut self, estimate: u64, newest_sent_us: i64, seen: &Seen) -> Option<u64> {
        let round_trip_us = seen.round_trip_us.max(ROUND_TRIP_MIN_US);
        if newest_sent_us > self.round_us && self.arrived > 0 {
            let part = f64::from(self.marked) / f64::from(self.arrived);
            self.alpha += (part - self.alpha) * GAIN;
            self.react(part, estimate, round_trip_us, seen);
            (self.arrived, self.marked, self.round_us) = (0, 0, seen.now_us);
        }
        if self.on.is_some_and(|on| seen.now_us - on.marked_us > QUIET_US) {
            self.on = None;
        }
        let on = self.on.as_mut()?;
        Some(on.mean.follow(on.rate, MEAN_US, seen.now_us))
    }

    /// At the end of a round, of whose packets this part was marked.
    fn react(&mut self, part: f64, estimate: u64, round_trip_us: i64, seen: &Seen) {
        let used = seen.sent as f64 * UNUSED;
        if self.on.is_none() && part > 0.0 {
            let rate = (estimate as f64).min(used);
            let mean = RateMean::new(rate, seen.now_us);
            self.on = Some(Marked { rate, mean, marked_us: seen.now_us });
        }
        let Some(on) = &mut self.on else { return };
        // The window grows by a packet in a round trip.
        let packet = PACKET * 1_000_000.0 / round_trip_us as f64;
        let grown = on.rate + (1.0 - part) * packet;
        on.rate = grown.min(used.max(on.rate));
        if part > 0.0 {
            on.marked_us = seen.now_us;
            on.rate = (on.rate * (1.0 - self.alpha / 2.0)).max(packet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP_US: i64 = 50_000;

    fn seen(sent: u64, now_us: i64) -> Seen {
        Seen {
            trend: 0.0,
            is_short: true,
            round_trip_us: ROUND_TRIP_US,
            standing_us: 0,
            sending: sent,
            sent,
            delivered: sent,
            now_us,
        }
    }

    /// The rate after so many round trips of 20 packets, of which `marked` are, when all of it is sent.
    fn rate_after(marks: &mut Marks, rounds: i64, marked: u32, mut rate: u64, from_us: i64) -> u64 {
        for round in 0..rounds {
            let now_us = from_us + round * ROUND_TRIP_US;
            (0..20).for_each(|number| marks.on_arrival(number < marked));
            rate = marks.on_message(rate, now_us, &seen(rate, now_us)).unwrap_or(rate);
        }
        rate
    }

    #[test]
    fn without_marks_nothing_is_told() {
        let mut marks = Marks::default();
        assert_eq!(rate_after(&mut marks, 100, 0, 1_000_000, 1_000), 1_000_000);
        assert!(!marks.is_on());
    }

    #[test]
    fn one_mark_takes_little_and_a_marked_half_of_all_packets_most() {
        let mut marks = Marks::default();
        let rate = rate_after(&mut marks, 1, 1, 1_000_000, 1_000);
        assert!((980_000..=1_250_000).contains(&rate), "{rate}");
        let rate = rate_after(&mut Marks::default(), 100, 10, 4_000_000, 1_000);
        assert!(rate < 1_600_000, "{rate}");
    }

    #[test]
    fn two_marks_a_round_trip_hold_the_rate_where_it_is() {
        // 20 packets of 1,500 bytes in 50 ms are 4.8 Mbit/s.
        let mut marks = Marks::default();
        let rate = rate_after(&mut marks, 400, 2, 4_800_000, 1_000);
        assert!((4_000_000..5_200_000).contains(&rate), "{rate}");
        let less = rate_after(&mut marks, 200, 4, rate, 30_000_000);
        assert!(less < rate * 3 / 4, "{less} of {rate}");
    }

    #[test]
    fn two_seconds_without_a_mark_end_it() {
        let mut marks = Marks::default();
        let rate = rate_after(&mut marks, 10, 5, 1_000_000, 1_000);
        assert!(marks.is_on());
        rate_after(&mut marks, 60, 0, rate, 1_000_000);
        assert!(!marks.is_on());
    }

    #[test]
    fn a_rate_that_is_not_used_does_not_grow_beyond_two_and_a_half_times_what_is_sent() {
        let mut marks = Marks::default();
        let mut rate = rate_after(&mut marks, 2, 1, 500_000, 1_000);
        for round in 2..400 {
            let now_us = 1_000 + round * ROUND_TRIP_US;
            (0..20).for_each(|number| marks.on_arrival(round % 30 == 0 && number == 0));
            rate = marks.on_message(rate, now_us, &seen(500_000, now_us)).unwrap_or(rate);
        }
        assert!((1_000_000..=1_250_000).contains(&rate), "{rate}");
    }
}
