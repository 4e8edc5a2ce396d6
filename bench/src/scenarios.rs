//! Calls over bad networks in virtual time, with the engine that ships: what each has to show, and what it
//! shows.

use crate::scenario_peers::{self, Against, Comparison, RADIOS};
use crate::scenario_report::Page;
use anyhow::{Context, Result};
use clap::Args;
use railgun_peer::simulator::Rates;
use railgun_peer::simulator::catalogue::{Figure, Target, recorded};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Options of `scenarios`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Only those whose name has this in it
    #[arg(long, default_value = "")]
    only: String,
    /// Each is run once for each of them
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3])]
    seeds: Vec<u64>,
    /// Also over the rates of this file, in Mahimahi's format; may be given again
    #[arg(long)]
    mahimahi: Vec<PathBuf>,
    /// Also write a page of plots here: link, estimate, what was sent, queue and layer of each call's first seed
    #[arg(long)]
    report: Option<PathBuf>,
    /// Also print the first viewer's queue and estimate, a line each 500 ms
    #[arg(long)]
    trace: bool,
    /// Also run the calls of one viewer with this congestion control, over the same links. Without --report only these are run;
    /// may be given again
    #[arg(long, value_enum, value_delimiter = ',', conflicts_with_all = ["mahimahi", "trace"])]
    against: Vec<Against>,
}

pub(crate) fn run(options: &Options, json_only: bool) -> Result<Value> {
    if !options.against.is_empty() && options.report.is_none() {
        let compared = scenario_peers::run(&options.against, &options.only, &options.seeds, json_only);
        return Ok(json!({ "comparisons": compared }));
    }
    let mut comparison = Comparison::new(&options.against, &options.seeds);
    let mut rows = Vec::new();
    let mut page = Page::default();
    let mut traces = Vec::new();
    for path in &options.mahimahi {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let rates = Rates::from_mahimahi(&text);
        let rates = rates.with_context(|| format!("{} is no trace of Mahimahi's", path.display()))?;
        traces.push(recorded(&path.display().to_string(), rates));
    }
    let calls = scenario_peers::calls().chain(traces.into_iter().map(|entry| (RADIOS, entry)));
    for (group, entry) in calls.filter(|(_, entry)| entry.name.contains(&options.only)) {
        let mut figures: BTreeMap<usize, Vec<Figure>> = BTreeMap::new();
        let mut all = Vec::new();
        for seed in &options.seeds {
            let views = entry.views(*seed);
            for (place, figure) in entry.figures(&views).into_iter().enumerate() {
                figures.entry(place).or_default().push(figure);
            }
            if options.trace {
                trace(&views[0]);
            }
            if options.report.is_some() {
                all.extend(views);
            }
        }
        if let Some((seed, viewed)) = options.seeds.first().zip(all.first()) {
            let figures: Vec<&[Figure]> = figures.values().map(Vec::as_slice).collect();
            page.add(&entry, *seed, viewed, &figures);
            page.compare(&comparison.add(group, &entry, &all));
        }
        if !json_only {
            println!("{}", entry.name);
        }
        for seeds in figures.values() {
            let Some(first) = seeds.first() else { continue };
            let (sign, target) = match first.target {
                Target::AtMost(most) => ("<=", most),
                Target::AtLeast(least) => (">=", least),
            };
            let reached = seeds.iter().filter(|it| it.is_reached()).count();
            let values: Vec<f64> = seeds.iter().map(|it| (it.value * 100.0).round() / 100.0).collect();
            if !json_only {
                let all: Vec<String> = values.iter().map(f64::to_string).collect();
                let name = first.name;
                println!("  {name:<36} {sign} {target:<7} {reached}/{} {}", seeds.len(), all.join("  "));
            }
            rows.push(
                json!({ "scenario": entry.name, "figure": first.name, "target": format!("{sign} {target}"),
                "values": values, "reached": reached }),
            );
        }
    }
    if let Some(path) = &options.report {
        page.summarise(&comparison.summary());
        std::fs::write(path, page.render()).with_context(|| path.display().to_string())?;
    }
    Ok(json!({ "seeds": options.seeds, "rows": rows, "comparisons": comparison.json() }))
}

fn trace(viewed: &railgun_peer::simulator::Viewed) {
    for (place, (at, estimate)) in viewed.estimates.iter().enumerate().filter(|(place, _)| place % 5 == 0) {
        let queue = viewed.queue.get(place * 100..place * 100 + 500).unwrap_or_default();
        let worst = queue.iter().copied().fold(0.0, f32::max);
        let estimate = estimate.map_or(-1.0, |it| it as f64 / 1_000.0);
        let layers = viewed.pictures.iter().map(|picture| {
            let told = picture.layers.iter().rfind(|(told, _)| told <= at);
            match told.and_then(|(_, layers)| *layers) {
                Some((spatial, temporal)) => format!("{spatial}{temporal}"),
                None => "--".into(),
            }
        });
        let layers: Vec<String> = layers.collect();
        println!(
            "{:>6.1} s  estimate {estimate:>7.0} kbit/s  queue {worst:>5.0} ms  {}",
            at.as_secs_f64(),
            layers.join(" ")
        );
    }
}
