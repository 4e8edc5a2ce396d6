//! Somebody else's bulk transfer on the same link, as a TCP sender with CUBIC (RFC 9438) makes it: its rate follows
//! loss alone, so it fills whatever queue there is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Bytes of a packet with its headers.
pub(super) const PACKET: usize = 1_500;
const INITIAL_WINDOW: f64 = 10.0;
/// RFC 9438: the constants C and beta.
const GROWTH: f64 = 0.4;
const DECREASE: f64 = 0.7;
/// A packet is lost once one was acknowledged that was sent so many later.
const REORDERING: u64 = 3;
const TIMEOUT_MIN: Duration = Duration::from_millis(400);

/// A transfer without end.
#[derive(Debug)]
pub(super) struct Cross {
    pub(super) begins: Instant,
    /// From the link's far end back to the sender.
    back: Duration,
    next: u64,
    flying: BTreeMap<u64, Instant>,
    window: f64,
    threshold: f64,
    /// Window before the last reduction, and when that was.
    before: f64,
    reduced_at: Option<Instant>,
    /// Losses up to this one are of the same reduction.
    recovers: u64,
    heard_at: Option<Instant>,
    round_trip: Duration,
    /// Acknowledgements on their way: when they are there, and of which packet.
    acks: BTreeSet<(Instant, u64)>,
    /// Bytes that arrived, by second since it began.
    pub(super) arrived: Vec<u64>,
}

impl Cross {
    pub(super) fn new(begins: Instant, back: Duration) -> Self {
        Self {
            begins,
            back,
            next: 1,
            flying: BTreeMap::new(),
            window: INITIAL_WINDOW,
            threshold: f64::MAX,
            before: 0.0,
            reduced_at: None,
            recovers: 0,
            heard_at: None,
            round_trip: Duration::from_millis(100),
            acks: BTreeSet::new(),
            arrived: Vec::new(),
        }
    }

    fn timeout(&self) -> Option<Instant> {
        let heard = self.heard_at.filter(|_| !self.flying.is_empty())?;
        Some(heard + (self.round_trip * 2).max(TIMEOUT_MIN))
    }

    /// When it does something next.
    pub(super) fn due(&self) -> Option<Instant> {
        let ack = self.acks.first().map(|(at, _)| *at);
        let begins = (self.next == 1).then_some(self.begins);
        ack.into_iter().chain(self.timeout()).chain(begins).min()
    }

    /// Numbers of packets that it sends now.
    pub(super) fn run(&mut self, now: Instant) -> Vec<u64> {
        if now < self.begins {
            return Vec::new();
        }
        while let Some((at, number)) = self.acks.first().copied().filter(|(at, _)| *at <= now) {
            self.acks.pop_first();
            self.on_ack(number, at);
        }
        if self.timeout().is_some_and(|at| at <= now) {
            self.flying.clear();
            self.threshold = (self.window * DECREASE).max(2.0);
            (self.window, self.before, self.reduced_at) = (1.0, self.window, Some(now));
            self.heard_at = Some(now);
        }
        let mut sent = Vec::new();
        while (self.flying.len() as f64) < self.window.floor().max(1.0) {
            self.flying.insert(self.next, now);
            sent.push(self.next);
            self.next += 1;
        }
        self.heard_at.get_or_insert(now);
        sent
    }

    fn on_ack(&mut self, number: u64, at: Instant) {
        self.heard_at = Some(at);
        if let Some(sent) = self.flying.remove(&number) {
            self.round_trip = at - sent;
            self.grow(at);
        }
        let lost: Vec<u64> =
            self.flying.range(..number.saturating_sub(REORDERING)).map(|(it, _)| *it).collect();
        for lost in lost {
            self.flying.remove(&lost);
            if lost > self.recovers {
                self.before = self.window;
                self.window = (self.window * DECREASE).max(2.0);
                self.threshold = self.window;
                self.reduced_at = Some(at);
                self.recovers = self.next;
            }
        }
    }

    fn grow(&mut self, at: Instant) {
        if self.window < self.threshold {
            self.window += 1.0;
            return;
        }
        let since = self.reduced_at.map_or(0.0, |reduced| (at - reduced).as_secs_f64());
        let inflection = (self.before * (1.0 - DECREASE) / GROWTH).cbrt();
        let cubic = GROWTH * (since - inflection).powi(3) + self.before;
        // As Reno would, if that is more.
        let reno = self.before * DECREASE
            + 3.0 * (1.0 - DECREASE) / (1.0 + DECREASE) * since / self.round_trip.as_secs_f64().max(0.001);
        let target = cubic.max(reno).min(self.window * 1.5);
        self.window += ((target - self.window) / self.window).max(0.01 / self.window);
    }

    /// One of its packets came out of the link.
    pub(super) fn on_arrival(&mut self, number: u64, at: Instant) {
        let second = usize::try_from((at - self.begins).as_secs()).expect("short");
        if self.arrived.len() <= second {
            self.arrived.resize(second + 1, 0);
        }
        self.arrived[second] += PACKET as u64;
        self.acks.insert((at + self.back, number));
    }
}
