//! `railgun-sim`: whole clusters in one thread, in virtual time, from one seed. README.md says how it works.

mod act;
mod addresses;
mod balancer;
mod beside;
mod calls;
mod client;
mod days;
mod etcd;
mod worker_host;
mod kernel;
mod history;
mod hooks;
mod http;
mod known;
mod looks;
mod messages;
mod operator;
mod plan;
mod programs;
mod relay;
mod room_model;
mod rogue;
mod rules;
mod shrink;
mod slots;
mod timeline_host;
mod tokens;
mod told;
mod tricks;
mod warp;
mod world;

use clap::Parser;
use plan::Plan;
use shrink::Cut;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use world::Outcome;

/// Whole clusters in virtual time, from one seed
#[derive(Clone, Debug, Parser)]
#[command(name = "railgun-sim", version)]
struct Options {
    /// How many seeds to run
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// This one alone
    #[arg(long)]
    seed: Option<u64>,
    /// Tell what happens
    #[arg(long)]
    trace: bool,
    /// No further seed after so many seconds
    #[arg(long)]
    time: Option<u64>,
    /// Seeds that run at once, each on a thread of its own
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// The cluster of 3 nodes, 3 replicas and 20 rooms in place of the small one
    #[arg(long)]
    full: bool,
    /// Run every seed of this number twice, and compare the hashes of what happened; 0: none
    #[arg(long, default_value_t = 100)]
    twice: u64,
    /// Stop at the first seed that breaks a rule
    #[arg(long)]
    first: bool,
    /// Say that a rule was broken, and do not cut the plan down
    #[arg(long)]
    no_shrink: bool,
    #[command(flatten)]
    cut: Cut,
    /// Before the seeds, every order of what two sessions can do in one room
    #[arg(long)]
    interleavings: bool,
    /// Before the seeds, a call and a cluster that last so many days, without their idle time
    #[arg(long, value_name = "DAYS")]
    warp: Option<u32>,
    /// One world, for the process that started this one
    #[arg(long, hide = true)]
    child: bool,
}

impl Options {
    fn plan(&self, seed: u64) -> Plan {
        if self.full { plan::full(seed) } else { plan::small(seed) }
    }

    /// Runs a seed's world in a process of its own: libraries count and draw once in a process what follows from
    /// nothing in the seed.
    fn run(&self, seed: u64, cut: &Cut, trace: bool) -> Outcome {
        let Ok(program) = std::env::current_exe() else { return Outcome::default() };
        let mut child = Command::new(program);
        child.args(["--seed", &seed.to_string(), "--child"]).env(tokens::DIRECTORY, tokens::directory());
        cut.arguments(&mut child);
        child.args(self.full.then_some("--full")).args(trace.then_some("--trace"));
        let Ok(said) = child.stderr(Stdio::inherit()).output() else { return Outcome::default() };
        let text = String::from_utf8_lossy(&said.stdout);
        let mut lines = text.lines();
        let outcome = lines.next().and_then(|line| serde_json::from_str(line).ok());
        let mut outcome: Outcome = outcome.unwrap_or_else(|| Outcome {
            broken: vec![format!("The process of a world does not die: {}", said.status)],
            ..Outcome::default()
        });
        outcome.timeline = lines.map(ToOwned::to_owned).collect();
        outcome
    }
}

/// This process is one world: its outcome as JSON, then its timeline.
fn child(options: &Options, seed: u64) -> ExitCode {
    let plan = options.cut.of(options.plan(seed));
    let trace = options.trace;
    let days = options.cut.days;
    told::watch_panics();
    let world = std::thread::spawn(move || match days {
        Some(days) => days::run(seed, &plan::quiet(seed), days, trace),
        None => world::run(seed, &plan, trace),
    });
    let mut outcome = world.join().unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Outcome {
            broken: vec![format!("Nothing panics: {}", text.unwrap_or_default())],
            ..Outcome::default()
        }
    });
    let timeline = std::mem::take(&mut outcome.timeline);
    println!("{}", serde_json::to_string(&outcome).unwrap_or_default());
    timeline.iter().for_each(|line| println!("{line}"));
    ExitCode::SUCCESS
}

impl Options {
    /// A call of so many days, and a cluster's life of as many. False: a rule was broken.
    fn warped(&self, days: u32) -> bool {
        told::begin(false);
        let month = warp::run(days);
        let (_, mut broken) = told::end();
        println!(
            "{} days of a call: {} packets heard, {} wraps of sequence numbers, {} of timestamps, {} events at wraps of roomSeq",
            month.days, month.packets, month.sequence_wraps, month.timestamp_wraps, month.events
        );
        let cluster = self.run(u64::from(days), &Cut::of_days(days), self.trace);
        println!(
            "{days} days of a cluster: {} virtual s, {} joins, {} packets heard",
            cluster.virtual_seconds, cluster.joins, cluster.packets
        );
        cluster.timeline.iter().for_each(|line| println!("{line}"));
        broken.extend(cluster.broken);
        broken.iter().take(3).for_each(|how| println!("  {how}"));
        broken.is_empty()
    }
}

