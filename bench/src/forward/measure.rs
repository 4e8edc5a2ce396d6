//! Measures two programs in turns of a few milliseconds, so that what disturbs the machine disturbs both.

use crate::allocations;
use crate::system::thread_cpu_ns;
use anyhow::Result;
use std::time::{Duration, Instant};

/// How long one lane runs before the other does.
const SLICE: Duration = Duration::from_millis(50);

/// One way of forwarding.
pub(super) trait Lane {
    /// Puts one burst into the lane's receiving socket; the clocks stand.
    fn fill(&mut self) -> Result<()>;
    /// Forwards that burst; the clocks run.
    fn step(&mut self) -> Result<Stepped>;
}

/// What a step sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stepped {
    /// Media packets forwarded.
    pub(super) packets: usize,
    /// Messages given to the kernel, reports included.
    pub(super) runs: usize,
    /// Datagrams in those messages.
    pub(super) datagrams: usize,
}

/// Sums over one or more slices of a lane.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) cpu_ns: u64,
    pub(super) allocations: u64,
    pub(super) bursts: u64,
    pub(super) packets: u64,
    pub(super) runs: u64,
    pub(super) datagrams: u64,
}

impl Tally {
    pub(super) fn ns_per_packet(&self) -> f64 {
        self.cpu_ns as f64 / self.packets as f64
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.cpu_ns += other.cpu_ns;
        self.allocations += other.allocations;
        self.bursts += other.bursts;
        self.packets += other.packets;
        self.runs += other.runs;
        self.datagrams += other.datagrams;
    }
}

/// Runs a lane for so long of wall time.
pub(super) fn run_for(lane: &mut impl Lane, lasting: Duration, tally: &mut Tally) -> Result<()> {
    let until = Instant::now() + lasting;
    while Instant::now() < until {
        lane.fill()?;
        let (allocations, cpu_ns) = (allocations::of_this_thread(), thread_cpu_ns());
        let stepped = lane.step()?;
        tally.cpu_ns += thread_cpu_ns() - cpu_ns;
        tally.allocations += allocations::of_this_thread() - allocations;
        tally.bursts += 1;
        tally.packets += stepped.packets as u64;
        tally.runs += stepped.runs as u64;
        tally.datagrams += stepped.datagrams as u64;
    }
    Ok(())
}

/// Both lanes in turn until each had `each` of wall time; which goes first alternates.
pub(super) fn pair(a: &mut impl Lane, b: &mut impl Lane, each: Duration) -> Result<(Tally, Tally)> {
    let (mut of_a, mut of_b) = (Tally::default(), Tally::default());
    let rounds = each.as_millis().div_ceil(SLICE.as_millis()).max(1);
    for round in 0..rounds {
        if round % 2 == 0 {
            run_for(a, SLICE, &mut of_a)?;
            run_for(b, SLICE, &mut of_b)?;
        } else {
            run_for(b, SLICE, &mut of_b)?;
            run_for(a, SLICE, &mut of_a)?;
        }
    }
    Ok((of_a, of_b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes CPU time in `fill`, which must not count, and allocates in `step`, which must.
    struct Busy;

    impl Lane for Busy {
        fn fill(&mut self) -> Result<()> {
            let until = Instant::now() + Duration::from_millis(5);
            while Instant::now() < until {}
            Ok(())
        }

        fn step(&mut self) -> Result<Stepped> {
            std::hint::black_box(vec![0u8; 32]);
            Ok(Stepped { packets: 10, runs: 2, datagrams: 11 })
        }
    }

    #[test]
    fn only_the_step_counts() {
        let (a, b) = pair(&mut Busy, &mut Busy, SLICE).unwrap();
        for tally in [a, b] {
            assert!(tally.bursts >= 2, "{tally:?}");
            assert_eq!(tally.allocations, tally.bursts);
            assert_eq!((tally.packets, tally.runs), (tally.bursts * 10, tally.bursts * 2));
            assert!(tally.cpu_ns < tally.bursts * 1_000_000, "{tally:?}");
        }
    }
}
