//! The calls of "good calls on bad networks", what each has to show, and what it showed.

mod figure;
mod newcomer;
mod others;
mod radios;

use super::{LayerSpec, LinkConfig, Loss, Queue, Scenario, Viewed};
use std::time::Duration;

use super::SPEECH;
pub use figure::{Entry, Figure, TOP_LAYER, Target};
use figure::{at_least, at_most, lossy, only, or_never, secs, speech_lost};
pub use radios::{entries as radios, recorded};

/// All calls; those over generated radios are in [`radios`].
pub fn entries() -> Vec<Entry> {
    let millis = Duration::from_millis;
    let queue = |config: LinkConfig, length| LinkConfig { queue: Queue::Time(millis(length)), ..config };
    let narrow = |part: u64| LinkConfig::new((TOP_LAYER + SPEECH) * part / 100);
    let lossy = |loss, jitter| LinkConfig {
        loss,
        delay: millis(50),
        jitter: millis(jitter),
        ..LinkConfig::new(5_000_000)
    };
    let bursts = Loss::Bursts { begin: 0.005, end: 0.1, lost: 0.6 };
    let one = |name: &str, link, seconds, figures| Entry::new(name, Scenario::new(link, seconds), figures);
    let six = Scenario {
        publishers: 6,
        layers: [100_000, 350_000, 900_000].map(LayerSpec::new).to_vec(),
        favourite: Some(3),
        ..Scenario::new(LinkConfig::new(1_500_000), 60)
    };
    let spoken = Scenario { favourite: None, speakers: vec![(secs(0), 1), (secs(30), 3)], ..six.clone() };
    let beside = Scenario {
        links: vec![LinkConfig::new(200_000), LinkConfig::new(20_000_000)],
        ..Scenario::new(LinkConfig::new(1), 60)
    };
    let outage = LinkConfig { queue: Queue::Time(millis(300)), ..LinkConfig::new(5_000_000) };
    let outage = outage.then(20, 1).then(23, 5_000_000);
    let mut all = vec![
        one("300 kbit/s, 5 Mbit/s from 20 s on", LinkConfig::new(300_000).then(20, 5_000_000), 40, from_300),
        one(
            "4 Mbit/s to 500 kbit/s at 15 s, 400 ms queue",
            queue(LinkConfig::new(4_000_000).then(15, 500_000), 400),
            60,
            falls,
        ),
        one("5 % above the top layer", narrow(105), 75, above),
        one("5 % below the top layer", narrow(95), 75, below),
        Entry::new("200 kbit/s beside a good receiver", beside, beside_good),
        one(
            "5 to 1 Mbit/s at 20 s, 1 s queue",
            queue(LinkConfig::new(5_000_000).then(20, 1_000_000), 1_000),
            60,
            long_queue,
        ),
        one("2 % random loss, 50 ms", lossy(Loss::Random(0.02), 0), 75, random_loss),
        one("5 % random loss, 50 ms", lossy(Loss::Random(0.05), 0), 75, random_loss),
        one("bursts of loss, 30 ms jitter", lossy(bursts, 30), 75, burst_loss),
        one(
            "20 packets of queue, 8 Mbit/s",
            LinkConfig { queue: Queue::Packets(20), ..LinkConfig::new(8_000_000) },
            40,
            short_queue,
        ),
        Entry::new("six cameras into 1.5 Mbit/s", six, six_cameras),
        Entry::new("six cameras into 1.5 Mbit/s, two take turns to speak", spoken, speakers),
        one("3 s outage at 20 s", outage, 40, after_outage),
    ];
    all.extend(others::entries());
    all.extend(newcomer::entries());
    all
}

fn from_300(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let (viewed, picture) = only(views);
    vec![
        at_most("first picture, s", or_never(picture.first), 1.5),
        at_most(
            "80 % of the top layer after, s",
            or_never(viewed.reached(TOP_LAYER * 8 / 10, secs(20))),
            4.0,
        ),
        at_most("frozen, s", picture.frozen.as_secs_f64(), 1.0),
    ]
}

fn falls(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let (viewed, picture) = only(views);
    vec![
        at_most("queue over 100 ms, s", viewed.queue_over(100.0, secs(15)), 1.5),
        at_most("frozen, s", picture.frozen.as_secs_f64(), 1.0),
        at_most("layer changes", picture.changes(secs(14)) as f64, 2.0),
    ]
}

