//! Calls over bad networks with the node's congestion control and with another's as the sender, on the same links with
//! the same seeds: two figures of each, and who is ahead.

use anyhow::Result;
use clap::ValueEnum;
use railgun_peer::simulator::Viewed;
use railgun_peer::simulator::baseline::Baseline;
use railgun_peer::simulator::catalogue::{Entry, entries, radios};
use serde_json::{Value, json};
use std::time::Duration;

/// Both figures worse by more than this: the one is dominated.
const RATE_WORSE: f64 = 0.02;
const QUEUE_WORSE_MS: f64 = 5.0;

/// Whose congestion control the node's is compared with.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Against {
    /// WebRTC's, as the crate `goog_cc` has it
    Googcc,
    /// The same with a pacing rate of 1.2 times its target instead of 2.5
    GoogccPaced,
    /// str0m's, with str0m on both sides
    Str0m,
}

impl Against {
    fn sender(self) -> Baseline {
        match self {
            Self::Googcc => Baseline::GoogCc,
            Self::GoogccPaced => Baseline::GoogCcPaced,
            Self::Str0m => Baseline::Str0m,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Googcc => "goog_cc",
            Self::GoogccPaced => "goog_cc, paced",
            Self::Str0m => "str0m",
        }
    }
}

/// The two figures of a call, means over its seeds.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    /// Payload of the pictures that could be shown, in kbit/s.
    shown_kbps: f64,
    /// Of the viewer's link, over the whole call.
    queue_p95_ms: f64,
    /// Not compared: seconds without a new picture, and of what came how much was padding.
    frozen_s: f64,
    padding_percent: f64,
}

impl Figures {
    fn of(views: &[Viewed]) -> Self {
        let mean = |of: fn(&Viewed) -> f64| views.iter().map(of).sum::<f64>() / views.len().max(1) as f64;
        Self {
            shown_kbps: mean(|it| it.shown_bytes as f64 * 8.0 / it.queue.len().max(1) as f64),
            queue_p95_ms: mean(|it| it.queue_p95(Duration::ZERO).into()),
            frozen_s: mean(|it| it.pictures.iter().map(|picture| picture.frozen.as_secs_f64()).sum()),
            padding_percent: mean(|it| 100.0 * it.padding as f64 / it.bytes.max(1) as f64),
        }
    }

    /// Both figures worse than the other's, by more than 2 % and 5 ms.
    fn is_dominated_by(&self, other: &Self) -> bool {
        self.shown_kbps < other.shown_kbps * (1.0 - RATE_WORSE)
            && self.queue_p95_ms > other.queue_p95_ms + QUEUE_WORSE_MS
    }

    /// Neither figure worse than the other's, by more than these.
    fn is_as_good_as(&self, other: &Self, rate_worse: f64, queue_worse_ms: f64) -> bool {
        self.shown_kbps >= other.shown_kbps * (1.0 - rate_worse)
            && self.queue_p95_ms <= other.queue_p95_ms + queue_worse_ms
    }

    fn json(&self) -> Value {
        let round = |value: f64| (value * 10.0).round() / 10.0;
        json!({ "shown_kbps": round(self.shown_kbps), "queue_p95_ms": round(self.queue_p95_ms),
            "frozen_s": round(self.frozen_s), "padding_percent": round(self.padding_percent) })
    }
}

/// How many calls there are of what.
#[derive(Debug, Default)]
struct Counts {
    calls: usize,
    dominated: usize,
    dominates: usize,
    as_good: usize,
    as_good_exactly: usize,
    /// Seconds without a new picture, summed over the calls: the node's and the other's.
    frozen_s: [f64; 2],
}

