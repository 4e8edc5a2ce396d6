//! Clusters of padding that prove a rate before media is sent with it: when, how much, and what came of it.

/// A cluster lasts so long, within which the queue of a link of half its rate grows by half of that; and longer, up
/// to the most, until it has these bytes: of a few packets, one more or less says nothing.
const LENGTH_US: i64 = 120_000;
const LENGTH_MAX_US: i64 = 300_000;
const BYTES_MIN: u64 = 10_000;
/// At most so many times what is known to get through.
const STEP_MAX: u64 = 2;
/// Times what is known that a cluster has at most until one failed or was broken off: the first estimate is far below what
/// most links take.
pub(crate) const FIRST_STEP_MAX: u64 = 3;
/// Once one was measured to come slower than it left, the next ones are of so many percent of that until one comes whole:
/// a queue of a fifth of the cluster's length says the same as one of its whole length, and drops nobody's packets.
const AGAIN_PERCENT: u64 = 120;
/// And at least so many bits a second: of less, a cluster is too few packets to say anything, and who gets no video
/// would never get any again.
const RATE_MIN: u64 = 200_000;
/// After a cluster ends, what was not reported on by then is lost.
const WAIT_US: i64 = 600_000;
/// To the next one: after a success, and at least and at most after a failure.
const SOON_US: i64 = 60_000;
/// A success and the next cluster's begin are at most so far apart.
const CLIMBS_US: i64 = 150_000;
const RETRY_MIN_US: i64 = 2_000_000;
const RETRY_MAX_US: i64 = 3_000_000;
/// To the next one after one that was held back: not in step with stalls that come each second.
const RETRY_HELD_US: i64 = 1_300_000;
/// To the next one after a failure, if it is for headroom alone.
const UNWANTED_US: i64 = 15_000_000;
/// Padding may take so many percent of what is sent in the long run.
const PADDING_PERCENT: u64 = 4;
/// A cluster that took longer to come than to leave by more than this was held up.
const STRETCH_PERCENT: i64 = 6;
const STRETCH_US: i64 = 6_000;

/// What came of a cluster, in bits a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It came as fast as it left.
    Came(u64),
    /// It came slower, at the link's rate.
    Measured(u64),
}

#[derive(Clone, Copy, Debug)]
struct Cluster {
    /// Bits a second with the media beside it.
    rate: u64,
    begun_us: i64,
    /// Bytes sent in it so far, media included, and padding alone.
    bytes: u64,
    padding: u64,
    /// Its transport-wide numbers: the first, and the last once it is complete.
    first: Option<u16>,
    last: u16,
    ended_us: Option<i64>,
    arrived: Option<Arrived>,
    /// Something held packets of it back: it says nothing.
    is_held: bool,
    is_over: bool,
}

/// What of a cluster arrived: the first packet's bytes do not count.
#[derive(Clone, Copy, Debug)]
struct Arrived {
    first_sent_us: i64,
    last_sent_us: i64,
    first_us: i64,
    last_us: i64,
    bytes: u64,
    last_bytes: u64,
    first_bytes: u64,
    packets: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Prober {
    cluster: Option<Cluster>,
    next_us: i64,
    failed_us: Option<i64>,
    came_us: Option<i64>,
    /// Rate at which the last reported cluster arrived, in bits a second, if it was held up.
    measured: Option<u64>,
}

impl Prober {
    /// More may be proved within a moment: a cluster is under way, or the last one came whole.
    pub(crate) fn is_climbing(&self, now_us: i64) -> bool {
        self.cluster.is_some() || self.came_us.is_some_and(|at| now_us - at < CLIMBS_US)
    }

    /// Begins a cluster towards `goal`, if it is time for one. `known`: what gets through at least.
    /// `is_wanted`: there is something to send with what it may prove; else it waits for longer after a failure.
    pub(crate) fn begin(&mut self, goal: u64, known: u64, is_wanted: bool, now_us: i64) -> bool {
        let is_patient = !is_wanted && self.failed_us.is_some_and(|at| now_us - at < UNWANTED_US);
        if self.cluster.is_some() || now_us < self.next_us || is_patient {
            return false;
        }
        let again =
            self.measured.map_or(u64::MAX, |rate| rate.max(known).saturating_mul(AGAIN_PERCENT) / 100);
        let step = if self.failed_us.is_some() { STEP_MAX } else { FIRST_STEP_MAX };
        let rate = goal.min(known.saturating_mul(step)).min(again).max(RATE_MIN);
        self.cluster = Some(Cluster {
            rate,
            begun_us: now_us,
            bytes: 0,
            padding: 0,
            first: None,
            last: 0,
            ended_us: None,
            arrived: None,
            is_held: false,
            is_over: false,
        });
        true
    }

