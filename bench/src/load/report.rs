//! The figures of a load, for people and for machines.

use super::plan::Plan;
use super::tally::{Figures, Join, Tally};
use crate::join::{percentiles, times_json};
use crate::usage::{MIB, Usage};
use railgun_client::MediaKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The generator's own lateness from which its figures are doubtful.
pub(crate) const BEHIND_MAX: Duration = Duration::from_millis(20);
/// By these names the figures have their latencies.
pub(crate) const LATENCIES: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];

/// CPU time and memory while measuring.
#[derive(Debug)]
pub(super) struct Spent {
    pub(super) wall: Duration,
    pub(super) own: (Duration, Usage),
    /// At full sockets of this machine.
    pub(super) dropped: u64,
    /// By process id.
    pub(super) servers: Vec<(u32, Duration, Usage)>,
    /// What the server's counters grew by.
    pub(super) grown: BTreeMap<String, f64>,
}

#[derive(Debug)]
pub(super) struct Report {
    plan: Plan,
    joined: usize,
    audio: Figures,
    video: Figures,
    /// Sorted, in ms: connected, joined, sending, receiving, first media.
    joins: [(&'static str, Vec<f64>); 5],
    failures: BTreeMap<String, usize>,
    misread: u64,
    behind: Duration,
    spent: Spent,
}

impl Report {
    pub(super) fn new(plan: &Plan, tally: &Tally, spent: Spent) -> Self {
        let mut failures = tally.failures();
        let missing = plan.streams().saturating_sub(tally.heard.load(Ordering::Relaxed));
        if missing > 0 {
            failures.insert("streams of which nothing came".into(), missing);
        }
        Self {
            plan: plan.clone(),
            joined: tally.joined.load(Ordering::Relaxed),
            audio: tally.figures(MediaKind::Audio),
            video: tally.figures(MediaKind::Video),
            joins: steps(&tally.joins()),
            failures,
            misread: tally.misread.load(Ordering::Relaxed),
            behind: tally.behind(),
            spent,
        }
    }

    pub(super) fn print(&self) {
        let Plan { rooms, participants, video, talking, turns, .. } = self.plan;
        println!(
            "{rooms} x {participants} people: {talking} talk{}, {video} with a camera; {} of {} joined; {:.0} s",
            if turns { " in turn" } else { "" },
            self.joined,
            self.plan.people(),
            self.spent.wall.as_secs_f64(),
        );
        println!(
            "{:<8}{:>9}{:>9}{:>12}{:>12}{:>10}{:>9}{:>9}{:>9}{:>10}{:>10}",
            "media",
            "streams",
            "whole",
            "expected",
            "received",
            "loss",
            "p50 us",
            "p90 us",
            "p99 us",
            "p99.9 us",
            "max us"
        );
        for (name, figures) in [("speech", &self.audio), ("video", &self.video)] {
            if figures.streams > 0 {
                let [p50, p90, p99, p999, max] = figures.latency;
                println!(
                    "{name:<8}{:>9}{:>9}{:>12}{:>12}{:>9.4}%{p50:>9}{p90:>9}{p99:>9}{p999:>10}{max:>10}",
                    figures.streams,
                    figures.whole,
                    figures.expected,
                    figures.received,
                    figures.loss() * 100.0,
                );
            }
        }
        for (from, to, expected, received) in self.audio.worst.iter().chain(&self.video.worst) {
            println!("  {from} to {to}: {received} of {expected}");
        }
        println!("{:<16}{:>8}{:>10}{:>10}{:>10}", "joining, until", "people", "p50 ms", "p99 ms", "max ms");
        for (name, times) in self.joins.iter().filter(|(_, times)| !times.is_empty()) {
            let [p50, p99, max] = percentiles(times);
            println!("{name:<16}{:>8}{p50:>10.1}{p99:>10.1}{max:>10.1}", times.len());
        }
        self.print_spent();
        for (what, count) in &self.failures {
            println!("Failed: {count} x {what}");
        }
        if self.spent.dropped > 0 {
            let dropped = self.spent.dropped;
            println!(
                "{dropped} datagrams were dropped on this machine, whose readers were too slow for them"
            );
        }
        if self.misread > 0 {
            println!("{} packets had another content than was sent", self.misread);
        }
        if self.behind > BEHIND_MAX {
            println!("Doubtful: the generator was {} ms late itself", self.behind.as_millis());
        }
    }

    fn print_spent(&self) {
        println!("{:<16}{:>8}{:>12}{:>12}", "process", "cores", "MiB", "MiB at most");
        let line = |name: String, cpu: Duration, usage: &Usage| {
            let [now, peak] = [usage.resident_bytes, usage.peak_bytes].map(|bytes| bytes as f64 / MIB);
            println!("{name:<16}{:>8.2}{now:>12.1}{peak:>12.1}", self.spent.cores(cpu));
        };
        line("generator".into(), self.spent.own.0, &self.spent.own.1);
        for (pid, cpu, usage) in &self.spent.servers {
            line(format!("server {pid}"), *cpu, usage);
        }
        for (name, by) in &self.spent.grown {
            println!("{name} {by:+}");
        }
    }

    pub(super) fn json(&self) -> Value {
        let usage = |cpu: Duration, usage: &Usage| {
            json!({
                "cores": self.spent.cores(cpu),
                "residentBytes": usage.resident_bytes,
                "peakBytes": usage.peak_bytes,
            })
        };
        let servers: Vec<Value> = self
            .spent
            .servers
            .iter()
            .map(|(pid, cpu, used)| {
                let mut server = usage(*cpu, used);
                server["pid"] = (*pid).into();
                server
            })
            .collect();
        let joining: serde_json::Map<String, Value> = self
            .joins
            .iter()
            .filter(|(_, times)| !times.is_empty())
            .map(|(name, times)| {
                let mut figures = times_json(times);
                figures["people"] = times.len().into();
                (name.replace(' ', ""), figures)
            })
            .collect();
        let mut generator = usage(self.spent.own.0, &self.spent.own.1);
        generator["behindMs"] = (self.behind.as_secs_f64() * 1e3).into();
        json!({
            "rooms": self.plan.rooms,
            "participants": self.plan.participants,
            "talking": self.plan.talking,
            "turns": self.plan.turns,
            "cameras": self.plan.video,
            "seconds": self.spent.wall.as_secs_f64(),
            "people": self.plan.people(),
            "joined": self.joined,
            "streams": self.plan.streams(),
            "audio": self.audio.json(),
            "video": self.video.json(),
            "joining": joining,
            "failures": self.failures,
            "misread": self.misread,
            "droppedAtFullSockets": self.spent.dropped,
            "generator": generator,
            "servers": servers,
            "metrics": self.spent.grown,
        })
    }
}

impl Spent {
    fn cores(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() / self.wall.as_secs_f64()
    }
}

impl Figures {
    fn loss(&self) -> f64 {
        self.expected.saturating_sub(self.received) as f64 / self.expected.max(1) as f64
    }

    fn json(&self) -> Value {
        let latency: serde_json::Map<String, Value> =
            LATENCIES.into_iter().zip(self.latency).map(|(name, us)| (name.to_owned(), us.into())).collect();
        let worst: Vec<Value> = self.worst.iter().map(|(from, to, expected, received)| {
            json!({ "from": from, "to": to, "expected": expected, "received": received })
        }).collect();
        json!({
            "streams": self.streams,
            "heard": self.heard,
            "whole": self.whole,
            "expected": self.expected,
            "received": self.received,
            "loss": self.loss(),
            "latencyUs": latency,
            "worst": worst,
        })
    }
}

fn steps(joins: &[Join]) -> [(&'static str, Vec<f64>); 5] {
    let sorted = |step: &dyn Fn(&Join) -> Option<Duration>| {
        let mut times: Vec<f64> =
            joins.iter().filter_map(step).map(|time| time.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    // Who was first in a room has waited for company, not for the server.
    let first_media = |join: &Join| {
        let at = join.first_media.get().filter(|_| join.receiving.is_some())?;
        Some(at.saturating_duration_since(join.started))
    };
    [
        ("connected", sorted(&|join| Some(join.connected))),
        ("joined", sorted(&|join| Some(join.joined))),
        ("sending", sorted(&|join| Some(join.sending))),
        ("receiving", sorted(&|join| join.receiving)),
        ("first media", sorted(&first_media)),
    ]
}
