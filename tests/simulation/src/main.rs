//! `railgun-sim`: whole clusters in virtual time, from one seed.

mod client;
mod etcd;
mod ground;
mod kernel;
mod plan;
mod rules;
mod tokens;
mod told;
mod world;

use clap::Parser;
use std::process::ExitCode;
use std::time::Instant;

/// Whole clusters in virtual time, from one seed.
#[derive(Debug, Parser)]
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
}

fn run(seed: u64, trace: bool) -> world::Outcome {
    let plan = plan::small(seed);
    // A thread of its own, whose hash maps and random numbers begin anew.
    let run = move || world::run(seed, &plan, trace);
    std::thread::spawn(run).join().expect("a world does not panic")
}

fn main() -> ExitCode {
    let options = Options::parse();
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_writer(std::io::stderr)
            .init();
    }
    tokens::prepare().expect("a key for tokens");
    let seeds = options.seed.map_or(options.from..options.from + options.seeds, |seed| seed..seed + 1);
    let mut failed = 0;
    for seed in seeds {
        let start = Instant::now();
        let outcome = run(seed, options.trace);
        if options.trace {
            outcome.timeline.iter().for_each(|line| println!("{line}"));
        }
        println!(
            "seed {seed}: {:?} real, {} virtual, calls {} s, joins {} resumes {} packets {} steps {} hash {:016x}",
            start.elapsed(),
            outcome.virtual_seconds,
            outcome.call_seconds,
            outcome.joins,
            outcome.resumes,
            outcome.packets,
            outcome.steps,
            outcome.hash
        );
        for broken in &outcome.broken {
            println!("  {broken}");
        }
        failed += u64::from(!outcome.broken.is_empty());
    }
    tokens::clean_up();
    println!("{failed} failed");
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
