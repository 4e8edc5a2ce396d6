//! What a forwarded packet costs: the engine end to end over real sockets, beside the floor.

mod engine;
mod floor;
mod measure;
mod report;

use crate::sink::{Sink, SinkKind};
use crate::system::pin_to;
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use engine::EngineLane;
use floor::Floor;
use measure::{Spread, Tally, pair};
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// Without options: video in bursts of 1, 4 and 8, and audio, to 50 consumers.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Measure one scenario only: this media
    #[arg(long, value_enum)]
    media: Option<Media>,
    /// Bytes of RTP payload [video 1172, audio 150]
    #[arg(long, value_parser = clap::value_parser!(u16).range(16..=1200))]
    payload: Option<u16>,
    /// Packets that arrive together [1, 4 and 8 for video, 1 for audio]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=32))]
    burst: Option<u16>,
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=4000))]
    consumers: u16,
    /// Where the packets go
    #[arg(long, value_enum, default_value = "tun")]
    sink: SinkKind,
    /// Runs of each scenario
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
    /// How long a run lasts for each of engine and floor, in ms
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(50..=60_000))]
    run_ms: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Media {
    /// VP8
    Video,
    /// Opus
    Audio,
}

#[derive(Clone, Copy, Debug)]
struct Scenario {
    media: Media,
    /// Bytes of RTP payload.
    payload: usize,
    /// Packets that arrive in one message.
    burst: usize,
    consumers: usize,
}

/// The figures of one scenario.
#[derive(Debug)]
struct Row {
    scenario: Scenario,
    engine_ns: Spread,
    floor_ns: Spread,
    /// Engine over floor, run by run.
    ratio: Spread,
    allocations_per_packet: f64,
    /// What the sink counted over what was sent.
    sink_seen: f64,
    /// CPU time over wall time of the measured thread.
    core_held: f64,
}

impl Options {
    fn scenarios(&self) -> Vec<Scenario> {
        let media = self.media.map_or_else(|| vec![Media::Video, Media::Audio], |media| vec![media]);
        let bursts = |media| match (self.burst, media) {
            (Some(burst), _) => vec![burst],
            (None, Media::Video) => vec![1, 4, 8],
            (None, Media::Audio) => vec![1],
        };
        let payload = |media| match media {
            Media::Video => 1172,
            Media::Audio => 150,
        };
        let of = |media| {
            bursts(media).into_iter().map(move |burst| Scenario {
                media,
                payload: self.payload.map_or_else(|| payload(media), usize::from),
                burst: burst.into(),
                consumers: self.consumers.into(),
            })
        };
        media.into_iter().flat_map(of).collect()
    }
}

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
        let row = measure_scenario(scenario, &mut sink, options)
            .with_context(|| format!("{:?}, bursts of {}", scenario.media, scenario.burst))?;
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

fn measure_scenario(scenario: Scenario, sink: &mut Sink, options: &Options) -> Result<Row> {
    let destinations = sink.destinations(scenario.consumers);
    let mut floor = Floor::new(&scenario, &destinations)?;
    floor.verify()?;
    let mut engine = EngineLane::new(&scenario, &destinations)?;
    let each = Duration::from_millis(options.run_ms.into());
    // Warm caches, grown buffers, a full device queue.
    pair(&mut engine, &mut floor, each / 4)?;
    let (seen, forwarded) = (sink.seen()?, engine.forwarded()?);
    let (wall, cpu) = (Instant::now(), crate::system::thread_cpu_ns());
    let mut runs = Vec::new();
    for _ in 0..options.runs {
        engine.renew_consents();
        runs.push(pair(&mut engine, &mut floor, each)?);
    }
    let core_held = (crate::system::thread_cpu_ns() - cpu) as f64 / wall.elapsed().as_nanos() as f64;
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
