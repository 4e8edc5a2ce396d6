//! Calls beside somebody else: a receiver that lies, transfers, other calls, other queues, and over links that stall.

use super::super::SPEECH;
use super::figure::{Entry, Figure, TOP_LAYER, at_least, at_most, lossy, only, secs, speech_lost};
use crate::simulator::{LinkConfig, Queue, Reorder, Reports, Scenario, Stalls, Viewed};
use std::time::Duration;

/// A transfer begins then, and shares count from when both had time to find them.
const BEGINS: u64 = 10;
const COUNTED: usize = 20;

pub(super) fn entries() -> Vec<Entry> {
    let millis = Duration::from_millis;
    let wide = LinkConfig::new(20_000_000);
    let forged = Scenario {
        links: vec![wide.clone(), wide],
        reports: Reports::Forged,
        ..Scenario::new(LinkConfig::new(1), 60)
    };
    let reorder = LinkConfig {
        reorder: Some(Reorder { part: 0.02, by: millis(30) }),
        delay: millis(50),
        ..LinkConfig::new(5_000_000)
    };
    let codel = LinkConfig { queue: Queue::CoDel, ..LinkConfig::new(1_000_000) };
    let three = Scenario {
        links: vec![LinkConfig::new(2_400_000); 3],
        publishers: 3,
        is_paired: true,
        is_shared: true,
        ..Scenario::new(LinkConfig::new(1), 60)
    };
    let beside = |count: usize, rate: u64, queue: u64| {
        let transfers = (0..count as u64).map(|after| secs(BEGINS + after)).collect();
        let link =
            LinkConfig { queue: Queue::Time(millis(queue)), transfers, ..LinkConfig::new(rate * 1_000_000) };
        let others = if count == 1 { "a TCP transfer".into() } else { format!("{count} TCP transfers") };
        let name = format!("beside {others}, {rate} Mbit/s, {queue} ms queue");
        Entry::new(&name, Scenario::new(link, 60), transfer)
    };
    let dual = |name: &str, l4s| {
        let link =
            LinkConfig { queue: Queue::Dual, transfers: vec![secs(BEGINS)], ..LinkConfig::new(2_000_000) };
        let scenario = Scenario { reports: Reports::Ccfb, l4s, ..Scenario::new(link, 60) };
        Entry::new(name, scenario, if l4s { dual_low } else { dual_classic })
    };
    let by_stream = |name: &str, link| {
        Entry::new(name, Scenario { reports: Reports::Ccfb, ..Scenario::new(link, 60) }, short_delay)
    };
    let stalled = |rate: u64, every: u64, length: u64| {
        let stalls = Some(Stalls { every: millis(every), length: millis(length) });
        let name = format!("stalls of {length} ms each {every} ms, {} kbit/s", rate / 1_000);
        Entry::new(
            &name,
            Scenario::new(LinkConfig { stalls, ..LinkConfig::new(rate) }, 60),
            stalls_are_waited_out,
        )
    };
    let one_mbit = LinkConfig { queue: Queue::Time(millis(100)), ..LinkConfig::new(1_000_000) };
    vec![
        Entry::new("forged feedback beside a good receiver", forged, forged_feedback),
        Entry::new("2 % reordered by 30 ms", Scenario::new(reorder, 60), reordered),
        Entry::new("CoDel, 1 Mbit/s", Scenario::new(codel, 60), short_delay),
        Entry::new("three calls on 2.4 Mbit/s", three, calls),
        beside(1, 2, 100),
        beside(1, 2, 300),
        beside(1, 2, 1_000),
        beside(2, 3, 300),
        beside(3, 4, 300),
        beside(3, 4, 100),
        by_stream("RFC 8888 feedback, 1 Mbit/s, 100 ms queue", one_mbit),
        stalled(300_000, 1_000, 150),
        stalled(300_000, 2_000, 300),
        stalled(1_000_000, 500, 60),
        stalled(1_000_000, 1_000, 150),
        stalled(1_000_000, 2_000, 300),
        stalled(5_000_000, 1_000, 150),
        stalled(5_000_000, 2_000, 300),
        dual("beside a TCP transfer, 2 Mbit/s, DualPI2, not ECT", false),
        dual("beside a TCP transfer, 2 Mbit/s, DualPI2, L4S", true),
    ]
}

