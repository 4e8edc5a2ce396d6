//! What a link takes over time: steps, a seeded model of a radio, or a recorded trace.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::time::Duration;

/// Bits a second from times after the start on; begins anew when it is over.
#[derive(Clone, Debug)]
pub struct Rates {
    /// In order; the first is from the start.
    steps: Vec<(Duration, u64)>,
    /// After so long it begins again; none: the last step stays.
    period: Option<Duration>,
}

/// A radio of which a model makes rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Radio {
    /// Shadowing: log-normal with a deviation of 0.45 and a correlation time of 2 s; fast fading: log-normal, 0.25,
    /// 80 ms; a handover each 25 s on average (exponential), in which nothing is sent for 80-300 ms.
    Lte,
    /// Contention: two states, idle for 2.5 s and busy for 0.5 s on average (exponential), in which a tenth to six
    /// tenths of the rate are left; a stall of 20-120 ms each 4 s on average; rate adaptation: log-normal, 0.2, 1 s.
    WiFi,
    /// Line of sight: as LTE with a deviation of 0.25; blockages each 12 s on average, of 0.2-1.5 s, in which a
    /// twentieth to a fifth of the rate is left.
    FiveG,
}

/// Between two steps of a model.
const STEP: Duration = Duration::from_millis(20);
/// The least that a model gives outside of a stall, in bits a second.
const RATE_MIN: f64 = 50_000.0;

impl Rates {
    pub fn new(rate: u64) -> Self {
        Self { steps: vec![(Duration::ZERO, rate)], period: None }
    }

    /// Another rate from this time on, which is after the others.
    pub fn push(&mut self, from: Duration, rate: u64) {
        self.steps.push((from, rate));
    }

    /// A model's rates for so long, around a median of `rate` bits a second.
    pub fn of_radio(radio: Radio, rate: u64, seed: u64, length: Duration) -> Self {
        let mut model = Model::new(radio, seed);
        let count = u32::try_from(length.as_millis() / STEP.as_millis()).expect("short");
        let step = |at| (STEP * at, model.next(rate as f64));
        Self { steps: (0..count).map(step).collect(), period: Some(length) }
    }

    /// A trace in Mahimahi's format: a line for each packet of 1,500 bytes that may leave, its time in
    /// milliseconds; it begins again after the last. Opportunities are taken together by 10 ms. None if a line is
    /// something else, or they are not in order.
    pub fn from_mahimahi(text: &str) -> Option<Self> {
        const BIN_MS: u64 = 10;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let times: Vec<u64> = lines.map(|line| line.parse().ok()).collect::<Option<_>>()?;
        let last = *times.last().filter(|_| times.is_sorted())?;
        let bins = usize::try_from(last.max(1).div_ceil(BIN_MS)).ok().filter(|bins| *bins < 1 << 20)?;
        let mut counts = vec![0u64; bins];
        for at in times {
            let bin = usize::try_from(at / BIN_MS).ok()?.min(bins - 1);
            counts[bin] += 1;
        }
        let step = |(bin, count): (u64, u64)| {
            (Duration::from_millis(bin * BIN_MS), count * 1_500 * 8 * 1_000 / BIN_MS)
        };
        let period = Duration::from_millis(bins as u64 * BIN_MS);
        Some(Self { steps: (0..).zip(counts).map(step).collect(), period: Some(period) })
    }

    /// Where in its period this time is, and when the period began.
    fn place(&self, at: Duration) -> (Duration, Duration) {
        let Some(period) = self.period else { return (at, Duration::ZERO) };
        let begun = period * u32::try_from(at.as_nanos() / period.as_nanos()).expect("short");
        (at - begun, begun)
    }

    /// Rate at this time in bits per second, and the time of the next change.
    fn step(&self, at: Duration) -> (u64, Option<Duration>) {
        let (inside, begun) = self.place(at);
        let next = self.steps.partition_point(|(from, _)| *from <= inside);
        let rate = next.checked_sub(1).map_or(0, |place| self.steps[place].1);
        let until = self.steps.get(next).map(|(from, _)| *from).or(self.period);
        (rate, until.map(|until| begun + until))
    }

    pub fn rate(&self, at: Duration) -> u64 {
        self.step(at).0
    }

    /// How long so many bytes take from this time on.
    pub fn time_of(&self, bytes: usize, from: Duration) -> Duration {
        let (mut at, mut bits) = (from, bytes as f64 * 8.0);
        loop {
            let (rate, until) = self.step(at);
            let rate = rate.max(1) as f64;
            let done = at + Duration::from_secs_f64(bits / rate);
            match until.filter(|until| *until < done) {
                Some(until) => {
                    bits -= (until - at).as_secs_f64() * rate;
                    at = until;
                }
                None => return done - from,
            }
        }
    }

    /// The mean until then, in bits a second.
    pub fn mean(&self, until: Duration) -> f64 {
        let (mut at, mut bits) = (Duration::ZERO, 0.0);
        while at < until {
            let (rate, end) = self.step(at);
            let end = end.map_or(until, |end| end.min(until));
            bits += rate as f64 * (end - at).as_secs_f64();
            at = end;
        }
        bits / until.as_secs_f64()
    }
}

