//! One direction of a network path in virtual time: a queue in front of a link of some rate, then a delay
//! with jitter, reordering, and loss. Several receivers, and transfers of others, may be behind it.

mod codel;
mod cross;
mod dual_queue;
mod rates;

use codel::CoDel;
use cross::{Cross, PACKET};
use dual_queue::DualQueue;
use railgun_media_core::packet::ecn::Ecn;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
pub use rates::{Radio, Rates};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Bytes of UDP and IPv4 headers around a datagram.
pub const UDP_IP: usize = 28;

/// What the queue in front of the link holds; what does not fit is dropped at its tail.
#[derive(Clone, Copy, Debug)]
pub enum Queue {
    /// So long at the link's present rate.
    Time(Duration),
    Packets(usize),
    /// 1,000 packets, dropped at the head by CoDel.
    CoDel,
    /// 1,000 packets in two queues: ECT(1) is marked in the one, all else dropped at the other's head (DualPI2).
    Dual,
}

const AQM_PACKETS: usize = 1_000;

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

/// Packets that others overtake.
#[derive(Clone, Copy, Debug)]
pub struct Reorder {
    /// Of all, a probability.
    pub part: f64,
    /// By how much they are later than the others.
    pub by: Duration,
}

/// Times in which nothing arrives, as of a Wi-Fi station that looks for other channels: what left the link meanwhile arrives at
/// their end, all of it at once.
#[derive(Clone, Copy, Debug)]
pub struct Stalls {
    /// From one to the next. When the first one begins is chance.
    pub every: Duration,
    pub length: Duration,
}

/// Parameters of a link.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    pub rates: Rates,
    pub queue: Queue,
    pub delay: Duration,
    /// Uniform from zero to this, added to the delay; packets keep their order.
    pub jitter: Duration,
    pub reorder: Option<Reorder>,
    pub stalls: Option<Stalls>,
    pub loss: Loss,
    /// When transfers of others begin, each a TCP flow without end.
    pub transfers: Vec<Duration>,
}

impl LinkConfig {
    /// A link of one rate, with 300 ms of queue and 20 ms of delay.
    pub fn new(rate: u64) -> Self {
        Self {
            rates: Rates::new(rate),
            queue: Queue::Time(Duration::from_millis(300)),
            delay: Duration::from_millis(20),
            jitter: Duration::ZERO,
            reorder: None,
            stalls: None,
            loss: Loss::Random(0.0),
            transfers: Vec::new(),
        }
    }

    /// Another rate from this second on.
    #[must_use]
    pub fn then(mut self, second: u64, rate: u64) -> Self {
        self.rates.push(Duration::from_secs(second), rate);
        self
    }
}

/// What is on a link.
#[derive(Debug)]
enum Load {
    Datagram(SocketAddr, Vec<u8>, Ecn),
    /// Of a transfer of others, by its place, its number.
    Cross(usize, u64),
}

impl Load {
    /// With IP and what is above.
    fn bytes(&self) -> usize {
        match self {
            Self::Datagram(_, datagram, _) => datagram.len() + UDP_IP,
            Self::Cross(..) => PACKET,
        }
    }
}

/// A link with what is on it.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    start: Instant,
    rng: ChaCha12Rng,
    /// What waits, since when, the first of it being sent.
    waiting: VecDeque<(Instant, Load)>,
    /// The same of a dual queue's low-latency one; the first of it is being sent, if `serves_low`.
    low: VecDeque<(Instant, Load)>,
    serves_low: bool,
    /// Bytes of both.
    waiting_bytes: usize,
    /// When the first one's last bit leaves.
    head_done: Option<Instant>,
    /// What left, by when it arrives, and in the order it left.
    flying: BTreeMap<(Instant, u64), Load>,
    left: u64,
    last_arrival: Instant,
    /// Part of the time from one stall to the next, 0 to 1, that had passed when the link was made.
    stall_phase: f64,
    is_bad: bool,
    codel: CoDel,
    dual: DualQueue,
    transfers: Vec<Cross>,
    /// Datagrams that the full queue dropped, those that loss took, and all.
    pub dropped: u64,
    pub lost: u64,
    pub taken: u64,
    /// Datagrams that arrived or will, and the sum of the times that they take, queue and delay.
    pub passed: u64,
    pub took: Duration,
    /// Bytes of all, with UDP and IP.
    pub taken_bytes: u64,
    /// Of each datagram that left a dual queue: when, since the link was made, and how many milliseconds it waited.
    pub waits: Vec<(Duration, f32)>,
}

