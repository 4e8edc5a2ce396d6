//! A failure, cut down: events of the plan are left out as long as the same rule breaks, then what is left is told.

use crate::kernel::LinkFaults;
use crate::plan::Plan;
use crate::world::Outcome;
use clap::Args;
use std::process::Command;

/// Worlds that cutting down may take.
const RUNS_MAX: usize = 80;
/// Lines of the timeline that are told.
const LINES_MAX: usize = 60;

/// Which part of a seed's plan is carried out.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Cut {
    /// Only these events of the plan, by number from 0
    #[arg(long, value_delimiter = ',')]
    keep: Option<Vec<usize>>,
    /// Ways that only delay what they carry
    #[arg(long)]
    quiet_links: bool,
    /// Judge by what clients saw alone: engines are not looked into
    #[arg(long)]
    pub(crate) blind: bool,
    /// In place of its plan, days of a cluster at which nothing goes wrong
    #[arg(long, hide = true)]
    pub(crate) days: Option<u32>,
}

impl Cut {
    pub(crate) fn of_days(days: u32) -> Self {
        Self { days: Some(days), ..Self::default() }
    }

    pub(crate) fn of(&self, mut plan: Plan) -> Plan {
        if let Some(keep) = &self.keep {
            let steps = plan.steps.into_iter().enumerate();
            plan.steps = steps.filter(|(index, _)| keep.contains(index)).map(|(_, step)| step).collect();
        }
        plan.is_blind = self.blind;
        if self.quiet_links {
            plan.faults = LinkFaults { delay_outside: plan.faults.delay_outside, ..LinkFaults::NONE };
        }
        plan
    }

    pub(crate) fn arguments(&self, to: &mut Command) {
        if let Some(days) = self.days {
            to.arg("--days").arg(days.to_string());
        }
        to.args(self.blind.then_some("--blind"));
        to.args(self.quiet_links.then_some("--quiet-links"));
        if let Some(keep) = &self.keep {
            to.arg("--keep").arg(keep.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
        }
    }
}

/// The rule, without when and how it broke.
fn rule(outcome: &Outcome) -> Option<String> {
    let first = outcome.broken.first()?;
    Some(first.split(": ").nth(1).unwrap_or(first).to_owned())
}

/// Cuts the plan down and tells what is left of it.
pub(crate) fn tell(
    seed: u64,
    events: usize,
    blind: bool,
    outcome: &Outcome,
    run: impl Fn(&Cut, bool) -> Outcome,
) {
    let wanted = rule(outcome);
    let mut runs = 0;
    let mut still = |cut: &Cut| {
        runs += 1;
        runs <= RUNS_MAX && rule(&run(cut, false)) == wanted
    };
    let mut best: Vec<usize> = (0..events).collect();
    let mut cut = Cut { quiet_links: true, blind, ..Cut::default() };
    cut.quiet_links = still(&cut);
    let mut chunk = events.div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        while at < best.len() {
            let mut fewer = best.clone();
            fewer.drain(at..(at + chunk).min(best.len()));
            if fewer.is_empty() {
                break;
            }
            cut.keep = Some(fewer.clone());
            if still(&cut) {
                best = fewer;
            } else {
                at += chunk;
            }
        }
        chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
    }
    cut.keep = Some(best);
    let told = run(&cut, true);
    let keep = cut.keep.unwrap_or_default();
    println!("  cut down to {} of {events} events in {runs} runs:", keep.len());
    let from = told.timeline.len().saturating_sub(LINES_MAX);
    told.timeline[from..].iter().for_each(|line| println!("    {line}"));
    told.broken.iter().take(3).for_each(|broken| println!("    {broken}"));
    let keep = keep.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let quiet = if cut.quiet_links { " --quiet-links" } else { "" };
    println!("  railgun-sim --seed {seed} --trace --keep {keep}{quiet}");
}