fn forged_feedback(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let wanted = TOP_LAYER * 135 / 100;
    let padding = |viewed: &Viewed| 100.0 * viewed.padding as f64 / viewed.bytes.max(1) as f64;
    vec![
        at_most(
            "the liar's highest estimate, of 1.35 of the wanted",
            views[0].highest_estimate() as f64 / wanted as f64,
            1.8,
        ),
        at_most("its padding, %", padding(&views[0]), 5.0),
        at_least("the good one's pictures a second", views[1].pictures[0].shown as f64 / 60.0, 14.5),
    ]
}

fn stalls_are_waited_out(scenario: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let (viewed, picture) = only(views);
    let best = match scenario.links[0].rates.mean(secs(60)) {
        ..500_000.0 => (0, 1),
        ..2_000_000.0 => (1, 1),
        _ => (2, 2),
    };
    vec![
        at_most("queue over 100 ms, s", viewed.queue_over(100.0, Duration::ZERO), 1.5),
        at_most("frozen a minute, s", picture.frozen.as_secs_f64(), 1.0),
        at_most("layer changes", picture.changes(secs(15)) as f64, 2.0),
        at_most("speech lost, %", speech_lost(viewed), 0.1),
        at_least(
            "on the layer that fits or better, %",
            100.0 * picture.time_at(best, secs(15), secs(60)),
            90.0,
        ),
    ]
}

fn reordered(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    lossy(views, 85.0)
}

fn short_delay(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let (viewed, picture) = only(views);
    vec![
        at_most("queue p95, ms", viewed.queue_p95(secs(10)).into(), 60.0),
        at_most("frozen a minute, s", picture.frozen.as_secs_f64(), 1.0),
        at_least("on layer 1 or better, %", 100.0 * picture.time_at((1, 1), secs(10), secs(60)), 80.0),
    ]
}

fn calls(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let bytes: Vec<f64> = views.iter().map(|it| it.bytes_from(COUNTED) as f64).collect();
    let fair = bytes.iter().sum::<f64>() / bytes.len() as f64;
    let share = |bytes: &f64| bytes / fair;
    vec![
        at_least("least share of fair", bytes.iter().map(share).fold(f64::MAX, f64::min), 0.5),
        at_most("greatest share of fair", bytes.iter().map(share).fold(0.0, f64::max), 2.0),
        at_most("queue p95, ms", views[0].queue_p95(secs(20)).into(), 150.0),
        at_most("frozen, s, in all", views.iter().map(|it| it.pictures[0].frozen.as_secs_f64()).sum(), 3.0),
    ]
}

/// In the classic queue with the transfer.
fn dual_classic(scenario: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    dual_queue(scenario, views, 60.0)
}

/// In the low-latency queue beside it.
fn dual_low(scenario: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    dual_queue(scenario, views, 20.0)
}

fn dual_queue(scenario: &Scenario, views: &[Viewed], waits: f64) -> Vec<Figure> {
    let mut figures = transfer(scenario, views);
    figures.push(at_most("its packets' queue p95, ms", views[0].waits_p95(secs(20)).into(), waits));
    figures
}

fn transfer(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let (viewed, picture) = only(views);
    let flows = viewed.transferred.len() as u64 + 1;
    // Each counts its seconds from when it began.
    let theirs = viewed.transferred.iter().zip(BEGINS..).map(|(bytes, begun)| {
        let before = COUNTED.saturating_sub(usize::try_from(begun).expect("small"));
        bytes.iter().skip(before).sum::<u64>()
    });
    let ours = viewed.bytes_from(COUNTED);
    let fair = (ours + theirs.sum::<u64>()) as f64 / flows as f64;
    let speech = (SPEECH / 8) as f64 * 40.0;
    vec![
        at_least("share of fair", ours as f64 / fair, 0.5),
        at_most("share of fair, at most", ours as f64 / fair, 2.0),
        at_least("pictures' share of fair", (ours as f64 - speech) / fair, 0.4),
        at_least("pictures a second", picture.shown as f64 / 60.0, 10.0),
    ]
}
