//! The rate at which packets come out of a queue while there is one.

/// A packet that waited for less than this found no queue.
const WAITS_US: i64 = 8_000;
/// A period is replaced by one that began later, so that a change of the link's rate is seen.
const PERIOD_US: i64 = 400_000;
/// What a measurement takes at least.
const SPAN_MIN_US: i64 = 80_000;
const BYTES_MIN: u64 = 3_000;

/// From the arrival of a packet, whose bytes do not count, on.
#[derive(Clone, Copy, Debug)]
struct Period {
    from_us: i64,
    bytes: u64,
}

/// The present busy period of a link.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ServiceRate {
    period: Option<Period>,
    /// Begun later, to take its place.
    next: Option<Period>,
    newest_us: i64,
}

impl ServiceRate {
    /// A packet of so many bytes arrived that waited so long.
    pub(crate) fn on_packet(&mut self, arrived_us: i64, waited_us: i64, bytes: u64) {
        if waited_us < WAITS_US {
            *self = Self { period: None, next: None, newest_us: arrived_us };
            return;
        }
        self.newest_us = self.newest_us.max(arrived_us);
        let begun = Period { from_us: arrived_us, bytes: 0 };
        let Some(period) = &mut self.period else {
            (self.period, self.newest_us) = (Some(begun), arrived_us);
            return;
        };
        period.bytes += bytes;
        let age = arrived_us - period.from_us;
        match &mut self.next {
            Some(next) => next.bytes += bytes,
            None if age >= PERIOD_US / 2 => self.next = Some(begun),
            None => {}
        }
        if age >= PERIOD_US
            && let Some(next) = self.next.take()
        {
            self.period = Some(next);
        }
    }

    /// Counts the bytes of a packet that the path held back: it left the queue within the present busy period, if there is one.
    pub(crate) fn on_held(&mut self, bytes: u64) {
        for period in [&mut self.period, &mut self.next].into_iter().flatten() {
            period.bytes += bytes;
        }
    }

    /// Bits a second, and over how many microseconds; none while there is no queue, or not for long enough.
    pub(crate) fn rate(&self) -> Option<(u64, i64)> {
        let period = self.period?;
        let span = self.newest_us - period.from_us;
        if span < SPAN_MIN_US || period.bytes < BYTES_MIN {
            return None;
        }
        Some((period.bytes * 8_000_000 / u64::try_from(span).ok()?, span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_links_rate_while_packets_wait() {
        let mut rate = ServiceRate::default();
        (0..50).for_each(|at| rate.on_packet(at * 8_000, 9_000, 1_000));
        let (bits, span) = rate.rate().unwrap();
        assert_eq!(bits, 1_000_000);
        assert!((200_000..=400_000).contains(&span), "{span}");
        rate.on_packet(400_000, 100, 1_000);
        assert_eq!(rate.rate(), None, "the queue is empty");
    }

    #[test]
    fn a_link_that_became_slower_is_seen_within_the_period() {
        let mut rate = ServiceRate::default();
        (0..100).for_each(|at| rate.on_packet(at * 2_000, 9_000, 1_000));
        (1..60).for_each(|at| rate.on_packet(198_000 + at * 16_000, 50_000, 1_000));
        assert_eq!(rate.rate().unwrap().0, 500_000);
    }

    #[test]
    fn two_packets_are_no_measurement() {
        let mut rate = ServiceRate::default();
        rate.on_packet(0, 9_000, 1_200);
        rate.on_packet(90_000, 50_000, 1_200);
        assert_eq!(rate.rate(), None);
    }
}