    /// A cluster is being sent.
    pub(crate) fn is_sending(&self) -> bool {
        self.cluster.is_some_and(|cluster| cluster.ended_us.is_none())
    }

    /// Bytes of padding to send now so that the cluster keeps its rate. `media`: bytes of media sent since
    /// this was asked last; `next`: the transport-wide number of the next packet.
    pub(crate) fn due(&mut self, media: u64, next: u16, now_us: i64) -> u64 {
        let Some(cluster) = self.cluster.as_mut().filter(|cluster| cluster.ended_us.is_none()) else {
            return 0;
        };
        if cluster.first.is_none() {
            // Media from before it is none of it.
            cluster.first = Some(next);
        } else {
            cluster.bytes += media;
        }
        let elapsed = now_us - cluster.begun_us;
        if elapsed >= cluster.length_us() {
            cluster.ended_us = Some(now_us);
            cluster.last = next.wrapping_sub(1);
            return 0;
        }
        let until = u64::try_from(elapsed).unwrap_or(0) + 5_000;
        (cluster.rate * until / 8_000_000).saturating_sub(cluster.bytes)
    }

    pub(crate) fn on_padding(&mut self, bytes: u64) {
        if let Some(cluster) = &mut self.cluster {
            cluster.bytes += bytes;
            cluster.padding += bytes;
        }
    }

    pub(crate) fn on_arrival(&mut self, number: u16, sent_us: i64, arrived_us: i64, bytes: u64) {
        let Some(cluster) = &mut self.cluster else { return };
        if !cluster.has(number) {
            return;
        }
        let arrived = cluster.arrived.get_or_insert(Arrived {
            first_sent_us: sent_us,
            last_sent_us: sent_us,
            first_us: arrived_us,
            last_us: arrived_us,
            bytes: 0,
            last_bytes: bytes,
            first_bytes: bytes,
            packets: 0,
        });
        arrived.packets += 1;
        arrived.bytes += bytes;
        arrived.last_bytes = bytes;
        arrived.last_sent_us = arrived.last_sent_us.max(sent_us);
        arrived.last_us = arrived.last_us.max(arrived_us);
        cluster.is_over |= cluster.ended_us.is_some() && number == cluster.last;
    }

    /// A packet with this number arrived that the path had held back: a cluster that it is of says nothing.
    pub(crate) fn on_held(&mut self, number: u16) {
        if let Some(cluster) = &mut self.cluster {
            cluster.is_held |= cluster.has(number);
        }
        self.on_loss(number);
    }

    pub(crate) fn on_loss(&mut self, number: u16) {
        if let Some(cluster) = &mut self.cluster
            && cluster.has(number)
        {
            cluster.is_over |= cluster.ended_us.is_some() && number == cluster.last;
        }
    }

    /// Stops sending, as for a queue that grows; what was sent of it is not looked at.
    pub(crate) fn abort(&mut self, now_us: i64) {
        if let Some(cluster) = self.cluster.take() {
            self.wait(&cluster, 0, now_us);
        }
    }

    /// What came of the cluster, once all of it was reported on.
    pub(crate) fn take_outcome(&mut self, now_us: i64) -> Option<Outcome> {
        let cluster = self.cluster.as_ref()?;
        let is_late = cluster.ended_us.is_some_and(|at| now_us - at > WAIT_US);
        if !cluster.is_over && !is_late {
            return None;
        }
        let cluster = self.cluster.take()?;
        if cluster.is_held {
            self.next_us = now_us + RETRY_HELD_US;
            return None;
        }
        let outcome = cluster.outcome();
        match outcome {
            Some(Outcome::Came(_)) => {
                (self.next_us, self.came_us, self.measured) = (now_us + SOON_US, Some(now_us), None);
            }
            Some(Outcome::Measured(rate)) => {
                self.measured = Some(rate);
                self.wait(&cluster, rate, now_us);
            }
            None => self.wait(&cluster, 0, now_us),
        }
        outcome
    }

