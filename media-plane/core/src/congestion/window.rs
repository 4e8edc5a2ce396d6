//! What a TCP flow would have beside another: CUBIC's window (RFC 9438), kept without sending by it.
//!
//! The same function of time since the last loss event as the competitor's, instead of an equation of the loss rate
//! (RFC 5348): a call beside a bulk transfer gets ten packets a second or fifty, of which one loss event in hundreds
//! takes a minute to be a rate.

/// Constants C and beta of RFC 9438.
const GROWTH: f64 = 0.4;
const DECREASE: f64 = 0.7;
/// Bits of a packet.
pub(super) const PACKET: f64 = 12_000.0;
/// Assumed round trip, in seconds, at least.
const ROUND_TRIP_MIN: f64 = 0.03;
/// Packets at least (RFC 9438 section 4.6).
const PACKETS_MIN: f64 = 2.0;
/// Our rate in times of the window's. TCP sends a packet when an older one is acknowledged, so it finds the place in the queue
/// that the older one left. Packets without this clock find the queue full more often: at TCP's rate they get half of its share.
const UNCLOCKED: f64 = 2.0;
/// A window that is not used does not grow (RFC 7661): at most so many times what is sent.
pub(super) const UNUSED: f64 = 2.5;

/// In packets and seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    size: f64,
    /// When the last reduction was, and the sizes before and after it.
    reduced_us: i64,
    before: f64,
    after: f64,
    /// A loss that no reduction answered yet.
    is_lost: bool,
}

impl Window {
    /// As after a reduction from a rate of `before` to `rate` bits a second.
    pub(crate) fn new(before: f64, rate: f64, round_trip_us: i64, now_us: i64) -> Self {
        let packets = |rate: f64| packets(rate, seconds(round_trip_us));
        let (before, after) = (packets(before), packets(rate).max(PACKETS_MIN));
        Self { size: after, reduced_us: now_us, before: before.max(after), after, is_lost: false }
    }

    /// A packet that was sent then is lost. What was sent before the last reduction is lost to the same event, which
    /// that answered.
    pub(crate) fn on_loss(&mut self, sent_us: i64) {
        self.is_lost |= sent_us > self.reduced_us;
    }

    /// Bits a second that it lets go. `sending`: what is sent of that.
    pub(crate) fn rate(&mut self, sending: u64, round_trip_us: i64, now_us: i64) -> f64 {
        let round_trip = seconds(round_trip_us);
        if std::mem::take(&mut self.is_lost) {
            // Fast convergence (section 4.7): who had less than before leaves more.
            let gives_way = if self.size < self.before { (1.0 + DECREASE) / 2.0 } else { 1.0 };
            self.before = (self.size * gives_way).max(PACKETS_MIN);
            self.size = (self.size * DECREASE).max(PACKETS_MIN);
            (self.after, self.reduced_us) = (self.size, now_us);
        } else {
            let since = (now_us - self.reduced_us).max(0) as f64 / 1_000_000.0;
            let inflection = ((self.before - self.after).max(0.0) / GROWTH).cbrt();
            let cubic = GROWTH * (since - inflection).powi(3) + self.before;
            let reno = self.after + 3.0 * (1.0 - DECREASE) / (1.0 + DECREASE) * since / round_trip;
            let used = packets(sending as f64 * UNUSED, round_trip).max(PACKETS_MIN);
            self.size = cubic.max(reno).min(used.max(self.size)).max(self.size);
        }
        self.size * PACKET / round_trip * UNCLOCKED
    }
}

/// The window of a rate in bits a second.
fn packets(rate: f64, round_trip: f64) -> f64 {
    rate / UNCLOCKED * round_trip / PACKET
}

fn seconds(micros: i64) -> f64 {
    (micros as f64 / 1_000_000.0).max(ROUND_TRIP_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE_US: i64 = 50_000;

    /// Its mean rate over a minute of loss events so far apart, sending all that it lets go.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
    fn mean(apart_us: i64, round_trip_us: i64) -> f64 {
        let mut window = Window::new(500_000.0, 500_000.0, round_trip_us, 0);
        let (mut sum, mut rate) = (0.0, 500_000u64);
        for at in 1..1_200 {
            let now_us = at * MESSAGE_US;
            if now_us % apart_us == 0 {
                window.on_loss(now_us);
            }
            let allowed = window.rate(rate, round_trip_us, now_us);
            (sum, rate) = (sum + allowed, allowed as u64);
        }
        sum / 1_199.0
    }

    #[test]
    fn the_rate_is_twice_cubics_of_rfc_9438_at_that_loss() {
        for (apart_us, round_trip_us) in [(5_000_000, 1_000_000), (3_000_000, 300_000)] {
            let mean = mean(apart_us, round_trip_us);
            // Section 5.1, with one loss event in all packets between two of them.
            let (apart, round_trip) = (apart_us as f64 / 1e6, round_trip_us as f64 / 1e6);
            let of_loss = |rate: f64| {
                let loss = PACKET / (rate / 2.0 * apart);
                let window = (GROWTH * (3.0 + DECREASE) / (4.0 * (1.0 - DECREASE))).powf(0.25);
                window * (round_trip / loss).powf(0.75) * PACKET / round_trip * 2.0
            };
            assert!((0.6..1.6).contains(&(of_loss(mean) / mean)), "{mean} {}", of_loss(mean));
        }
    }

    #[test]
    fn losses_of_one_round_trip_are_one_event() {
        let mut window = Window::new(1e6, 1e6, 200_000, 0);
        (1..=10).for_each(|at| window.on_loss(10_000 * at));
        let once = window.rate(1_000_000, 200_000, 300_000);
        assert!((690_000.0..710_000.0).contains(&once), "{once}");
        (1..=9).for_each(|at| window.on_loss(110_000 + 10_000 * at));
        assert!(window.rate(1_000_000, 200_000, 310_000) >= once);
        window.on_loss(301_000);
        assert!(window.rate(1_000_000, 200_000, 500_000) < once * 0.75);
    }

    #[test]
    fn what_is_not_used_does_not_grow() {
        let mut window = Window::new(400_000.0, 400_000.0, 200_000, 0);
        let rate = (1..2_000).map(|at| window.rate(300_000, 200_000, at * MESSAGE_US)).last().unwrap();
        assert!((749_000.0..751_000.0).contains(&rate), "{rate}");
    }
}
