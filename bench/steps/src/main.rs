//! `railgun-steps`: the names of the steps; or, with a name and a number, so many runs of one, for a
//! profiler that counts in `measured_run`. Prints for how many packets that was.
#![forbid(unsafe_code)]

use railgun_steps::{STEPS, measured_run};
use std::process::ExitCode;

/// Runs before the measured one, which fill caches, tables and branch history.
const WARM_UP: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, runs] = &arguments[..] else {
        STEPS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let step = STEPS.iter().find(|(step, _)| step == name);
    let Some(((_, make), runs)) = step.zip(runs.parse().ok()) else {
        eprintln!("usage: railgun-steps [STEP RUNS]");
        return ExitCode::FAILURE;
    };
    let mut step = make();
    for _ in 0..WARM_UP {
        step.prepare();
        step.run();
    }
    let mut packets = 0;
    for _ in 0..runs {
        step.prepare();
        packets += measured_run(&mut *step);
    }
    println!("{packets}");
    ExitCode::SUCCESS
}
