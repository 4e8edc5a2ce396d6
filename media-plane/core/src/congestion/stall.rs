//! Packets that something on the way held back and then let go at once, as a Wi-Fi station does that looked at other channels:
//! their delay is of the stall and not of a queue, and the rate at which they came is not the link's.

/// Nothing arrived for so long, and what came then had waited for so large a part of it: a stall. A packet that was sent after
/// a pause waited for nothing.
const STALL_US: i64 = 100_000;
const WAITED_PART: i64 = 2;
/// What was held comes within this part of the stall after its end, within so long at most, and no packet later than so
/// long after the one before: what comes more slowly comes out of a queue.
const BURST_PART: i64 = 8;
const BURST_MAX_US: i64 = 50_000;
const BURST_APART_US: i64 = 3_000;
/// A stall that begins so soon after the last one is a link whose packets take that long.
const APART_US: i64 = 250_000;
/// After its end the queue is known once packets came for so long that were not held.
const KNOWN_AFTER_US: i64 = 150_000;

/// Times are of the receiver's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StallWatch {
    newest_us: Option<i64>,
    /// When the last stall ended, and until when what it held back comes.
    ended_us: Option<i64>,
    burst_until_us: i64,
    is_held: bool,
}

impl StallWatch {
    /// Whether a packet was held back that arrived then and waited so long.
    pub(crate) fn on_packet(&mut self, arrived_us: i64, waited_us: i64) -> bool {
        let newest = *self.newest_us.get_or_insert(arrived_us);
        let gap = arrived_us - newest;
        let is_apart = self.ended_us.is_none_or(|at| newest - at >= APART_US);
        if gap >= STALL_US && waited_us >= gap / WAITED_PART && is_apart {
            self.ended_us = Some(arrived_us);
            self.burst_until_us = arrived_us + (gap / BURST_PART).min(BURST_MAX_US);
            self.is_held = true;
        } else {
            self.is_held &= gap <= BURST_APART_US && arrived_us < self.burst_until_us;
        }
        self.newest_us = Some(newest.max(arrived_us));
        self.is_held
    }

    /// So little arrived since the last stall that nothing is known of the queue.
    pub(crate) fn is_recent(&self) -> bool {
        self.ended_us.zip(self.newest_us).is_some_and(|(ended, newest)| newest - ended < KNOWN_AFTER_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of packets each 20 ms was held, which arrive when told, in milliseconds.
    fn held(arrivals: impl Iterator<Item = i64>) -> Vec<bool> {
        let mut watch = StallWatch::default();
        let packets = (0..).zip(arrivals);
        packets.map(|(place, at)| watch.on_packet(at * 1_000, (at - place * 20) * 1_000)).collect()
    }

    fn count(held: &[bool]) -> usize {
        held.iter().filter(|it| **it).count()
    }

    #[test]
    fn what_comes_at_once_after_a_stall_was_held_and_nothing_after_it() {
        let all = held((0..100).map(|place| if (40..50).contains(&place) { 1_000 } else { place * 20 }));
        assert_eq!(all.iter().position(|it| *it), Some(40));
        // And the one that would have come then anyway.
        assert_eq!(count(&all), 11);
    }

    #[test]
    fn a_pause_of_the_sender_is_no_stall() {
        let mut watch = StallWatch::default();
        assert!(!watch.on_packet(0, 0));
        assert!(!watch.on_packet(500_000, 3_000));
    }

    #[test]
    fn a_link_on_which_a_packet_takes_as_long_is_seen_as_it_is() {
        let all = held((0..100).map(|place| place * 150));
        assert!(count(&all) <= 50, "{}", count(&all));
    }

    #[test]
    fn a_queue_that_grows_is_none() {
        assert_eq!(count(&held((0..100).map(|place| place * 60))), 0);
    }
}
