//! Packets of video that wait until their receiver's link takes them: a key frame is spread, audio never waits.
//!
//! Nothing is copied: what waits is named by its place in its producer's cache, and is written when its turn
//! comes, as a retransmission is.

use crate::arena::ConsumerKey;
use crate::codec::vp8::rewriter::Patch;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets that wait at most; one more goes at once. Two key frames of a camera at its ceiling.
const PACKETS_MAX: usize = 192;
/// What waits is sent within so long, whatever the rate.
const WAIT_MAX_US: u64 = 800_000;
/// What may go at once after a silence: so long at the rate, and at least two packets.
const BURST_US: u64 = 10_000;
const BURST_MIN: u64 = 2_600;
/// Bytes of the first packets to a receiver that go at once: four full packets, 180 ms of a link of 200 kbit/s.
const FIRST_BURST: i64 = 4_500;
/// What waits for longer than so many milliseconds, for so long, is more than the rate.
const LONG_MS: u64 = 250;
const OVERRUN_AFTER: Duration = Duration::from_millis(1_500);
/// Between two looks.
const TICK: Duration = Duration::from_millis(5);

/// A packet that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) consumer: ConsumerKey,
    pub(crate) encoding: u8,
    /// The source's index, and the consumer's.
    pub(crate) source: u64,
    pub(crate) index: u64,
    pub(crate) marker: bool,
    /// The consumer's timestamp less the source's.
    pub(crate) offset: u32,
    pub(crate) patch: Option<Patch>,
    /// Bytes of payload.
    pub(crate) len: u16,
}

/// Packets that waited and are not sent after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TakenBack {
    pub(crate) packets: u64,
    /// Bytes of payload.
    pub(crate) octets: u64,
}

/// A token bucket of bytes, and what waits for it.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    /// Bits a second; none: nothing waits.
    rate: Option<u64>,
    /// One packet goes after a silence, not several: a queue that marks from a millisecond on would mark them.
    pub(crate) is_smooth: bool,
    tokens: i64,
    filled_us: i64,
    waiting: VecDeque<Waiting>,
    waiting_bytes: u64,
    /// Since when what waits would wait for long.
    long_since: Option<Instant>,
    pub(crate) due: Option<Instant>,
}

impl Pacer {
    /// `rate`: bits a second; without one nothing waits.
    pub(crate) fn new(rate: Option<u64>) -> Self {
        Self {
            rate,
            is_smooth: false,
            tokens: FIRST_BURST,
            filled_us: 0,
            waiting: VecDeque::with_capacity(PACKETS_MAX),
            waiting_bytes: 0,
            long_since: None,
            due: None,
        }
    }

    pub(crate) fn set_rate(&mut self, rate: Option<u64>) {
        self.rate = rate;
    }

    /// Adds what the rate gave since the last call. To be called before a burst.
    #[inline]
    pub(crate) fn fill(&mut self, now_us: i64) {
        let Some(rate) = self.rate else { return };
        // A layer that was not measured yet counts as more than any link takes: nothing waits then.
        let rate = rate.max(self.waiting_bytes * 8_000_000 / WAIT_MAX_US);
        let elapsed = u64::try_from(now_us - self.filled_us).unwrap_or(0).min(1_000_000);
        self.filled_us = now_us;
        let burst = (rate.saturating_mul(BURST_US) / 8_000_000).max(BURST_MIN);
        let burst = if self.is_smooth { 1 } else { burst };
        // Time in which packets wait is theirs, however late a busy worker looks: only a silence is cut short.
        let most = if self.waiting.is_empty() { i64::try_from(burst).unwrap_or(i64::MAX) } else { i64::MAX };
        let more = i64::try_from(rate.saturating_mul(elapsed) / 8_000_000).unwrap_or(i64::MAX);
        self.tokens = self.tokens.saturating_add(more).min(most.max(self.tokens));
    }

