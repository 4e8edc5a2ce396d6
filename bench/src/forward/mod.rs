//! What a forwarded packet costs: the engine end to end over real sockets, beside the floor.

mod engine;
mod floor;
mod measure;
mod options;
pub(crate) mod report;
mod stream;
pub(crate) mod workers;

pub(crate) use options::Options;

use crate::sink::{Sink, SinkKind};
use crate::spread::Spread;
use crate::system::{CoreTicks, pin_to, thread_cpu_ns};
use anyhow::{Context, Result, ensure};
use engine::EngineLane;
use floor::Floor;
use measure::{Tally, pair, run_for};
use options::{Media, Scenario};
use railgun_media_core::srtp::Suite;
use report::Row;
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// Measures on a thread of its own, which leaves the caller's namespace and core as they were, and
/// prints a table to standard output, or gives the figures if `json` is set.
pub(crate) fn run(options: &Options, json: bool) -> Result<Value> {
    let options = options.clone();
    let measuring = thread::Builder::new().name("measured".into()).spawn(move || measure(&options, json))?;
    measuring.join().map_err(|_| anyhow::anyhow!("the measurement panicked"))?
}

fn measure(options: &Options, json: bool) -> Result<Value> {
    let cores = thread::available_parallelism()?.get();
    ensure!(cores >= 2, "two cores are needed: the last is measured, the first does the rest");
    let mut sink = Sink::open(options.sink, 0)?;
    pin_to(cores - 1)?;
    if !json {
        report::print_head(&sink, options);
    }
    let mut rows = Vec::new();
    for scenario in options.scenarios() {
        let row = measure_scenario(scenario, &mut sink, options, cores - 1)
            .with_context(|| format!("{scenario:?}"))?;
        if !json {
            report::print_row(&row);
        }
        rows.push(row);
    }
    if !json {
        report::print_doubts(&rows);
    }
    Ok(report::json(&sink, options, &rows))
}

/// What an audio packet to so many must cost, in ns: the floor's median towards the quietest sink.
pub(crate) fn floor_of_audio(consumers: usize) -> Result<f64> {
    let measure = move || {
        let cores = thread::available_parallelism()?.get();
        let sink = Sink::open(SinkKind::Tun, 0)?;
        pin_to(cores - 1)?;
        let suite = Suite::AeadAes256Gcm;
        let scenario = Scenario { suite, media: Media::Audio, payload: 150, burst: 1, consumers };
        let mut floor = Floor::new(&scenario, &sink.destinations(consumers))?;
        let mut runs = Vec::new();
        for _ in 0..5 {
            let mut tally = Tally::default();
            run_for(&mut floor, Duration::from_millis(500), &mut tally)?;
            runs.push(tally.ns_per_packet());
        }
        Ok(Spread::of(runs).median)
    };
    let measuring = thread::Builder::new().name("floor".into()).spawn(measure)?;
    measuring.join().map_err(|_| anyhow::anyhow!("the measurement panicked"))?
}

fn measure_scenario(scenario: Scenario, sink: &mut Sink, options: &Options, core: usize) -> Result<Row> {
    let destinations = sink.destinations(scenario.consumers);
    let mut floor = Floor::new(&scenario, &destinations)?;
    floor.verify()?;
    let mut engine = EngineLane::new(&scenario, &destinations)?;
    let each = Duration::from_millis(options.run_ms.into());
    // Warm caches, grown buffers, a full device queue.
    pair(&mut engine, &mut floor, each / 4)?;
    let (seen, forwarded) = (sink.seen()?, engine.forwarded()?);
    let (wall, cpu, ticks) = (Instant::now(), thread_cpu_ns(), CoreTicks::of(core)?);
    let mut runs = Vec::new();
    for _ in 0..options.runs {
        engine.renew_consents();
        runs.push(pair(&mut engine, &mut floor, each)?);
    }
    let core_held = (thread_cpu_ns() - cpu) as f64 / wall.elapsed().as_nanos() as f64;
    let softirq_share = CoreTicks::of(core)?.softirq_share_since(&ticks);
    // A loopback sink is emptied a moment later.
    thread::sleep(Duration::from_millis(20));
    let (seen, forwarded) = (sink.seen()? - seen, engine.forwarded()? - forwarded);
    let mut total = Tally::default();
    runs.iter().for_each(|(engine, _)| total.add(engine));
    ensure!(forwarded == total.packets, "{forwarded} packets forwarded, {} counted", total.packets);
    let allocations_per_packet = total.allocations as f64 / total.packets as f64;
    runs.iter().for_each(|(_, floor)| total.add(floor));
    Ok(Row {
        scenario,
        engine_ns: Spread::of(runs.iter().map(|(engine, _)| engine.ns_per_packet())),
        floor_ns: Spread::of(runs.iter().map(|(_, floor)| floor.ns_per_packet())),
        ratio: Spread::of(runs.iter().map(|(engine, floor)| engine.ns_per_packet() / floor.ns_per_packet())),
        allocations_per_packet,
        sink_seen: seen as f64 / expected(sink, &total) as f64,
        core_held,
        softirq_share,
    })
}

/// What the sink should have counted; see [`Sink::seen`].
fn expected(sink: &Sink, sent: &Tally) -> u64 {
    match sink.kind {
        SinkKind::Tun if sink.counts_runs => sent.runs,
        SinkKind::Tun | SinkKind::Veth => sent.datagrams,
        SinkKind::Loopback => sent.datagrams + sent.bursts,
    }
}