/// False: a room did not do what its model does.
fn every_order() -> bool {
    told::begin(false);
    let orders = room_model::interleavings();
    let (_, broken) = told::end();
    println!("{orders} orders of two sessions' deeds in one room, {} broke a rule", broken.len());
    broken.iter().take(3).for_each(|how| println!("  {how}"));
    broken.is_empty()
}

#[derive(Default)]
struct Sums {
    seeds: u64,
    virtual_seconds: u64,
    call_seconds: u64,
    packets: u64,
    joins: u64,
    resumes: u64,
    twice: u64,
    failed: Vec<u64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if std::env::var_os("RUST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
    tokens::prepare().expect("a directory for the key of tokens");
    if let Some(seed) = options.seed.filter(|_| options.child) {
        return child(&options, seed);
    }
    let began = Instant::now();
    if options.warp.is_some_and(|days| !options.warped(days)) {
        return ExitCode::FAILURE;
    }
    if options.interleavings && !every_order() {
        return ExitCode::FAILURE;
    }
    let (first, end) =
        options.seed.map_or((options.from, options.from + options.seeds), |seed| (seed, seed + 1));
    let (next, sums) = (AtomicU64::new(first), Mutex::new(Sums::default()));
    std::thread::scope(|threads| {
        for _ in 0..options.threads.max(1) {
            threads.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let late = options.time.is_some_and(|time| began.elapsed() >= Duration::from_secs(time));
                    if seed >= end
                        || late
                        || (options.first && !sums.lock().expect("no panic").failed.is_empty())
                    {
                        return;
                    }
                    one(&options, seed, &sums);
                }
            });
        }
    });
    tokens::clean_up();
    let sums = sums.into_inner().expect("no panic");
    let cpu = cpu_time();
    println!(
        "{} seeds in {:.1} s, {:.1} s of CPU: {} virtual s, {} s of people in calls ({:.0} a CPU second), \
         {} joins, {} resumes, {} packets heard, {} seeds twice with equal hash, {} broke a rule{}",
        sums.seeds,
        began.elapsed().as_secs_f64(),
        cpu.as_secs_f64(),
        sums.virtual_seconds,
        sums.call_seconds,
        sums.call_seconds as f64 / cpu.as_secs_f64().max(0.001),
        sums.joins,
        sums.resumes,
        sums.packets,
        sums.twice,
        sums.failed.len(),
        if sums.failed.is_empty() { String::new() } else { format!(": {:?}", sums.failed) }
    );
    if sums.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(options: &Options, seed: u64, sums: &Mutex<Sums>) {
    let mut outcome = options.run(seed, &options.cut, options.trace);
    let is_twice = options.twice > 0 && seed.is_multiple_of(options.twice);
    if is_twice {
        let again = options.run(seed, &options.cut, false);
        if again.hash != outcome.hash {
            outcome.broken.push(format!(
                "The same seed twice has one trace: {:016x} and {:016x}",
                outcome.hash, again.hash
            ));
        }
    }
    let mut sums = sums.lock().expect("no panic");
    sums.seeds += 1;
    sums.virtual_seconds += outcome.virtual_seconds;
    sums.call_seconds += outcome.call_seconds;
    sums.packets += outcome.packets;
    sums.joins += outcome.joins;
    sums.resumes += outcome.resumes;
    sums.twice += u64::from(is_twice);
    if options.trace {
        outcome.timeline.iter().for_each(|line| println!("{line}"));
        println!("hash {:016x}", outcome.hash);
    }
    if outcome.broken.is_empty() {
        return;
    }
    sums.failed.push(seed);
    drop(sums);
    println!("SEED={seed} COMMIT={}", commit());
    outcome.broken.iter().take(3).for_each(|broken| println!("  {broken}"));
    if !options.no_shrink && !options.trace {
        let events = options.plan(seed).steps.len();
        shrink::tell(seed, events, options.cut.blind, &outcome, |cut, trace| options.run(seed, cut, trace));
    }
}

/// Of the processes of worlds that have ended, and of this one.
fn cpu_time() -> Duration {
    let ticks = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = ticks.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let of = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    Duration::from_millis((11..15).map(of).sum::<u64>() * 10)
}

fn commit() -> String {
    let asked = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    asked.map_or_else(|_| "unknown".into(), |said| String::from_utf8_lossy(&said.stdout).trim().to_owned())
}