/// A first-order autoregressive process with a mean of 0.
#[derive(Debug)]
struct Wander {
    value: f64,
    keeps: f64,
    deviation: f64,
}

impl Wander {
    fn new(deviation: f64, correlated: Duration) -> Self {
        let keeps = (-STEP.as_secs_f64() / correlated.as_secs_f64()).exp();
        Self { value: 0.0, keeps, deviation }
    }

    fn next(&mut self, rng: &mut ChaCha12Rng) -> f64 {
        // The sum of twelve uniform variables is nearly normal.
        let normal = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        self.value =
            self.value * self.keeps + normal * self.deviation * (1.0 - self.keeps * self.keeps).sqrt();
        self.value
    }
}

#[derive(Debug)]
struct Model {
    radio: Radio,
    rng: ChaCha12Rng,
    slow: Wander,
    fast: Wander,
    /// What is left of the rate, for so many steps.
    event: (f64, u32),
}

impl Model {
    fn new(radio: Radio, seed: u64) -> Self {
        let (slow, fast) = match radio {
            Radio::Lte => ((0.45, 2_000), (0.25, 80)),
            Radio::WiFi => ((0.2, 1_000), (0.1, 60)),
            Radio::FiveG => ((0.25, 2_000), (0.25, 80)),
        };
        let wander = |(deviation, millis)| Wander::new(deviation, Duration::from_millis(millis));
        let rng = ChaCha12Rng::seed_from_u64(seed);
        Self { radio, rng, slow: wander(slow), fast: wander(fast), event: (1.0, 0) }
    }

    /// Whether something begins in this step that does each so many seconds.
    fn begins(&mut self, seconds: f64) -> bool {
        self.rng.random::<f64>() < STEP.as_secs_f64() / seconds
    }

    fn begin(&mut self, left: std::ops::Range<f64>, seconds: std::ops::Range<f64>) {
        let left = if left.is_empty() { left.start } else { self.rng.random_range(left) };
        let steps = self.rng.random_range(seconds) / STEP.as_secs_f64();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "few")]
        let steps = steps.ceil() as u32;
        self.event = (left, steps);
    }

    fn next(&mut self, median: f64) -> u64 {
        let faded = median * (self.slow.next(&mut self.rng) + self.fast.next(&mut self.rng)).exp();
        let (left, steps) = &mut self.event;
        if *steps > 0 {
            *steps -= 1;
        } else {
            *left = 1.0;
            let radio = self.radio;
            match radio {
                Radio::Lte if self.begins(25.0) => self.begin(0.0..0.0, 0.08..0.3),
                Radio::WiFi if self.begins(4.0) => self.begin(0.0..0.0, 0.02..0.12),
                Radio::WiFi if self.begins(2.5) => {
                    let busy = -0.5 * (1.0 - self.rng.random::<f64>()).ln();
                    self.begin(0.1..0.6, busy..busy + 0.02);
                }
                Radio::FiveG if self.begins(12.0) => self.begin(0.05..0.2, 0.2..1.5),
                _ => {}
            }
        }
        let (left, _) = self.event;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
        let rate = (faded * left).max(if left > 0.0 { RATE_MIN } else { 0.0 }) as u64;
        rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_mahimahi_trace_gives_its_opportunities_and_begins_again() {
        // Two packets in the first 10 ms, none in the second, one in the third.
        let rates = Rates::from_mahimahi("1\n4\n\n30\n").unwrap();
        let at = Duration::from_millis;
        assert_eq!(rates.rate(at(5)), 2_400_000);
        assert_eq!((rates.rate(at(15)), rates.rate(at(25))), (0, 1_200_000));
        assert_eq!(rates.rate(at(35)), 2_400_000, "the next period");
        assert_eq!(rates.time_of(3_000, at(0)), at(10));
        assert_eq!(rates.time_of(4_500, at(0)).as_micros().div_ceil(1_000), 30);
        assert!(Rates::from_mahimahi("4\n1\n").is_none() && Rates::from_mahimahi("a").is_none());
        assert!(Rates::from_mahimahi("").is_none());
    }

    #[test]
    fn a_model_is_a_function_of_its_seed_and_stays_around_its_median() {
        for radio in [Radio::Lte, Radio::WiFi, Radio::FiveG] {
            let rates = |seed| Rates::of_radio(radio, 2_000_000, seed, MINUTE);
            assert_eq!(rates(1).steps, rates(1).steps);
            assert_ne!(rates(1).steps, rates(2).steps);
            let means: Vec<f64> = (0..20).map(|seed| rates(seed).mean(MINUTE)).collect();
            let mean = means.iter().sum::<f64>() / 20.0;
            assert!((1_500_000.0..2_500_000.0).contains(&mean), "{radio:?}: {mean}");
            let least = rates(3).steps.iter().map(|(_, rate)| *rate).min().unwrap();
            assert!(least < 400_000, "{radio:?} has bad moments: {least}");
        }
    }
}
