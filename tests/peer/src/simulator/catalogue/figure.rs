//! What a call is held to: figures and their bounds.

use crate::simulator::{Picture, Scenario, Viewed, run};
use std::time::Duration;

/// What the top layer takes on the wire with its headers, without speech, in bits a second; measured.
pub const TOP_LAYER: u64 = 1_290_000;

/// One figure of a call.
#[derive(Clone, Debug)]
pub struct Figure {
    pub name: &'static str,
    pub value: f64,
    /// At most, or at least.
    pub target: Target,
}

#[derive(Clone, Copy, Debug)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    pub fn is_reached(&self) -> bool {
        match self.target {
            Target::AtMost(most) => self.value <= most,
            Target::AtLeast(least) => self.value >= least,
        }
    }
}

/// A call with its name and its figures.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    scenario: Scenario,
    figures: fn(&Scenario, &[Viewed]) -> Vec<Figure>,
}

impl Entry {
    pub(super) fn new(
        name: &str,
        scenario: Scenario,
        figures: fn(&Scenario, &[Viewed]) -> Vec<Figure>,
    ) -> Self {
        Self { name: name.to_owned(), scenario, figures }
    }

    pub fn run(&self, seed: u64) -> Vec<Figure> {
        self.figures(&self.views(seed))
    }

    /// What the first viewer's link takes at this time, in bits a second.
    pub fn link_rate(&self, at: Duration) -> u64 {
        self.scenario.links.first().map_or(0, |link| link.rates.rate(at))
    }

    /// The figures of what was seen.
    pub fn figures(&self, views: &[Viewed]) -> Vec<Figure> {
        (self.figures)(&self.scenario, views)
    }

    /// The same call with another sender; see [`baseline::run`](crate::simulator::baseline::run).
    #[cfg(feature = "peers")]
    pub fn baseline(&self, seed: u64, sender: crate::simulator::baseline::Baseline) -> Option<Viewed> {
        crate::simulator::baseline::run(&self.scenario, seed, sender)
    }

    /// All that was seen.
    pub fn views(&self, seed: u64) -> Vec<Viewed> {
        run(&self.scenario, seed)
    }
}

pub(super) fn at_most(name: &'static str, value: f64, most: f64) -> Figure {
    Figure { name, value, target: Target::AtMost(most) }
}

pub(super) fn at_least(name: &'static str, value: f64, least: f64) -> Figure {
    Figure { name, value, target: Target::AtLeast(least) }
}

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn or_never(at: Option<Duration>) -> f64 {
    at.map_or(999.0, |at| at.as_secs_f64())
}

pub(super) fn only(views: &[Viewed]) -> (&Viewed, &Picture) {
    (&views[0], &views[0].pictures[0])
}

pub(super) fn speech_lost(viewed: &Viewed) -> f64 {
    let lost = viewed.speech_sent.saturating_sub(viewed.speech_came);
    100.0 * lost as f64 / viewed.speech_sent.max(1) as f64
}

pub(super) fn lossy(views: &[Viewed], estimate: f64) -> Vec<Figure> {
    let (viewed, picture) = only(views);
    let wanted = TOP_LAYER * 135 / 100;
    let got = viewed.estimate(secs(15), wanted);
    vec![
        at_least("estimate, % of 1.35 of the wanted", 100.0 * got / wanted as f64, estimate),
        at_most("padding, %", 100.0 * viewed.padding as f64 / viewed.bytes.max(1) as f64, 5.0),
        at_most("layer changes", picture.changes(secs(15)) as f64, 2.0),
        at_most("frozen a minute, s", picture.frozen.as_secs_f64() * 60.0 / 75.0, 0.5),
    ]
}