/// After the first 15 s, in which what the link takes is found out.
fn above(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let (viewed, picture) = only(views);
    vec![
        at_most("frozen, s", picture.frozen_from(secs(15)).as_secs_f64(), 0.0),
        at_most("layer changes", picture.changes(secs(15)) as f64, 2.0),
        at_most("queue p95, ms", viewed.queue_p95(secs(15)).into(), 60.0),
        at_least("on the layer, %", 100.0 * picture.time_at((2, 2), secs(15), secs(75)), 80.0),
    ]
}

fn below(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let (viewed, picture) = only(views);
    vec![
        at_most("frozen, s", picture.frozen_from(secs(15)).as_secs_f64(), 0.0),
        at_most("layer changes", picture.changes(secs(15)) as f64, 2.0),
        at_most("queue p95, ms", viewed.queue_p95(secs(15)).into(), 60.0),
        at_least("on the best that fits, %", 100.0 * picture.time_at((1, 2), secs(15), secs(75)), 80.0),
    ]
}

fn beside_good(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let pictures = |viewed: &Viewed| viewed.pictures[0].shown as f64 / 60.0;
    vec![
        at_most("speech lost, %", speech_lost(&views[0]), 0.0),
        at_least("pictures a second", pictures(&views[0]), 5.0),
        at_most("frozen, s", views[0].pictures[0].frozen.as_secs_f64(), 1.0),
        at_least("the good one's pictures a second", pictures(&views[1]), 14.5),
    ]
}

fn long_queue(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let (viewed, picture) = only(views);
    vec![
        at_most("queue p95, ms", viewed.queue_p95(secs(20)).into(), 150.0),
        at_most("frozen, s", picture.frozen.as_secs_f64(), 1.0),
    ]
}

fn random_loss(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    lossy(views, 85.0)
}

fn burst_loss(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    lossy(views, 70.0).into_iter().take(1).collect()
}

fn short_queue(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let (viewed, _) = only(views);
    vec![at_most("lost, %", 100.0 * viewed.dropped as f64 / viewed.taken as f64, 0.02)]
}

fn six_cameras(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let viewed = &views[0];
    let rates = viewed.pictures.iter().map(|it| it.shown as f64 / 60.0);
    let paused: usize = viewed
        .pictures
        .iter()
        .map(|it| it.layers.iter().filter(|(_, layers)| layers.is_none()).count())
        .sum();
    let best = |place: usize| viewed.pictures[place].layers.last().and_then(|(_, layers)| *layers);
    let is_best = (0..6).all(|place| best(place) <= best(3));
    vec![
        at_most("speech lost, %", speech_lost(viewed), 0.0),
        at_least("fewest pictures a second", rates.fold(f64::MAX, f64::min), 5.0),
        at_most("cameras paused", paused as f64, 0.0),
        at_least("the speaker's is the best", f64::from(u8::from(is_best)), 1.0),
        at_most(
            "layer changes",
            viewed.pictures.iter().map(|it| it.changes(secs(10))).sum::<usize>() as f64,
            12.0,
        ),
    ]
}

/// Six cameras of equal priority. The second participant's gets the most layers while that participant speaks, then
/// the fourth's.
fn speakers(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let pictures = &views[0].pictures;
    let is_best = |place: usize, at| {
        let others = (0..pictures.len()).filter(|other| *other != place);
        pictures[place].layers_at(at) > others.map(|it| pictures[it].layers_at(at)).max().flatten()
    };
    let rates = pictures.iter().map(|it| it.shown as f64 / 60.0);
    let paused = pictures.iter().flat_map(|it| &it.layers).filter(|(_, layers)| layers.is_none()).count();
    vec![
        at_least("the first speaker's is the best", f64::from(u8::from(is_best(1, secs(29)))), 1.0),
        at_least("then the other one's", f64::from(u8::from(is_best(3, secs(59)))), 1.0),
        at_least("fewest pictures a second", rates.fold(f64::MAX, f64::min), 5.0),
        at_most("cameras paused", paused as f64, 0.0),
        at_most("frozen of six, s", pictures.iter().map(|it| it.frozen.as_secs_f64()).sum(), 3.0),
    ]
}

fn after_outage(_: &Scenario, views: &[Viewed]) -> Vec<Figure> {
    let (_, picture) = only(views);
    vec![
        at_most("frozen, s", picture.frozen.as_secs_f64(), 4.0),
        at_most("layer changes", picture.changes(secs(15)) as f64, 2.0),
    ]
}
