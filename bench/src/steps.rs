//! Instructions per packet of each step of the packet path, as callgrind counts them: the same each
//! time, whatever else the machine does.

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What runs the steps; `make steps` builds it.
const PROGRAM: &str = "railgun-steps";
/// The function of it that is counted in.
const COUNTED: &str = "*measured_run*";
/// A change by more than this part is marked.
pub(crate) const NOTABLE: f64 = 0.01;

/// Needs valgrind, and `railgun-steps` beside this binary.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Only steps whose names contain this
    filter: Option<String>,
    /// The program that runs the steps
    #[arg(long)]
    program: Option<PathBuf>,
    /// Runs of each step; a run is a burst, to all consumers where it has any
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    runs: u16,
    /// Counts to compare with
    #[arg(long, default_value = "bench/steps/instructions.txt")]
    baseline: PathBuf,
    /// Fail if a step takes more instructions than the baseline by more than this part of it, in percent;
    /// a baseline that was taken with other tools is not compared with
    #[arg(long, value_name = "PERCENT")]
    rise_max: Option<f64>,
    /// Make these the counts to compare with
    #[arg(long, conflicts_with = "filter")]
    write: bool,
}

/// Counts by step, and what they were taken with.
#[derive(Debug, Default, PartialEq)]
struct Baseline {
    tools: String,
    counts: BTreeMap<String, f64>,
}

impl Baseline {
    fn read(text: &str) -> Self {
        let tools = text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default().to_owned();
        let counts = text.lines().filter_map(|line| line.split_once(' '));
        let counts = counts.filter_map(|(name, count)| Some((name.to_owned(), count.trim().parse().ok()?)));
        Self { tools, counts: counts.collect() }
    }

    fn write(&self) -> String {
        let counts = self.counts.iter().map(|(name, count)| format!("{name} {count:.1}\n"));
        format!("# {}\n{}", self.tools, counts.collect::<String>())
    }
}

/// Prints a table to standard output, or gives the figures if `json` is set.
pub(crate) fn run(options: &Options, json: bool) -> Result<Value> {
    let beside_us = || env::current_exe().map(|path| path.with_file_name(PROGRAM));
    let program = options.program.clone().map_or_else(beside_us, Ok)?;
    ensure!(
        program.is_file(),
        "{} is not there: `make steps` builds it, or give --program",
        program.display()
    );
    let tools = tools()?;
    let before = fs::read_to_string(&options.baseline).map(|text| Baseline::read(&text)).unwrap_or_default();
    if !json {
        println!("Instructions per packet, {tools}");
        println!("{:<24}{:>14}{:>14}{:>10}", "step", "instructions", "baseline", "change");
    }
    let names = String::from_utf8(Command::new(&program).output()?.stdout)?;
    let wanted = options.filter.as_deref().unwrap_or_default();
    let mut counted = Baseline { tools, counts: BTreeMap::new() };
    let mut rows = Vec::new();
    for name in names.lines().filter(|name| name.contains(wanted)) {
        let count = count(&program, name, options.runs)?;
        let was = before.counts.get(name).copied();
        let change = was.map(|was| count / was - 1.0);
        if !json {
            print_row(name, count, was, change);
        }
        rows.push(json!({ "step": name, "instructionsPerPacket": count, "baseline": was, "change": change }));
        counted.counts.insert(name.to_owned(), count);
    }
    ensure!(!rows.is_empty(), "no step of this name");
    if !json && !before.tools.is_empty() && before.tools != counted.tools {
        println!("The baseline was taken with other tools, {}: a change may be theirs", before.tools);
    }
    if let Some(percent) = options.rise_max.filter(|_| before.tools == counted.tools) {
        let risen = risen(&before, &counted, percent / 100.0);
        ensure!(
            risen.is_empty(),
            "more instructions than on record by over {percent} %: {}",
            risen.join(", ")
        );
    }
    if options.write {
        fs::write(&options.baseline, counted.write())
            .with_context(|| options.baseline.display().to_string())?;
    }
    Ok(json!({ "tools": counted.tools, "runs": options.runs, "steps": rows }))
}

/// Steps whose count is above the baseline's by more than this part of it.
fn risen(before: &Baseline, counted: &Baseline, part: f64) -> Vec<String> {
    let above = |(name, count): (&String, &f64)| {
        let was = before.counts.get(name)?;
        (*count > was * (1.0 + part)).then(|| name.clone())
    };
    counted.counts.iter().filter_map(above).collect()
}

fn print_row(name: &str, count: f64, was: Option<f64>, change: Option<f64>) {
    let was = was.map_or_else(|| "-".to_owned(), |was| format!("{was:.1}"));
    let percent = change.map_or_else(|| "-".to_owned(), |change| format!("{:+.1}%", change * 100.0));
    let mark = if change.is_some_and(|change| change.abs() > NOTABLE) { " *" } else { "" };
    println!("{name:<24}{count:>14.1}{was:>14}{percent:>10}{mark}");
}

/// Instructions per packet of one step.
fn count(program: &Path, name: &str, runs: u16) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--error-exitcode=0"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(program)
        .args([name, &runs.to_string()])
        .output()
        .context("valgrind (package valgrind)")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} under valgrind: {told}");
    let packets: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().context("packets of a step")?;
    let collected =
        told.lines().find_map(|line| line.split_once("Collected : ")).context("callgrind's count")?;
    let instructions: f64 = collected.1.trim().parse().context("callgrind's count")?;
    ensure!(packets > 0.0 && instructions > 0.0, "{name} did nothing that was counted");
    Ok(instructions / packets)
}

/// What decides the counts, besides the code.
fn tools() -> Result<String> {
    let version = |program: &str| {
        let output = Command::new(program).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(valgrind) = version("valgrind") else { bail!("valgrind is not installed (package valgrind)") };
    let compiler = version("rustc").unwrap_or_else(|| "unknown compiler".to_owned());
    let compiler = compiler.split(" (").next().unwrap_or_default();
    Ok(format!("{compiler}, {valgrind}, {}", env::consts::ARCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_read_as_it_was_written() {
        let counts = [("demux", 31.5), ("outbound/cm", 12_034.0)];
        let baseline = Baseline {
            tools: "rustc 1.94.0, valgrind-3.19.0, x86_64".to_owned(),
            counts: counts.map(|(name, count)| (name.to_owned(), count)).into(),
        };
        assert_eq!(Baseline::read(&baseline.write()), baseline);
    }

    #[test]
    fn a_step_that_takes_more_instructions_than_on_record_has_risen() {
        let of = |counts: [(&str, f64); 3]| Baseline {
            counts: counts.map(|(name, count)| (name.to_owned(), count)).into(),
            ..Baseline::default()
        };
        let before = of([("demux", 100.0), ("rtp", 100.0), ("gone", 100.0)]);
        let counted = of([("demux", 102.1), ("rtp", 101.9), ("new", 500.0)]);
        assert_eq!(risen(&before, &counted, 0.02), ["demux"]);
    }
}
