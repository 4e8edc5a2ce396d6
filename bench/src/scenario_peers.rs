//! Calls over bad networks with the node's congestion control and with another's as the sender, on the same links with
//! the same seeds: two figures of each, and who is ahead.

use clap::ValueEnum;
use railgun_peer::simulator::Viewed;
use railgun_peer::simulator::baseline::Baseline;
use railgun_peer::simulator::catalogue::{Entry, entries, radios};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Groups of calls.
const CATALOGUE: &str = "catalogue";
pub(crate) const RADIOS: &str = "radios";
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
pub(crate) struct Figures {
    /// Payload of the pictures that could be shown, in kbit/s.
    pub(crate) shown_kbps: f64,
    /// Of the viewer's link, over the whole call.
    pub(crate) queue_p95_ms: f64,
    /// Not compared: seconds without a new picture, and of what came how much was padding.
    pub(crate) frozen_s: f64,
    pub(crate) padding_percent: f64,
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

/// One call with the node's congestion control and with another's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    pub(crate) name: &'static str,
    pub(crate) node: Figures,
    pub(crate) other: Figures,
    pub(crate) verdict: &'static str,
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

/// The calls so far with each of some others, and how many there are of what.
#[derive(Debug)]
pub(crate) struct Comparison {
    others: Vec<Other>,
    seeds: Vec<u64>,
}

#[derive(Debug)]
struct Other {
    against: Against,
    counts: BTreeMap<&'static str, Counts>,
    rows: Vec<Value>,
    left_out: Vec<String>,
}

impl Comparison {
    pub(crate) fn new(against: &[Against], seeds: &[u64]) -> Self {
        let other = |against: &Against| Other {
            against: *against,
            counts: BTreeMap::new(),
            rows: Vec::new(),
            left_out: Vec::new(),
        };
        Self { others: against.iter().map(other).collect(), seeds: seeds.to_vec() }
    }

    /// Runs a call of this group with each of the others. `views`: what the node's was like, of all seeds. One of more than one
    /// publisher or viewer is left out.
    pub(crate) fn add(&mut self, group: &'static str, entry: &Entry, views: &[Viewed]) -> Vec<Compared> {
        let node = Figures::of(views);
        self.others.iter_mut().filter_map(|other| other.add(group, entry, node, &self.seeds)).collect()
    }

    /// How many calls there are of what, a line for each group and other; and which have no comparison.
    pub(crate) fn summary(&self) -> Vec<String> {
        let lines = self.others.iter().flat_map(|other| {
            let name = other.against.name();
            other.counts.iter().map(move |(group, counts)| format!("{name}, {group}: {}", counts.say()))
        });
        let left_out = self.others.first().map(|it| it.left_out.join("; ")).filter(|names| !names.is_empty());
        let left_out =
            left_out.map(|names| format!("left out, of more than one publisher or viewer: {names}"));
        lines.chain(left_out).collect()
    }

    pub(crate) fn json(&self) -> Value {
        let others = self.others.iter().map(|other| {
            let summary: Vec<Value> = other.counts.iter().map(|(group, counts)| counts.json(group)).collect();
            json!({ "against": other.against.name(), "seeds": self.seeds, "rows": other.rows,
                "summary": summary, "left_out": other.left_out })
        });
        others.collect()
    }
}

impl Other {
    fn add(&mut self, group: &'static str, entry: &Entry, node: Figures, seeds: &[u64]) -> Option<Compared> {
        let sender = self.against.sender();
        let views: Option<Vec<Viewed>> = seeds.iter().map(|seed| entry.baseline(*seed, sender)).collect();
        let Some(views) = views else {
            self.left_out.push(entry.name.clone());
            return None;
        };
        let other = Figures::of(&views);
        let verdict = self.counts.entry(group).or_default().add(&node, &other);
        self.rows.push(json!({ "group": group, "scenario": entry.name, "node": node.json(),
            "other": other.json(), "verdict": verdict }));
        Some(Compared { name: self.against.name(), node, other, verdict })
    }
}

/// Calls of the catalogue and of the generated radios, each with the name of its group.
pub(crate) fn calls() -> impl Iterator<Item = (&'static str, Entry)> {
    let of = |group, entries: Vec<Entry>| entries.into_iter().map(move |entry| (group, entry));
    of(CATALOGUE, entries()).chain(of(RADIOS, radios()))
}

/// Runs each call of the catalogue and of the generated radios whose name has `only` in it with the node's and with each
/// of the others.
pub(crate) fn run(against: &[Against], only: &str, seeds: &[u64], json_only: bool) -> Value {
    let mut comparison = Comparison::new(against, seeds);
    if !json_only {
        println!("{:<48} {:>22}", "pictures shown, kbit/s; queue p95, ms", "node");
    }
    let pair = |it: &Figures| format!("{:.0} kbit/s {:>6.0} ms", it.shown_kbps, it.queue_p95_ms);
    for (group, entry) in calls().filter(|(_, entry)| entry.name.contains(only)) {
        let views: Vec<Viewed> = seeds.iter().flat_map(|seed| entry.views(*seed)).collect();
        for Compared { name, node, other, verdict } in comparison.add(group, &entry, &views) {
            if !json_only {
                let (node, other) = (pair(&node), pair(&other));
                println!("{:<48} {node:>22} {other:>22} {name:<14} {verdict}", entry.name);
            }
        }
    }
    if !json_only {
        comparison.summary().iter().for_each(|line| println!("{line}"));
    }
    comparison.json()
}

impl Counts {
    fn say(&self) -> String {
        format!(
            "{} calls; dominated in {}, dominating in {}, at least as good in both figures in {} (within 2 % and 5 ms: {}); \
             frozen {:.0} s, the other's {:.0} s",
            self.calls,
            self.dominated,
            self.dominates,
            self.as_good_exactly,
            self.as_good,
            self.frozen_s[0],
            self.frozen_s[1]
        )
    }

    fn json(&self, group: &str) -> Value {
        json!({ "group": group, "calls": self.calls, "dominated": self.dominated,
            "dominates": self.dominates, "as_good": self.as_good_exactly,
            "as_good_within_2_percent_and_5_ms": self.as_good,
            "node_frozen_s": self.frozen_s[0].round(), "other_frozen_s": self.frozen_s[1].round() })
    }

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
