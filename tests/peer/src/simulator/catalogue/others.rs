//! Calls beside somebody else: a receiver that lies, transfers, other calls, other queues.

use super::figure::{Entry, Figure, SPEECH, TOP_LAYER, at_least, at_most, lossy, only, secs};
use crate::simulator::{LinkConfig, Queue, Reorder, Reports, Scenario, Viewed};
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
    let beside = |queue: u64| {
        let transfers = vec![secs(BEGINS)];
        let link = LinkConfig { queue: Queue::Time(millis(queue)), transfers, ..LinkConfig::new(2_000_000) };
        Entry::new(
            &format!("beside a TCP transfer, 2 Mbit/s, {queue} ms queue"),
            Scenario::new(link, 60),
            transfer,
        )
    };
    vec![
        Entry::new("forged feedback beside a good receiver", forged, forged_feedback),
        Entry::new("2 % reordered by 30 ms", Scenario::new(reorder, 60), reordered),
        Entry::new("CoDel, 1 Mbit/s", Scenario::new(codel, 60), short_delay),
        Entry::new("three calls on 2.4 Mbit/s", three, calls),
        beside(100),
        beside(300),
        beside(1_000),
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

fn transfer(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let (viewed, picture) = only(views);
    let begun = COUNTED - usize::try_from(BEGINS).expect("small");
    let theirs: u64 = viewed.transferred[0].iter().skip(begun).sum();
    let ours = viewed.bytes_from(COUNTED);
    let fair = (ours + theirs) as f64 / 2.0;
    let speech = (SPEECH / 8) as f64 * 40.0;
    vec![
        at_least("share of fair", ours as f64 / fair, 0.5),
        at_most("share of fair, at most", ours as f64 / fair, 2.0),
        at_least("pictures' share of fair", (ours as f64 - speech) / fair, 0.4),
        at_least("pictures a second", picture.shown as f64 / 60.0, 10.0),
    ]
}
