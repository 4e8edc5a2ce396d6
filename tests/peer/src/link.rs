//! One direction of a network path in virtual time: a queue in front of a link of some rate, then a delay
//! with jitter, and loss.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bytes of UDP and IPv4 headers around a datagram.
pub const UDP_IP: usize = 28;

/// What the queue in front of the link holds; what does not fit is dropped at its tail.
#[derive(Clone, Copy, Debug)]
pub enum Queue {
    /// So long at the link's present rate.
    Time(Duration),
    Packets(usize),
}

/// Loss besides that of a full queue, behind it. Probabilities.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    Random(f64),
    /// Two states (Gilbert-Elliott): from good to bad, and back, at each packet; in the bad state so many
    /// are lost.
    Bursts {
        begin: f64,
        end: f64,
        lost: f64,
    },
}

/// Parameters of a link.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Bits a second, each from a time after the start on; the first from the start.
    pub rates: Vec<(Duration, u64)>,
    pub queue: Queue,
    pub delay: Duration,
    /// Uniform from zero to this, added to the delay; packets keep their order.
    pub jitter: Duration,
    pub loss: Loss,
}

impl LinkConfig {
    /// A link of one rate, with 300 ms of queue and 20 ms of delay.
    pub fn new(rate: u64) -> Self {
        Self {
            rates: vec![(Duration::ZERO, rate)],
            queue: Queue::Time(Duration::from_millis(300)),
            delay: Duration::from_millis(20),
            jitter: Duration::ZERO,
            loss: Loss::Random(0.0),
        }
    }

    /// Another rate from this second on.
    #[must_use]
    pub fn then(mut self, second: u64, rate: u64) -> Self {
        self.rates.push((Duration::from_secs(second), rate));
        self
    }
}

/// A link with what is on it.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    start: Instant,
    rng: ChaCha12Rng,
    /// What waits, the first of it being sent.
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    /// When the first one's last bit leaves.
    head_done: Option<Instant>,
    /// What left, by when it arrives.
    flying: VecDeque<(Instant, Vec<u8>)>,
    last_arrival: Instant,
    is_bad: bool,
    /// Datagrams that the full queue dropped, those that loss took, and all.
    pub dropped: u64,
    pub lost: u64,
    pub taken: u64,
}

impl Link {
    pub fn new(config: LinkConfig, seed: u64, start: Instant) -> Self {
        Self {
            config,
            start,
            rng: ChaCha12Rng::seed_from_u64(seed),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            head_done: None,
            flying: VecDeque::new(),
            last_arrival: start,
            is_bad: false,
            dropped: 0,
            lost: 0,
            taken: 0,
        }
    }

    /// Bits a second at this moment.
    pub fn rate(&self, now: Instant) -> u64 {
        let at = now.saturating_duration_since(self.start);
        let rates = self.config.rates.iter().rev();
        rates.into_iter().find(|(from, _)| *from <= at).map_or(0, |(_, rate)| *rate)
    }

    /// How long so many bytes take from now on, over changes of the rate.
    fn time_of(&self, bytes: usize, now: Instant) -> Duration {
        let (mut at, mut bits) = (now.saturating_duration_since(self.start), bytes as f64 * 8.0);
        let from = at;
        loop {
            let rate = self.rate(self.start + at).max(1) as f64;
            let done = at + Duration::from_secs_f64(bits / rate);
            match self.config.rates.iter().find(|(change, _)| *change > at && *change < done) {
                Some((change, _)) => {
                    bits -= (*change - at).as_secs_f64() * rate;
                    at = *change;
                }
                None => return done - from,
            }
        }
    }

    /// How long a packet that comes now would wait.
    pub fn queueing(&self, now: Instant) -> Duration {
        let Some(done) = self.head_done else { return Duration::ZERO };
        let head = self.waiting.front().map_or(0, |it| it.len() + UDP_IP);
        done.saturating_duration_since(now) + self.time_of(self.waiting_bytes - head, now)
    }