    /// Whether a packet of video has to wait, as of the last [`Self::fill`].
    #[inline]
    pub(crate) fn must_wait(&self) -> bool {
        let is_spent = self.rate.is_some() && self.tokens <= 0;
        (is_spent || !self.waiting.is_empty()) && self.waiting.len() < PACKETS_MAX
    }

    pub(crate) fn push(&mut self, waiting: Waiting, now: Instant) {
        self.waiting_bytes += u64::from(waiting.len);
        self.waiting.push_back(waiting);
        self.due.get_or_insert(now + TICK);
    }

    /// More comes than the rate lets go, for longer than a key frame takes.
    pub(crate) fn is_overrun(&mut self, now: Instant) -> bool {
        let rate = self.rate.unwrap_or(u64::MAX).max(1);
        if self.waiting_bytes * 8 * 1_000 / rate < LONG_MS {
            self.long_since = None;
            return false;
        }
        let since = *self.long_since.get_or_insert(now);
        let is_overrun = now.saturating_duration_since(since) > OVERRUN_AFTER;
        if is_overrun {
            self.long_since = None;
        }
        is_overrun
    }

    /// Discards the waiting packets of a consumer from this index on; None if there are none.
    pub(crate) fn take_back(&mut self, consumer: ConsumerKey, from: u64) -> Option<TakenBack> {
        let mut taken = TakenBack { packets: 0, octets: 0 };
        self.waiting.retain(|it| {
            let is_taken = it.consumer == consumer && it.index >= from;
            if is_taken {
                taken.packets += 1;
                taken.octets += u64::from(it.len);
            }
            !is_taken
        });
        self.waiting_bytes -= taken.octets;
        (taken.packets > 0).then_some(taken)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A packet of so many bytes was sent, whether or not it waited.
    #[inline]
    pub(crate) fn on_sent(&mut self, bytes: usize) {
        // What went before there was a rate is no debt.
        if self.rate.is_some() {
            self.tokens = self.tokens.saturating_sub_unsigned(bytes as u64);
        }
    }

    /// The next packet whose turn has come.
    pub(crate) fn pop(&mut self, now_us: i64) -> Option<Waiting> {
        if self.rate.is_some() {
            self.fill(now_us);
            if self.tokens <= 0 {
                return None;
            }
        }
        let waiting = self.waiting.pop_front()?;
        self.waiting_bytes -= u64::from(waiting.len);
        Some(waiting)
    }

    /// When to look again.
    pub(crate) fn schedule(&mut self, now: Instant) {
        self.due = (!self.waiting.is_empty()).then(|| now + TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Key;

    fn packet(index: u64) -> Waiting {
        let consumer = ConsumerKey::new(0, 0);
        Waiting {
            consumer,
            encoding: 0,
            source: index,
            index,
            marker: false,
            offset: 0,
            patch: None,
            len: 1_000,
        }
    }

    #[test]
    fn what_went_before_there_was_a_rate_is_no_debt() {
        let mut pacer = Pacer::new(None);
        (0..500).for_each(|_| pacer.on_sent(1_000));
        pacer.set_rate(Some(1_000_000));
        pacer.fill(10_000_000);
        assert!(!pacer.must_wait());
    }

    /// After its first burst.
    fn with_rate(rate: u64) -> Pacer {
        Pacer { tokens: 0, ..Pacer::new(Some(rate)) }
    }

    /// A burst of so many packets; when each went, in milliseconds.
    fn sent(pacer: &mut Pacer, count: u64) -> Vec<i64> {
        let (start, mut went) = (Instant::now(), Vec::new());
        pacer.fill(10_000_000);
        for index in 0..count {
            if pacer.must_wait() {
                pacer.push(packet(index), start);
            } else {
                pacer.on_sent(1_000);
                went.push(0);
            }
        }
        for tick in 1..2_000 {
            while pacer.pop(10_000_000 + tick * 5_000).is_some() {
                pacer.on_sent(1_000);
                went.push(tick * 5);
            }
        }
        went
    }

    #[test]
    fn a_key_frame_is_spread_by_the_rate() {
        let went = sent(&mut with_rate(1_000_000), 50);
        assert_eq!(went.len(), 50);
        assert!(went[..3].iter().all(|at| *at == 0) && (350..410).contains(&went[49]), "{went:?}");
        let half = went.iter().filter(|at| **at <= 200).count();
        assert!((23..32).contains(&half), "{went:?}");
    }

    #[test]
    fn the_first_packets_of_a_call_leave_at_once_and_the_rest_of_a_key_frame_by_the_rate() {
        let went = sent(&mut Pacer::new(Some(150_000)), 10);
        assert!(went[..5].iter().all(|at| *at == 0) && (230..300).contains(&went[9]), "{went:?}");
        // Once, and no more after a silence.
        let mut pacer = Pacer::new(Some(150_000));
        sent(&mut pacer, 10);
        pacer.fill(60_000_000);
        assert!(pacer.tokens <= BURST_MIN.cast_signed(), "{}", pacer.tokens);
    }

    #[test]
    fn what_waits_keeps_its_rate_while_the_worker_looks_late() {
        let (mut pacer, start) = (with_rate(1_000_000), Instant::now());
        pacer.fill(10_000_000);
        (0..100).for_each(|index| pacer.push(packet(index), start));
        let mut sent = |at_us| {
            let mut count = 0;
            // Packets that came meanwhile are looked at first.
            pacer.fill(at_us - 2_000);
            while pacer.pop(at_us).is_some() {
                pacer.on_sent(1_000);
                count += 1;
            }
            count
        };
        let looks: Vec<i32> = (1..=3).map(|look| sent(10_000_000 + look * 200_000)).collect();
        // 25,000 bytes each 200 ms, and what goes at once after a silence.
        assert!(looks.iter().all(|count| (24..=29).contains(count)), "{looks:?}");
    }

    #[test]
    fn what_waits_is_bounded_in_time_and_number() {
        let went = sent(&mut with_rate(50_000), 100);
        assert!(*went.last().unwrap() < 4_000, "{went:?}");
        let mut pacer = with_rate(50_000);
        sent(&mut pacer, 0);
        pacer.fill(10_000_000);
        pacer.on_sent(5_000);
        let now = Instant::now();
        let waits = (0..1_000).filter(|index| {
            let waits = pacer.must_wait();
            if waits {
                pacer.push(packet(*index), now);
            }
            waits
        });
        assert_eq!(waits.count(), PACKETS_MAX);
        assert_eq!(pacer.waiting.capacity(), VecDeque::<Waiting>::with_capacity(PACKETS_MAX).capacity());
    }

    #[test]
    fn at_the_rate_of_simulcast_layers_that_were_not_measured_nothing_waits() {
        // More than any link takes: what a layer counts as of which nothing is known, and a quarter of that.
        let unknown = u64::MAX / 1_000;
        for rate in [unknown, unknown / 100 * 125, u64::MAX] {
            assert!(sent(&mut with_rate(rate), 500).iter().all(|at| *at == 0), "{rate}");
        }
    }

    #[test]
    fn what_is_taken_back_is_one_consumers_from_an_index_on() {
        let (mut pacer, start) = (with_rate(1_000_000), Instant::now());
        let other = ConsumerKey::new(1, 0);
        for index in 0..10 {
            pacer.push(packet(index), start);
            pacer.push(Waiting { consumer: other, ..packet(index) }, start);
        }
        let taken = pacer.take_back(other, 4);
        assert_eq!(taken, Some(TakenBack { packets: 6, octets: 6_000 }));
        assert_eq!(pacer.take_back(other, 4), None);
        assert_eq!(pacer.waiting_bytes, 14_000);
        let left =
            |key| pacer.waiting.iter().filter(|it| it.consumer == key).map(|it| it.index).collect::<Vec<_>>();
        assert_eq!((left(other), left(packet(0).consumer)), (vec![0, 1, 2, 3], (0..10).collect()));
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut pacer = Pacer::new(None);
        assert!(sent(&mut pacer, 500).iter().all(|at| *at == 0));
    }
}
