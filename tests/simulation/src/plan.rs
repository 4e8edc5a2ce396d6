//! What happens in a seed: who does what, and what goes wrong when. A list of its own, so that a failure can be cut
//! down to few of its lines.

use crate::kernel::{LinkFaults, MILLISECOND, Nanos, SECOND};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::fmt;

/// A part of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Etcd,
    Node(usize),
    Replica(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    Join(usize, String),
    Leave(usize),
    Send(usize, &'static str),
    Stop(usize, &'static str),
    Mute(usize, bool),
    /// The person's connection to the replica breaks.
    Break(usize),
    Reload(usize),
    /// Pauses what it receives, and goes on after so long.
    Deafen(usize, Nanos),
    /// After its next resume, shows the resume token that it used before.
    ShowOldToken(usize),
    /// Tries something on what is another's: which trick, and a number to choose the victim by.
    Hostile(usize, u32, u64),
    /// Something that a replica may not do, tried by one that is not of the operator's.
    Rogue(u32, u64),
    /// The person's process ends without a word, or its machine does (true), and begins anew after so long.
    Vanish(usize, bool, Nanos),
    /// For so long.
    Kill(Part, Nanos),
    PowerOff(Part, Nanos),
    Pause(Part, Nanos),
    /// One way, and both, between two parts.
    Cut(Part, Part, bool, Nanos),
    /// Between a person and a part.
    CutPerson(usize, Part, Nanos),
    NoQuorum(Nanos),
    ChangeLeader,
    Compact,
    WatchLag(Nanos, Nanos),
    CancelWatches(Nanos),
    ReplyDelay(Nanos, Nanos),
    Skew(Part, i64),
    /// Each turn of its process takes so long.
    Slow(Part, Nanos, Nanos),
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub at: Nanos,
    pub act: Act,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at / MILLISECOND;
        write!(f, "{:>4}.{:03} s  {:?}", at / 1000, at % 1000, self.act)
    }
}

/// How large a world is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub nodes: usize,
    pub replicas: usize,
    pub people: usize,
    pub rooms: usize,
    /// Of people's wishes and faults.
    pub lasts: Nanos,
    /// Between two packets of a source.
    pub pace: Nanos,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub size: Size,
    pub faults: LinkFaults,
    /// When Pro of these ends, in seconds.
    pub pro_until: Vec<Option<u64>>,
    pub steps: Vec<Step>,
}

const SOURCES: [&str; 3] = ["mic", "camera", "screen"];

/// The small world of a seed: each seed turns on faults and deeds of its own, at rates of its own.
pub(crate) fn small(seed: u64) -> Plan {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    // Now and then more people than a room of the Free tier takes.
    let is_crowded = rng.random_range(0..8) == 0;
    let people = if is_crowded { rng.random_range(9..=10) } else { rng.random_range(2..=6) };
    let size = Size {
        nodes: 2,
        replicas: rng.random_range(1..=2),
        people,
        rooms: if is_crowded { 1 } else { rng.random_range(1..=3) },
        lasts: rng.random_range(20..=45) * SECOND,
        pace: 200 * MILLISECOND,
    };
    plan(size, &mut rng)
}

/// 3 nodes, 3 replicas, 20 rooms.
pub(crate) fn full(seed: u64) -> Plan {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let size =
        Size { nodes: 3, replicas: 3, people: 60, rooms: 20, lasts: 60 * SECOND, pace: 200 * MILLISECOND };
    plan(size, &mut rng)
}