    pub fn push(&mut self, datagram: Vec<u8>, now: Instant) {
        self.run(now);
        self.taken += 1;
        let is_full = match self.config.queue {
            Queue::Time(most) => self.queueing(now) > most,
            Queue::Packets(most) => self.waiting.len() >= most,
        };
        if is_full {
            self.dropped += 1;
            return;
        }
        let len = datagram.len() + UDP_IP;
        self.waiting_bytes += len;
        self.waiting.push_back(datagram);
        if self.head_done.is_none() {
            self.head_done = Some(now + self.time_of(len, now));
        }
    }

    /// When something happens next on it.
    pub fn next(&self) -> Option<Instant> {
        self.head_done.into_iter().chain(self.flying.front().map(|(at, _)| *at)).min()
    }

    /// What arrives by now, in order.
    pub fn pop(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.run(now);
        if self.flying.front().is_some_and(|(at, _)| *at <= now) {
            return self.flying.pop_front().map(|(_, datagram)| datagram);
        }
        None
    }

    fn run(&mut self, now: Instant) {
        while let Some(done) = self.head_done.filter(|done| *done <= now) {
            let Some(datagram) = self.waiting.pop_front() else { return };
            self.waiting_bytes -= datagram.len() + UDP_IP;
            self.head_done = self.waiting.front().map(|next| done + self.time_of(next.len() + UDP_IP, done));
            if self.loses() {
                self.lost += 1;
                continue;
            }
            let jitter = self.config.jitter.mul_f64(self.rng.random::<f64>());
            let arrival = (done + self.config.delay + jitter).max(self.last_arrival);
            self.last_arrival = arrival;
            self.flying.push_back((arrival, datagram));
        }
    }

    fn loses(&mut self) -> bool {
        match self.config.loss {
            Loss::Random(loss) => self.rng.random::<f64>() < loss,
            Loss::Bursts { begin, end, lost } => {
                let turns = if self.is_bad { end } else { begin };
                self.is_bad ^= self.rng.random::<f64>() < turns;
                self.is_bad && self.rng.random::<f64>() < lost
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(link: &mut Link, until: Instant) -> Vec<(Instant, usize)> {
        let mut all = Vec::new();
        while let Some(next) = link.next().filter(|next| *next <= until) {
            while let Some(datagram) = link.pop(next) {
                all.push((next, datagram.len()));
            }
        }
        all
    }

    #[test]
    fn a_packet_takes_its_time_on_the_link_and_the_delay() {
        let start = Instant::now();
        let mut link = Link::new(LinkConfig::new(1_000_000).then(10, 500_000), 1, start);
        link.push(vec![0; 1_222], start);
        link.push(vec![0; 1_222], start);
        assert_eq!(link.queueing(start), Duration::from_millis(20));
        let came = drain(&mut link, start + Duration::from_secs(1));
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(came, [(at(30), 1_222), (at(40), 1_222)]);
        link.push(vec![0; 1_222], at(10_000));
        assert_eq!(link.queueing(at(10_000)), Duration::from_millis(20));
    }

    #[test]
    fn what_does_not_fit_the_queue_is_dropped() {
        let start = Instant::now();
        let config = LinkConfig { queue: Queue::Packets(20), ..LinkConfig::new(1_000_000) };
        let mut link = Link::new(config, 1, start);
        (0..50).for_each(|_| link.push(vec![0; 1_000], start));
        assert_eq!(link.dropped, 30);
        assert_eq!(drain(&mut link, start + Duration::from_secs(1)).len(), 20);
    }

    #[test]
    fn loss_is_as_likely_as_it_says() {
        for (loss, expected) in
            [(Loss::Random(0.05), 500.0), (Loss::Bursts { begin: 0.01, end: 0.19, lost: 1.0 }, 500.0)]
        {
            let start = Instant::now();
            let config = LinkConfig { loss, ..LinkConfig::new(1_000_000_000) };
            let mut link = Link::new(config, 7, start);
            (0..10_000).for_each(|at| link.push(vec![0; 100], start + Duration::from_millis(at)));
            drain(&mut link, start + Duration::from_secs(20));
            assert!(
                (f64::from(u32::try_from(link.lost).unwrap()) / expected - 1.0).abs() < 0.25,
                "{}",
                link.lost
            );
        }
    }
}