    /// Waits for as long as keeps the padding below its part of what is sent.
    fn wait(&mut self, cluster: &Cluster, rate: u64, now_us: i64) {
        let rate = rate.clamp(100_000, cluster.rate.max(100_000));
        let wait = cluster.padding * 8_000_000 * 100 / (rate * PADDING_PERCENT);
        let wait = i64::try_from(wait).unwrap_or(RETRY_MAX_US).clamp(RETRY_MIN_US, RETRY_MAX_US);
        self.next_us = now_us + wait;
        self.failed_us = Some(now_us);
    }
}

impl Cluster {
    fn length_us(&self) -> i64 {
        let length = BYTES_MIN * 8_000_000 / self.rate.max(1);
        i64::try_from(length).unwrap_or(LENGTH_MAX_US).clamp(LENGTH_US, LENGTH_MAX_US)
    }

    fn has(&self, number: u16) -> bool {
        let Some(first) = self.first else { return false };
        let offset = number.wrapping_sub(first);
        match self.ended_us {
            Some(_) => offset <= self.last.wrapping_sub(first),
            None => offset < 1 << 15,
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        let arrived = self.arrived.filter(|arrived| arrived.packets >= 5)?;
        let (left, came) = (arrived.last_sent_us - arrived.first_sent_us, arrived.last_us - arrived.first_us);
        if left < self.length_us() / 3 {
            return None;
        }
        let rate = |bytes: u64, span: i64| Some(bytes * 8_000_000 / u64::try_from(span.max(1)).ok()?);
        if came <= left + left * STRETCH_PERCENT / 100 + STRETCH_US {
            let sent = rate(arrived.bytes.saturating_sub(arrived.last_bytes), left)?;
            return Some(Outcome::Came(sent.min(self.rate)));
        }
        Some(Outcome::Measured(rate(arrived.bytes.saturating_sub(arrived.first_bytes), came)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cluster of packets of 1,000 bytes over a link that takes so much.
    fn probe(prober: &mut Prober, goal: u64, known: u64, takes: i64, from_us: i64) -> (Option<Outcome>, u64) {
        assert!(prober.begin(goal, known, true, from_us));
        let (mut now, mut number, mut free, mut sent) = (from_us, 100u16, from_us, 0);
        let mut arrivals = Vec::new();
        while prober.is_sending() {
            let mut due = prober.due(0, number, now);
            while due > 0 {
                prober.on_padding(1_000);
                sent += 1_000;
                free = free.max(now) + 8_000_000_000 / takes;
                arrivals.push((number, now, free));
                number += 1;
                due = due.saturating_sub(1_000);
            }
            now += 5_000;
        }
        arrivals.iter().for_each(|(number, sent, came)| prober.on_arrival(*number, *sent, *came, 1_000));
        (prober.take_outcome(now), sent)
    }

    #[test]
    fn a_wide_link_proves_the_rate_and_a_narrow_one_tells_its_own() {
        let (outcome, sent) = probe(&mut Prober::default(), 1_600_000, 1_000_000, 20_000_000, 0);
        let Some(Outcome::Came(rate)) = outcome else { panic!("{outcome:?}") };
        assert!((1_450_000..=1_600_000).contains(&rate), "{rate}");
        assert!((22_000..27_000).contains(&sent), "{sent}");
        let (outcome, _) = probe(&mut Prober::default(), 1_600_000, 1_000_000, 1_250_000, 0);
        let Some(Outcome::Measured(rate)) = outcome else { panic!("{outcome:?}") };
        assert!((1_200_000..=1_260_000).contains(&rate), "{rate}");
    }

    #[test]
    fn a_cluster_of_which_packets_were_held_back_says_nothing_and_the_next_one_comes_soon() {
        let mut prober = Prober::default();
        assert!(prober.begin(900_000, 300_000, true, 0));
        for number in 0..10u16 {
            prober.due(0, number, i64::from(number) * 20_000);
            prober.on_padding(1_000);
        }
        prober.due(0, 10, 200_000);
        assert!(!prober.is_sending());
        // All ten at 400 ms: 900 kbit/s, as they left.
        (0..10).for_each(|number| prober.on_held(number));
        assert_eq!(prober.take_outcome(400_000), None);
        assert!(!prober.begin(900_000, 300_000, true, 400_000 + RETRY_HELD_US - 1));
        assert!(prober.begin(900_000, 300_000, false, 400_000 + RETRY_HELD_US));
    }

    #[test]
    fn a_receiver_without_video_is_probed_with_enough_packets_to_learn_that_its_link_is_back() {
        let (outcome, sent) = probe(&mut Prober::default(), 57_000, 31_000, 20_000_000, 0);
        assert!(matches!(outcome, Some(Outcome::Came(190_000..=200_000))), "{outcome:?} of {sent}");
    }

    #[test]
    fn after_one_that_was_held_up_the_next_is_little_more_than_the_link_until_one_comes_whole() {
        let mut prober = Prober::default();
        let (first, _) = probe(&mut prober, 2_000_000, 1_000_000, 1_000_000, 0);
        let (again, sent) = probe(&mut prober, 2_000_000, 1_000_000, 1_000_000, 4_000_000);
        assert!(matches!((first, again), (Some(Outcome::Measured(_)), Some(Outcome::Measured(_)))));
        assert!((16_000..=19_500).contains(&sent), "{sent}");
        let (outcome, _) = probe(&mut prober, 2_000_000, 1_000_000, 9_000_000, 8_000_000);
        assert!(matches!(outcome, Some(Outcome::Came(1_100_000..=1_200_000))), "{outcome:?}");
        let (outcome, _) = probe(&mut prober, 2_000_000, 1_200_000, 9_000_000, 8_300_000);
        assert!(matches!(outcome, Some(Outcome::Came(1_900_000..=2_000_000))), "{outcome:?}");
    }

    #[test]
    fn it_is_no_more_than_three_times_what_is_known_and_waits_after_a_failure() {
        let mut prober = Prober::default();
        let (_, sent) = probe(&mut prober, 9_000_000, 500_000, 400_000, 0);
        assert!((22_000..=24_000).contains(&sent), "{sent}");
        assert!(!prober.begin(9_000_000, 400_000, true, 2_000_000), "not yet");
        assert!(!prober.begin(9_000_000, 400_000, false, 8_000_000), "nothing would be sent with it");
        assert!(prober.begin(9_000_000, 400_000, true, 8_000_000));
    }

    #[test]
    fn after_a_failure_it_is_no_more_than_twice_what_is_known() {
        let mut prober = Prober::default();
        assert!(prober.begin(9_000_000, 500_000, true, 0));
        prober.abort(0);
        let (outcome, sent) = probe(&mut prober, 9_000_000, 500_000, 9_000_000, 8_000_000);
        assert!(matches!(outcome, Some(Outcome::Came(900_000..=1_000_000))), "{outcome:?}");
        assert!((14_000..=16_000).contains(&sent), "{sent}");
    }

    #[test]
    fn one_that_was_held_up_is_paid_for_by_waiting_for_two_to_three_seconds() {
        // 23 kB of padding are 4 % of what 400 kbit/s carry in 11.5 s.
        let mut prober = Prober::default();
        probe(&mut prober, 9_000_000, 500_000, 400_000, 0);
        assert!(!prober.begin(9_000_000, 400_000, true, 2_900_000), "little was sent beside it");
        assert!(prober.begin(9_000_000, 400_000, true, 3_400_000));

        // Media at almost the cluster's rate leaves little to pad.
        let mut prober = Prober::default();
        assert!(prober.begin(1_000_000, 1_000_000, true, 0));
        let (mut now, mut number) = (0, 0);
        while prober.is_sending() {
            let padding = prober.due(600, number, now).min(50);
            prober.on_padding(padding);
            prober.on_arrival(number, now, 3 * now, 650);
            number += 1;
            now += 5_000;
        }
        prober.on_arrival(number.wrapping_sub(1), now, 3 * now, 650);
        assert!(matches!(prober.take_outcome(now + 1_000_000), Some(Outcome::Measured(_))));
        let since = now + 1_000_000;
        assert!(!prober.begin(1_000_000, 1_000_000, true, since + 1_900_000), "links need time to recover");
        assert!(prober.begin(1_000_000, 1_000_000, true, since + 2_100_000));
    }
}
