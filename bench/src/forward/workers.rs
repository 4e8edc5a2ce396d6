//! Two workers at once beside one alone: what they take from each other.

use super::engine::EngineLane;
use super::measure::{Tally, run_for};
use super::options::{Media, Scenario};
use crate::sink::{Sink, SinkKind};
use crate::spread::Spread;
use crate::system::pin_to;
use anyhow::{Result, ensure};
use clap::Args;
use railgun_media_core::srtp::Suite;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

/// How long each part of a run lasts.
const PART: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=32))]
    burst: u16,
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=4000))]
    consumers: u16,
}

/// What one worker used, alone and beside the other, run by run. The second has no time alone.
type Tallies = Vec<(Tally, Tally)>;

/// Two threads that go on together, or end together if either fails.
struct Pair {
    barrier: Barrier,
    has_failed: AtomicBool,
}

impl Pair {
    fn meet<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.has_failed.store(true, Ordering::SeqCst);
        }
        self.barrier.wait();
        ensure!(result.is_err() || !self.has_failed.load(Ordering::SeqCst), "the other worker failed");
        result
    }
}

/// Prints a few lines to standard output, or gives the figures if `json` is set.
pub(crate) fn run(options: &Options, json: bool) -> Result<Value> {
    let cores = thread::available_parallelism()?.get();
    ensure!(cores >= 2, "two cores are needed");
    let pair = Arc::new(Pair { barrier: Barrier::new(2), has_failed: AtomicBool::new(false) });
    let start = |core: usize, works_alone: bool| {
        let (options, pair) = (options.clone(), pair.clone());
        thread::Builder::new()
            .name(format!("worker-{core}"))
            .spawn(move || work(&options, core, works_alone, &pair))
    };
    let (first, second) = (start(cores - 1, true)?, start(0, false)?);
    let panicked = |_| anyhow::anyhow!("a worker panicked");
    let (first, second) = (first.join().map_err(panicked)?, second.join().map_err(panicked)?);
    let (first, second) = (first?, second?);
    let alone = Spread::of(first.iter().map(|(alone, _)| alone.ns_per_packet()));
    let both = |(mine, other): (&(Tally, Tally), &(Tally, Tally))| {
        f64::midpoint(mine.1.ns_per_packet(), other.1.ns_per_packet())
    };
    let together = Spread::of(first.iter().zip(&second).map(both));
    let ratio = Spread::of(first.iter().zip(&second).map(|it| both(it) / it.0.0.ns_per_packet()));
    if !json {
        println!("Two workers at once beside one, ns of CPU per packet sent, {} runs", options.runs);
        for (name, it, digits) in [("one", alone, 0), ("two", together, 0), ("two/one", ratio, 2)] {
            let Spread { median, min, max } = it;
            println!("{name:<10}{median:.digits$} ({min:.digits$}-{max:.digits$})");
        }
    }
    Ok(json!({ "oneNsPerPacket": alone.json(), "twoNsPerPacket": together.json(), "ratio": ratio.json() }))
}

fn work(options: &Options, core: usize, works_alone: bool, pair: &Pair) -> Result<Tallies> {
    let mut lane = pair.meet(prepare(options, core))?;
    let mut tallies = Vec::new();
    for _ in 0..options.runs {
        lane.renew_consents();
        pair.meet(Ok(()))?;
        let (mut alone, mut together) = (Tally::default(), Tally::default());
        let done = if works_alone { run_for(&mut lane, PART, &mut alone) } else { Ok(()) };
        pair.meet(done)?;
        pair.meet(run_for(&mut lane, PART, &mut together))?;
        tallies.push((alone, together));
    }
    Ok(tallies)
}

fn prepare(options: &Options, core: usize) -> Result<EngineLane> {
    // Held for the process's life: the lane sends to it.
    let sink = Box::leak(Box::new(Sink::open(SinkKind::Tun, core)?));
    pin_to(core)?;
    let scenario = Scenario {
        suite: Suite::AeadAes256Gcm,
        media: Media::Video,
        payload: 1172,
        burst: options.burst.into(),
        consumers: options.consumers.into(),
    };
    EngineLane::new(&scenario, &sink.destinations(scenario.consumers))
}
