//! The loss of speech that its publisher is told of: its receivers' as well as its own uplink's.
//!
//! An Opus encoder adds in-band FEC for the loss that receiver reports tell it of (RFC 6716 section 2.1.7), and a
//! publisher's own uplink to the node mostly loses nothing. So what receivers lose goes into `fraction lost` of the
//! microphone's report block. Its cumulative number stays that of the uplink: from the latter congestion control,
//! statistics and the server's account of a call are made.
//!
//! A receiver's word is bounded in three ways. It counts up to one and a half times what its transport-cc feedback says was
//! lost, and to claim a loss there costs a receiver its own video. Of three receivers and more the second worst counts. And
//! no more than [`TOLD_MAX`] is told.
//!
//! The half is for chance: a report is about 50 packets of speech and the feedback about others, so that the smaller of the
//! two is 10.4 % in the mean where 13 % are lost, and with the half 11.5 %.

use super::sent_history::Fate;
use std::time::{Duration, Instant};

/// Most of `fraction lost` that receivers can lead to, in 256ths: 15 %.
pub(crate) const TOLD_MAX: u8 = 38;
/// A transport's loss is measured over this time and this many packets, at least.
const WINDOW: Duration = Duration::from_secs(2);
const PACKETS_MIN: u32 = 20;
/// A measured loss counts for this long.
const STALE_AFTER: Duration = Duration::from_secs(5);

/// What part of the packets with transport-wide numbers one receiver lost lately, by its feedback.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TransportLoss {
    from: Option<Instant>,
    arrived: u32,
    lost: u32,
    /// Of the last whole window, in 256ths, and when that ended.
    measured: Option<(u8, Instant)>,
}

impl TransportLoss {
    /// Takes in what became of one sent packet.
    #[inline]
    pub(crate) fn on_fate(&mut self, fate: &Fate) {
        match fate {
            Fate::Arrived(_) => self.arrived = self.arrived.saturating_add(1),
            Fate::Lost(_) => self.lost = self.lost.saturating_add(1),
            Fate::Recovered(_) => {
                self.lost = self.lost.saturating_sub(1);
                self.arrived = self.arrived.saturating_add(1);
            }
        }
    }

    /// A message of feedback was taken.
    pub(crate) fn on_message(&mut self, now: Instant) {
        let from = *self.from.get_or_insert(now);
        let all = self.arrived.saturating_add(self.lost);
        if now.saturating_duration_since(from) >= WINDOW && all >= PACKETS_MIN {
            self.measured = Some((fraction(self.lost, all), now));
            (self.from, self.arrived, self.lost) = (Some(now), 0, 0);
        }
    }

    /// In 256ths; 0 while nothing is known.
    pub(crate) fn fraction_lost(&self, now: Instant) -> u8 {
        let fresh = self.measured.filter(|(_, at)| now.saturating_duration_since(*at) < STALE_AFTER);
        fresh.map_or(0, |(lost, _)| lost)
    }
}

/// A part of `all`, in 256ths.
pub(crate) fn fraction(part: u32, all: u32) -> u8 {
    let fraction = (u64::from(part) * 256).checked_div(u64::from(all)).unwrap_or(0);
    u8::try_from(fraction).unwrap_or(u8::MAX)
}

/// The `fraction lost` that a publisher is told: the uplink's, or what its receivers lost if that is more.
/// `claimed`: of each receiver what its last report says, and what its transport-cc feedback says, in 256ths.
pub(crate) fn told(uplink: u8, claimed: impl Iterator<Item = (u8, u8)>) -> u8 {
    let (mut worst, mut second, mut receivers) = (0, 0, 0u32);
    for (reported, confirmed) in claimed {
        receivers += 1;
        let lost = reported.min(confirmed.saturating_add(confirmed / 2));
        if lost > worst {
            (worst, second) = (lost, worst);
        } else {
            second = second.max(lost);
        }
    }
    let lost = if receivers > 2 { second } else { worst };
    uplink.max(lost.min(TOLD_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::sent_history::{Arrival, Departure, Purpose};
    use crate::packet::ecn::Ecn;

    #[test]
    fn of_up_to_two_receivers_the_worst_counts_and_above_that_the_second_worst() {
        let of = |lost: &[u8]| told(0, lost.iter().map(|lost| (*lost, *lost)));
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[12]), 12);
        assert_eq!(of(&[3, 12]), 12);
        assert_eq!(of(&[12, 3, 7]), 7);
        assert_eq!(of(&[3, 12, 12]), 12);
        assert_eq!(of(&[0, 0, 30, 0]), 0);
    }

    #[test]
    fn a_receiver_counts_up_to_one_and_a_half_times_what_its_transport_cc_feedback_says() {
        assert_eq!(told(0, [(255, 0)].into_iter()), 0);
        assert_eq!(told(0, [(255, 9)].into_iter()), 13);
        assert_eq!(told(0, [(10, 9)].into_iter()), 10);
        assert_eq!(told(0, [(4, 30)].into_iter()), 4);
    }

    #[test]
    fn no_more_than_fifteen_percent_is_told_but_of_the_uplink_all() {
        assert_eq!(told(0, [(255, 255)].into_iter()), TOLD_MAX);
        assert_eq!(told(100, [(255, 255)].into_iter()), 100);
        assert!(f64::from(TOLD_MAX) / 256.0 <= 0.15);
    }

    #[test]
    fn a_transports_loss_is_that_of_the_last_two_seconds_with_feedback() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let departure = Departure { number: 0, sent_us: 0, len: 100, purpose: Purpose::Media };
        let arrived = Fate::Arrived(Arrival { departure, arrived_us: 0, ecn: Ecn::NotEct });
        let mut loss = TransportLoss::default();
        let mut message = |fates: &[(u32, Fate)], millis| {
            fates.iter().for_each(|(count, fate)| (0..*count).for_each(|_| loss.on_fate(fate)));
            loss.on_message(at(millis));
            loss.fraction_lost(at(millis))
        };
        let (lost, recovered) = (Fate::Lost(departure), Fate::Recovered(departure));
        assert_eq!(message(&[(1, arrived)], 0), 0);
        assert_eq!(message(&[(90, arrived), (10, lost)], 1_000), 0, "too short");
        assert_eq!(message(&[(90, arrived), (11, lost), (1, recovered)], 2_000), fraction(20, 202));
        assert_eq!(message(&[(100, arrived)], 4_000), 0, "of the window before");
        assert_eq!(message(&[(10, lost), (5, arrived)], 6_000), 0, "too few");
        assert_eq!(message(&[(10, lost), (5, arrived)], 6_100), fraction(20, 30));
        assert_eq!(loss.fraction_lost(at(11_100)), 0, "too old");
    }
}