impl Link {
    pub fn new(config: LinkConfig, seed: u64, start: Instant) -> Self {
        let back = config.delay + Duration::from_millis(10);
        let transfers = config.transfers.iter().map(|at| Cross::new(start + *at, back)).collect();
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let stall_phase = config.stalls.map_or(0.0, |_| rng.random());
        Self {
            config,
            start,
            rng,
            waiting: VecDeque::new(),
            low: VecDeque::new(),
            serves_low: false,
            waiting_bytes: 0,
            head_done: None,
            flying: BTreeMap::new(),
            left: 0,
            last_arrival: start,
            stall_phase,
            is_bad: false,
            codel: CoDel::default(),
            dual: DualQueue::default(),
            transfers,
            dropped: 0,
            lost: 0,
            taken: 0,
            passed: 0,
            took: Duration::ZERO,
            taken_bytes: 0,
            waits: Vec::new(),
        }
    }

    /// Takes these parameters from now on; its rates are of the time since the link was made, and transfers that it
    /// has not had begin so long after now.
    pub fn change(&mut self, config: LinkConfig, now: Instant) {
        self.run(now);
        let back = config.delay + Duration::from_millis(10);
        let more = config.transfers.iter().skip(self.transfers.len());
        self.transfers.extend(more.map(|at| Cross::new(now + *at, back)));
        self.config = config;
    }

    /// Bits a second at this moment.
    pub fn rate(&self, now: Instant) -> u64 {
        self.config.rates.rate(now.saturating_duration_since(self.start))
    }

    /// Bytes that each transfer of others got through, by second since it began.
    pub fn transferred(&self) -> Vec<&[u64]> {
        self.transfers.iter().map(|it| it.arrived.as_slice()).collect()
    }

    /// How long so many bytes take from now on, over changes of the rate.
    fn time_of(&self, bytes: usize, now: Instant) -> Duration {
        self.config.rates.time_of(bytes, now.saturating_duration_since(self.start))
    }

    /// How long a packet that comes now would wait.
    pub fn queueing(&self, now: Instant) -> Duration {
        let Some(done) = self.head_done else { return Duration::ZERO };
        let served = if self.serves_low { self.low.front() } else { self.waiting.front() };
        let head = served.map_or(0, |(_, it)| it.bytes());
        let done = done.max(now);
        done.saturating_duration_since(now) + self.time_of(self.waiting_bytes - head, done)
    }

    pub fn push(&mut self, to: SocketAddr, datagram: Vec<u8>, now: Instant) {
        self.push_marked(to, datagram, Ecn::NotEct, now);
    }

    /// [`Self::push`] of a datagram whose IP header has these bits.
    pub fn push_marked(&mut self, to: SocketAddr, datagram: Vec<u8>, ecn: Ecn, now: Instant) {
        self.run(now);
        self.taken += 1;
        self.taken_bytes += (datagram.len() + UDP_IP) as u64;
        let is_taken = self.enqueue(Load::Datagram(to, datagram, ecn), now);
        self.dropped += u64::from(!is_taken);
    }

    fn enqueue(&mut self, load: Load, now: Instant) -> bool {
        let is_full = match self.config.queue {
            Queue::Time(most) => self.queueing(now) > most,
            Queue::Packets(most) => self.waiting.len() >= most,
            Queue::CoDel | Queue::Dual => self.waiting.len() + self.low.len() >= AQM_PACKETS,
        };
        if is_full {
            return false;
        }
        self.waiting_bytes += load.bytes();
        let is_low =
            matches!(self.config.queue, Queue::Dual) && matches!(load, Load::Datagram(.., Ecn::Ect1));
        if is_low { &mut self.low } else { &mut self.waiting }.push_back((now, load));
        if self.head_done.is_none() {
            self.serve(now);
        }
        true
    }

    /// When something happens next on it.
    pub fn next(&self) -> Option<Instant> {
        let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
        let transfers = self.transfers.iter().filter_map(Cross::due);
        self.head_done.into_iter().chain(arrival).chain(transfers).min()
    }

    /// What arrives by now, in order, and for whom.
    pub fn pop(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        self.pop_marked(now).map(|(to, datagram, _)| (to, datagram))
    }

