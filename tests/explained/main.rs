//! Compares faults drawn in simulated calls with what the control-plane tells of them, and prints the confusion matrix.
//! Fails below 95 %, or if somebody is blamed for a sound minute.

use railgun_explained::{Tally, judge};
use std::process::ExitCode;

const USAGE: &str = "--faults COUNT [--from SEED], or --minutes SEED for what is told of one call, in JSON";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)?.parse::<u64>().ok()
    };
    if let Some(seed) = value("--minutes") {
        println!("{}", judge(seed).minutes);
        return ExitCode::SUCCESS;
    }
    let Some(count) = value("--faults") else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let wanted = usize::try_from(count).expect("as many as there are addresses");
    let (mut tally, mut next) = (Tally::default(), value("--from").unwrap_or(1));
    // Calls whose faults have no effect are made up for.
    while tally.faulty() < wanted {
        let more = u64::try_from(wanted - tally.faulty()).expect("few");
        tally.judge(next..next + more);
        next += more;
    }
    println!("{tally}");
    let is_right = 100 * tally.right() >= 95 * tally.faulty() && tally.blamed() == 0;
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