fn plan(size: Size, rng: &mut ChaCha12Rng) -> Plan {
    let mut steps = Vec::new();
    let channel = |rng: &mut ChaCha12Rng| format!("room-{}", rng.random_range(0..size.rooms));
    for person in 0..size.people {
        let at = rng.random_range(2_000..12_000) * MILLISECOND;
        steps.push(Step { at, act: Act::Join(person, channel(rng)) });
        steps.push(Step { at, act: Act::Send(person, "mic") });
        // More of them want to be seen than may be, so that some wait.
        if size.people > 8 && size.rooms == 1 {
            steps.push(Step { at, act: Act::Send(person, "camera") });
        }
    }
    let kinds_on: Vec<bool> = (0..10).map(|_| rng.random_range(0..3) < 2).collect();
    let pro_until = (0..size.people)
        .map(|_| (rng.random_range(0..3) == 0).then(|| rng.random_range(12..size.lasts / SECOND + 10)))
        .collect();
    let deeds = rng.random_range(size.people..=size.people * 10);
    for _ in 0..deeds {
        let at = rng.random_range(6_000..size.lasts / MILLISECOND) * MILLISECOND;
        let who = rng.random_range(0..size.people);
        let kind = rng.random_range(0..10);
        if !kinds_on[kind] {
            continue;
        }
        let act = match kind {
            0 => Act::Join(who, channel(rng)),
            1 => Act::Leave(who),
            2 => Act::Send(who, SOURCES[rng.random_range(0..3)]),
            3 => Act::Stop(who, SOURCES[rng.random_range(0..3)]),
            4 => Act::Mute(who, rng.random()),
            5 => Act::Break(who),
            6 => Act::Reload(who),
            7 => Act::Deafen(who, rng.random_range(300..4_000) * MILLISECOND),
            8 => Act::ShowOldToken(who),
            _ => Act::Hostile(who, rng.random_range(0..12), rng.random()),
        };
        steps.push(Step { at, act });
    }
    let faults = link_faults(rng);
    let fault_kinds: Vec<bool> = (0..12).map(|_| rng.random_range(0..2) == 0).collect();
    for _ in 0..rng.random_range(0..=8) {
        let at = rng.random_range(4_000..size.lasts / MILLISECOND) * MILLISECOND;
        let lasts = rng.random_range(200..15_000) * MILLISECOND;
        let part = match rng.random_range(0..5) {
            0 => Part::Etcd,
            1 | 2 => Part::Node(rng.random_range(0..size.nodes)),
            _ => Part::Replica(rng.random_range(0..size.replicas)),
        };
        let other = match rng.random_range(0..3) {
            0 => Part::Etcd,
            1 => Part::Node(rng.random_range(0..size.nodes)),
            _ => Part::Replica(rng.random_range(0..size.replicas)),
        };
        let kind = rng.random_range(0..12);
        if !fault_kinds[kind] {
            continue;
        }
        let act = match kind {
            0 => Act::Kill(part, lasts),
            1 => Act::PowerOff(part, lasts),
            2 => Act::Pause(part, lasts),
            3 if part != other => Act::Cut(part, other, rng.random(), lasts),
            4 => Act::CutPerson(rng.random_range(0..size.people), part, lasts),
            5 => Act::NoQuorum(lasts),
            6 => Act::ChangeLeader,
            7 => Act::Compact,
            8 => Act::WatchLag(rng.random_range(100..5_000) * MILLISECOND, lasts),
            9 => Act::CancelWatches(lasts),
            10 => Act::ReplyDelay(rng.random_range(50..1_500) * MILLISECOND, lasts),
            11 if part != Part::Etcd => Act::Skew(part, rng.random_range(-300..300) * 1_000_000_000),
            _ => continue,
        };
        steps.push(Step { at, act });
    }
    for _ in 0..rng.random_range(0..=6) {
        let at = rng.random_range(6_000..size.lasts / MILLISECOND) * MILLISECOND;
        steps.push(Step { at, act: Act::Rogue(rng.random_range(0..4), rng.random()) });
    }
    if rng.random_range(0..3) == 0 {
        let at = rng.random_range(6_000..size.lasts / MILLISECOND) * MILLISECOND;
        let lasts = rng.random_range(500..15_000) * MILLISECOND;
        steps.push(Step { at, act: Act::Vanish(rng.random_range(0..size.people), rng.random(), lasts) });
    }
    if rng.random_range(0..3) == 0 {
        let at = rng.random_range(4_000..size.lasts / MILLISECOND) * MILLISECOND;
        let part = match rng.random_range(0..3) {
            0 => Part::Etcd,
            1 => Part::Node(rng.random_range(0..size.nodes)),
            _ => Part::Replica(rng.random_range(0..size.replicas)),
        };
        let (turn, lasts) =
            (rng.random_range(1..150) * MILLISECOND, rng.random_range(500..15_000) * MILLISECOND);
        steps.push(Step { at, act: Act::Slow(part, turn, lasts) });
    }
    steps.sort_by_key(|step| step.at);
    Plan { size, faults, pro_until, steps }
}

fn link_faults(rng: &mut ChaCha12Rng) -> LinkFaults {
    let mut maybe = |most: u32| if rng.random_range(0..3) == 0 { rng.random_range(0..most) } else { 0 };
    let (loss, duplication, corruption) = (maybe(100_000), maybe(50_000), maybe(20_000));
    let segment_loss = maybe(30_000);
    let (replay, spoofing) = (maybe(300_000), maybe(100_000));
    let jitter = Nanos::from(maybe(40)) * MILLISECOND;
    let delay_outside = rng.random_range(2..80) * MILLISECOND;
    LinkFaults {
        delay_outside,
        jitter,
        loss,
        duplication,
        corruption,
        segment_loss,
        replay,
        spoofing,
        ..LinkFaults::NONE
    }
}