    /// The same with its ECN bits.
    pub fn pop_marked(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>, Ecn)> {
        self.run(now);
        while let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Load::Datagram(to, datagram, ecn) => return Some((to, datagram, ecn)),
                // Acknowledged when it left.
                Load::Cross(..) => {}
            }
        }
        None
    }

    /// Everything up to now in the order in which it happens.
    fn run(&mut self, now: Instant) {
        loop {
            let transfer = self.transfers.iter().enumerate();
            let transfer = transfer.filter_map(|(place, it)| Some((it.due()?, place))).min();
            let transfer = transfer.filter(|(at, _)| *at <= now);
            let done = self.head_done.filter(|done| *done <= now);
            match (done, transfer) {
                (Some(done), Some((at, place))) if at < done => self.transfer(place, at),
                (Some(done), _) => self.leave(done),
                (None, Some((at, place))) => self.transfer(place, at),
                (None, None) => return,
            }
        }
    }

    fn transfer(&mut self, place: usize, at: Instant) {
        for number in self.transfers[place].run(at) {
            self.enqueue(Load::Cross(place, number), at);
        }
    }

    /// The head's last bit leaves.
    fn leave(&mut self, done: Instant) {
        let served = if self.serves_low { &mut self.low } else { &mut self.waiting };
        let Some((since, load)) = served.pop_front() else { return };
        self.waiting_bytes -= load.bytes();
        self.drop_heads(done);
        self.serve(done);
        if matches!((self.config.queue, &load), (Queue::Dual, Load::Datagram(..))) {
            let began = done - self.time_of(load.bytes(), done);
            let waited = began.saturating_duration_since(since).as_secs_f32() * 1_000.0;
            self.waits.push((done.saturating_duration_since(self.start), waited));
        }
        if self.loses() {
            self.lost += u64::from(matches!(load, Load::Datagram(..)));
            return;
        }
        let jitter = self.config.jitter.mul_f64(self.rng.random::<f64>());
        let mut arrival = self.stalled((done + self.config.delay + jitter).max(self.last_arrival));
        self.last_arrival = arrival;
        if let Some(reorder) = self.config.reorder
            && self.rng.random::<f64>() < reorder.part
        {
            arrival += reorder.by;
        }
        if let Load::Cross(place, number) = load {
            self.transfers[place].on_arrival(number, arrival);
            return;
        }
        self.passed += 1;
        self.took += arrival.saturating_duration_since(since);
        self.left += 1;
        self.flying.insert((arrival, self.left), load);
    }

    /// When a packet arrives that would arrive at this time if nothing stalled.
    fn stalled(&self, at: Instant) -> Instant {
        let Some(Stalls { every, length }) = self.config.stalls else { return at };
        let passed = at.saturating_duration_since(self.start) + every.mul_f64(self.stall_phase);
        let since = Duration::from_secs_f64(passed.as_secs_f64() % every.as_secs_f64());
        at + length.saturating_sub(since)
    }

    /// The next packet is the low-latency queue's, which is empty in a link of one queue.
    fn is_low_next(&self, now: Instant) -> bool {
        let waited = |queue: &VecDeque<(Instant, Load)>| {
            queue.front().map(|(since, _)| now.saturating_duration_since(*since))
        };
        DualQueue::serves_low(waited(&self.low), waited(&self.waiting))
    }

    /// Begins to send the next packet, if there is one.
    fn serve(&mut self, now: Instant) {
        self.serves_low = self.is_low_next(now);
        let is_last = self.low.len() == 1;
        let next = if self.serves_low { self.low.front_mut() } else { self.waiting.front_mut() };
        if let Some((since, Load::Datagram(_, _, ecn))) = next
            && self.serves_low
            && self.dual.marks(now.saturating_duration_since(*since), is_last, self.rng.random())
        {
            *ecn = Ecn::Ce;
        }
        let next = if self.serves_low { self.low.front() } else { self.waiting.front() };
        self.head_done = next.map(|(_, next)| now + self.time_of(next.bytes(), now));
    }

    fn drop_heads(&mut self, now: Instant) {
        if matches!(self.config.queue, Queue::Dual) {
            return self.drop_classic_heads(now);
        }
        if !matches!(self.config.queue, Queue::CoDel) {
            return;
        }
        while let Some((since, _)) = self.waiting.front() {
            if !self.codel.drops(now.saturating_duration_since(*since), self.waiting.len() == 1, now) {
                return;
            }
            if let Some((_, load)) = self.waiting.pop_front() {
                self.waiting_bytes -= load.bytes();
                self.dropped += u64::from(matches!(load, Load::Datagram(..)));
            }
        }
    }

    /// Before the classic queue's head would be sent. What is left of both queues tells how long they are.
    fn drop_classic_heads(&mut self, now: Instant) {
        let heads = [self.low.front(), self.waiting.front()].into_iter().flatten();
        let waited = heads.map(|(since, _)| now.saturating_duration_since(*since)).max();
        self.dual.update(waited.unwrap_or_default(), now);
        while !self.is_low_next(now) && !self.waiting.is_empty() && self.dual.drops(self.rng.random()) {
            if let Some((_, load)) = self.waiting.pop_front() {
                self.waiting_bytes -= load.bytes();
                self.dropped += u64::from(matches!(load, Load::Datagram(..)));
            }
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

    fn to() -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], 1))
    }

    fn drain(link: &mut Link, until: Instant) -> Vec<(Instant, usize)> {
        let mut all = Vec::new();
        while let Some(next) = link.next().filter(|next| *next <= until) {
            while let Some((_, datagram)) = link.pop(next) {
                all.push((next, datagram.len()));
            }
        }
        all
    }

    #[test]
    fn a_packet_takes_its_time_on_the_link_and_the_delay() {
        let start = Instant::now();
        let mut link = Link::new(LinkConfig::new(1_000_000).then(10, 500_000), 1, start);
        link.push(to(), vec![0; 1_222], start);
        link.push(to(), vec![0; 1_222], start);
        assert_eq!(link.queueing(start), Duration::from_millis(20));
        let came = drain(&mut link, start + Duration::from_secs(1));
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(came, [(at(30), 1_222), (at(40), 1_222)]);
        link.push(to(), vec![0; 1_222], at(10_000));
        assert_eq!(link.queueing(at(10_000)), Duration::from_millis(20));
    }

    #[test]
    fn what_does_not_fit_the_queue_is_dropped() {
        let start = Instant::now();
        let config = LinkConfig { queue: Queue::Packets(20), ..LinkConfig::new(1_000_000) };
        let mut link = Link::new(config, 1, start);
        (0..50).for_each(|_| link.push(to(), vec![0; 1_000], start));
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
            (0..10_000).for_each(|at| link.push(to(), vec![0; 100], start + Duration::from_millis(at)));
            drain(&mut link, start + Duration::from_secs(20));
            assert!(
                (f64::from(u32::try_from(link.lost).unwrap()) / expected - 1.0).abs() < 0.25,
                "{}",
                link.lost
            );
        }
    }

    #[test]
    fn reordered_packets_are_overtaken_and_all_come() {
        let start = Instant::now();
        let reorder = Some(Reorder { part: 0.1, by: Duration::from_millis(30) });
        let mut link = Link::new(LinkConfig { reorder, ..LinkConfig::new(10_000_000) }, 3, start);
        (1..=1_000_u32).for_each(|at| {
            link.push(to(), vec![0; usize::try_from(at).unwrap()], start + Duration::from_millis(2) * at)
        });
        let came = drain(&mut link, start + Duration::from_secs(9));
        let late = came.windows(2).filter(|pair| pair[0].1 > pair[1].1).count();
        assert!(came.len() == 1_000 && (60..140).contains(&late), "{} {late}", came.len());
    }

    /// A link with a transfer of somebody else's: the share of the link it gets, and the mean queue in milliseconds.
    fn transfer(queue: Queue) -> (f64, f64) {
        let start = Instant::now();
        let config = LinkConfig { queue, transfers: vec![Duration::ZERO], ..LinkConfig::new(4_000_000) };
        let mut link = Link::new(config, 5, start);
        let (mut waits, mut now) = (0.0, start);
        for _ in 0..30_000 {
            now += Duration::from_millis(1);
            while link.pop(now).is_some() {}
            waits += link.queueing(now).as_secs_f64() * 1_000.0;
        }
        let bytes: u64 = link.transferred()[0].iter().sum();
        (bytes as f64 * 8.0 / 30.0 / 4_000_000.0, waits / 30_000.0)
    }

    #[test]
    fn a_transfer_fills_the_link_and_its_queue_but_for_codels() {
        let (share, tail) = transfer(Queue::Time(Duration::from_millis(300)));
        assert!(share > 0.9 && tail > 100.0, "{share} {tail}");
        let (share, codel) = transfer(Queue::CoDel);
        assert!(share > 0.8 && codel < tail / 3.0, "{share} {codel}");
    }
}
