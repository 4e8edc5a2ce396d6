//! Calls over fifty generated radios: a model, a median rate and a seed each.

use super::figure::{Entry, Figure, at_least, at_most, only, secs, speech_lost};
use crate::simulator::{LinkConfig, Queue, Radio, Rates, Scenario, Viewed};
use std::time::Duration;

const LENGTH: u64 = 60;

/// The fifty, the same in each run; a call's seed makes its publisher and its loss.
pub fn entries() -> Vec<Entry> {
    let of = |radio, count: u64, rates: std::ops::Range<f64>| {
        (0..count).map(move |number| {
            // Evenly in the logarithm, so that narrow links are as many as wide ones.
            let place = (number as f64 + 0.5) / count as f64;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
            let rate = (rates.start * (rates.end / rates.start).powf(place)) as u64;
            entry(radio, rate, number + 1)
        })
    };
    let lte = of(Radio::Lte, 20, 500_000.0..6_000_000.0);
    let wifi = of(Radio::WiFi, 15, 1_000_000.0..20_000_000.0);
    lte.chain(wifi).chain(of(Radio::FiveG, 15, 2_000_000.0..40_000_000.0)).collect()
}

fn entry(radio: Radio, rate: u64, number: u64) -> Entry {
    let millis = Duration::from_millis;
    let (name, delay, jitter, queue) = match radio {
        Radio::Lte => ("LTE", 30, 8, 600),
        Radio::WiFi => ("Wi-Fi", 10, 6, 200),
        Radio::FiveG => ("5G", 15, 4, 400),
    };
    let link = LinkConfig {
        rates: Rates::of_radio(radio, rate, number, secs(LENGTH)),
        queue: Queue::Time(millis(queue)),
        delay: millis(delay),
        jitter: millis(jitter),
        ..LinkConfig::new(rate)
    };
    let name = format!("{name} {number}, median {:.1} Mbit/s", rate as f64 / 1e6);
    Entry::new(&name, Scenario::new(link, LENGTH), figures)
}

/// A call over recorded rates, behind a queue of 400 ms and 20 ms of delay.
pub fn recorded(name: &str, rates: Rates) -> Entry {
    let queue = Queue::Time(Duration::from_millis(400));
    let link = LinkConfig { rates, queue, ..LinkConfig::new(1) };
    Entry::new(name, Scenario::new(link, LENGTH), figures)
}

fn figures(scenario: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let (viewed, picture) = only(views);
    let mean = scenario.links[0].rates.mean(secs(LENGTH));
    let wanted = mean.min(1_356_000.0);
    vec![
        at_least(
            "of what it takes and is wanted, %",
            800.0 * viewed.bytes as f64 / LENGTH as f64 / wanted,
            50.0,
        ),
        at_most("queue p95, ms", viewed.queue_p95(Duration::ZERO).into(), 200.0),
        at_most("frozen a minute, s", picture.frozen.as_secs_f64(), 3.0),
        at_most("speech lost, %", speech_lost(viewed), 1.0),
        at_most("layer changes", picture.changes(Duration::ZERO) as f64, 30.0),
    ]
}
