//! What a forwarded packet costs: the engine end to end over real sockets, beside the floor.

mod engine;
mod floor;
mod measure;
pub(crate) mod report;
mod stream;
pub(crate) mod workers;

use crate::sink::{Sink, SinkKind};
use crate::spread::Spread;
use crate::system::{CoreTicks, pin_to, thread_cpu_ns};
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use engine::EngineLane;
use floor::Floor;
use measure::{Tally, pair, run_for};
use railgun_media_core::srtp::Suite;
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// Without options: video in bursts of 1, 4 and 8, and audio, to 50 consumers. Every option that
/// names several values is measured with each of them.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Everything that is promised: 50 and 200 consumers with each suite, and 1000 and 2000
    #[arg(long, conflicts_with_all = ["media", "burst", "consumers", "suite"])]
    matrix: bool,
    /// Only this media
    #[arg(long, value_enum)]
    media: Option<Media>,
    /// Bytes of RTP payload [video 1172, audio 150]
    #[arg(long, value_parser = clap::value_parser!(u16).range(16..=1200))]
    payload: Option<u16>,
    /// Packets that arrive together [1,4,8 for video, 1 for audio]
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=32))]
    burst: Vec<u16>,
    #[arg(long, default_value = "50", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=4000))]
    consumers: Vec<u16>,
    #[arg(long, value_enum, default_value = "gcm256", value_delimiter = ',')]
    suite: Vec<SuiteName>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SuiteName {
    /// AEAD_AES_256_GCM, the node's first choice and browsers'
    Gcm256,
    /// AEAD_AES_128_GCM
    Gcm128,
    /// AES_CM_128_HMAC_SHA1_80
    Cm,
}

impl SuiteName {
    const ALL: [Self; 3] = [Self::Gcm256, Self::Gcm128, Self::Cm];

    fn suite(self) -> Suite {
        match self {
            Self::Gcm256 => Suite::AeadAes256Gcm,
            Self::Gcm128 => Suite::AeadAes128Gcm,
            Self::Cm => Suite::AesCm128HmacSha1_80,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Scenario {
    suite: Suite,
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
    /// Of the measured core's time, as the kernel's ticks tell: engine, floor and what feeds them.
    softirq_share: f64,
}

impl Options {
    fn scenarios(&self) -> Vec<Scenario> {
        if !self.matrix {
            return self.of(&self.suite, &self.consumers, &self.burst, self.media);
        }
        let mut scenarios = self.of(&SuiteName::ALL, &[50, 200], &[], None);
        scenarios.extend(self.of(&SuiteName::ALL[..1], &[1000, 2000], &[8], Some(Media::Video)));
        scenarios
    }

    /// Each combination. Without `bursts` and `media`: all of those there are.
    fn of(
        &self,
        suites: &[SuiteName],
        consumers: &[u16],
        bursts: &[u16],
        media: Option<Media>,
    ) -> Vec<Scenario> {
        let mut scenarios = Vec::new();
        let media = media.map_or_else(|| vec![Media::Video, Media::Audio], |media| vec![media]);
        for (suite, consumers) in suites.iter().flat_map(|it| consumers.iter().map(move |n| (it, *n))) {
            for media in &media {
                let (payload, usual) = match media {
                    Media::Video => (1172, &[1, 4, 8][..]),
                    Media::Audio => (150, &[1][..]),
                };
                for burst in if bursts.is_empty() { usual } else { bursts } {
                    scenarios.push(Scenario {
                        suite: suite.suite(),
                        media: *media,
                        payload: self.payload.map_or(payload, usize::from),
                        burst: usize::from(*burst),
                        consumers: consumers.into(),
                    });
                }
            }
        }
        scenarios
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