/// Runs each single-viewer call of the catalogue and of the generated radios whose name has `only` in it.
pub(crate) fn run(against: Against, only: &str, seeds: &[u64], json_only: bool) -> Result<Value> {
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    let mut counts = [Counts::default(), Counts::default()];
    if !json_only {
        println!("{:<48} {:>22} {:>22}", "pictures shown, kbit/s; queue p95, ms", "node", against.name());
    }
    let groups = [("catalogue", entries()), ("radios", radios())];
    for ((group, entries), counts) in groups.into_iter().zip(&mut counts) {
        for entry in entries.into_iter().filter(|entry| entry.name.contains(only)) {
            let Some((node, other)) = compare(&entry, seeds, against.sender()) else {
                left_out.push(entry.name);
                continue;
            };
            let verdict = counts.add(&node, &other);
            if !json_only {
                let pair = |it: &Figures| format!("{:.0} kbit/s {:>6.0} ms", it.shown_kbps, it.queue_p95_ms);
                println!("{:<48} {:>22} {:>22}  {verdict}", entry.name, pair(&node), pair(&other));
            }
            rows.push(json!({ "group": group, "scenario": entry.name, "node": node.json(),
                "other": other.json(), "verdict": verdict }));
        }
    }
    let summary = ["catalogue", "radios"].iter().zip(&counts).map(|(group, counts)| {
        if !json_only {
            println!(
                "{group}: {} calls; dominated in {}, dominating in {}, at least as good in both figures in {} \
                 (within 2 % and 5 ms: {}); frozen {:.0} s, the other's {:.0} s",
                counts.calls,
                counts.dominated,
                counts.dominates,
                counts.as_good_exactly,
                counts.as_good,
                counts.frozen_s[0],
                counts.frozen_s[1]
            );
        }
        json!({ "group": group, "calls": counts.calls, "dominated": counts.dominated,
            "dominates": counts.dominates, "as_good": counts.as_good_exactly,
            "as_good_within_2_percent_and_5_ms": counts.as_good,
            "node_frozen_s": counts.frozen_s[0].round(), "other_frozen_s": counts.frozen_s[1].round() })
    });
    let summary: Vec<Value> = summary.collect();
    if !json_only && !left_out.is_empty() {
        println!("left out, of more than one publisher or viewer: {}", left_out.join("; "));
    }
    Ok(
        json!({ "against": against.name(), "seeds": seeds, "rows": rows, "summary": summary, "left_out": left_out }),
    )
}

/// `None` for a call that the other one's sender has no run of.
fn compare(entry: &Entry, seeds: &[u64], sender: Baseline) -> Option<(Figures, Figures)> {
    let other: Vec<Viewed> = seeds.iter().map(|seed| entry.baseline(*seed, sender)).collect::<Option<_>>()?;
    let node: Vec<Viewed> = seeds.iter().flat_map(|seed| entry.views(*seed)).collect();
    Some((Figures::of(&node), Figures::of(&other)))
}

impl Counts {
    fn add(&mut self, node: &Figures, other: &Figures) -> &'static str {
        self.calls += 1;
        self.frozen_s = [self.frozen_s[0] + node.frozen_s, self.frozen_s[1] + other.frozen_s];
        self.as_good += usize::from(node.is_as_good_as(other, RATE_WORSE, QUEUE_WORSE_MS));
        let as_good = node.is_as_good_as(other, 0.0, 0.0);
        self.as_good_exactly += usize::from(as_good);
        let (dominated, dominates) = (node.is_dominated_by(other), other.is_dominated_by(node));
        self.dominated += usize::from(dominated);
        self.dominates += usize::from(dominates);
        match (dominated, dominates, as_good) {
            (true, ..) => "dominated",
            (_, true, _) => "dominates",
            (.., true) => "as good",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shown_kbps: f64, queue_p95_ms: f64) -> Figures {
        Figures { shown_kbps, queue_p95_ms, ..Figures::default() }
    }

    #[test]
    fn who_is_worse_in_both_figures_by_more_than_2_percent_and_5_ms_is_dominated() {
        let other = of(1_000.0, 50.0);
        assert!(of(979.0, 55.5).is_dominated_by(&other));
        assert!(!of(981.0, 55.5).is_dominated_by(&other) && !of(979.0, 54.5).is_dominated_by(&other));
    }

    #[test]
    fn counts_say_who_is_ahead() {
        let mut counts = Counts::default();
        let other = of(1_000.0, 50.0);
        let verdicts = [(900.0, 60.0), (1_100.0, 40.0), (1_000.0, 50.0), (1_100.0, 60.0)];
        let verdicts = verdicts.map(|(shown, queue)| counts.add(&of(shown, queue), &other));
        assert_eq!(verdicts, ["dominated", "dominates", "as good", ""]);
        assert_eq!((counts.calls, counts.dominated, counts.dominates), (4, 1, 1));
        assert_eq!((counts.as_good_exactly, counts.as_good), (2, 2));
    }
}
