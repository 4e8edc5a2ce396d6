//! Somebody who joins a call that is under way: the rates of its layers are measured, and somebody watches already.

use super::figure::{Entry, Figure, at_least, at_most, or_never, secs, speech_lost};
use crate::simulator::{LinkConfig, Scenario, Viewed};
use std::time::Duration;

const JOINS: Duration = secs(20);
const ENDS: Duration = secs(60);

pub(super) fn entries() -> Vec<Entry> {
    let joins = |rate: u64, figures| {
        let scenario = Scenario {
            links: vec![LinkConfig::new(20_000_000), LinkConfig::new(rate)],
            joins: vec![Duration::ZERO, JOINS],
            ..Scenario::new(LinkConfig::new(1), ENDS.as_secs())
        };
        Entry::new(&format!("joins after 20 s, {} kbit/s", rate / 1_000), scenario, figures)
    };
    vec![joins(200_000, narrowest), joins(300_000, narrow), joins(1_000_000, middle), joins(5_000_000, wide)]
}

/// Of the newcomer, and of who was there.
fn both(views: &[Viewed], frozen: f64) -> Vec<Figure> {
    let (before, newcomer) = (&views[0].pictures[0], &views[1]);
    let picture = &newcomer.pictures[0];
    vec![
        at_most("first picture, s", or_never(picture.first), 1.5),
        at_most("speech lost, %", speech_lost(newcomer), 0.0),
        at_most("frozen, s", picture.frozen.as_secs_f64(), frozen),
        at_least("the other one's pictures a second", before.shown as f64 / ENDS.as_secs_f64(), 14.5),
        at_most("the other one's layer changes", before.changes(JOINS) as f64, 0.0),
    ]
}

/// The lowest layer's pictures fit, not all of them.
fn narrowest(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let mut figures = both(views, 1.0);
    let shown = views[1].pictures[0].shown as f64;
    figures.push(at_least("pictures a second", shown / (ENDS - JOINS).as_secs_f64(), 5.0));
    figures
}

/// The lowest layer fits.
fn narrow(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let mut figures = both(views, 1.0);
    figures.push(at_most("queue over 100 ms, s", views[1].queue_over(100.0, JOINS), 1.5));
    figures
}

/// The middle layer fits, not all of its pictures.
fn middle(scenario: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let on_layer = views[1].pictures[0].time_at((1, 0), JOINS, ENDS);
    let mut figures = narrow(scenario, views);
    figures.push(at_least("on layer 1 or better, %", 100.0 * on_layer, 90.0));
    figures
}

/// All layers fit.
fn wide(scenario: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let mut figures = narrow(scenario, views);
    let on_top = views[1].pictures[0].time_at((2, 2), JOINS, ENDS);
    // As its session is told, once a second: with the first time.
    figures.push(at_least("on the top layer, %", 100.0 * on_top, 97.0));
    figures
}
