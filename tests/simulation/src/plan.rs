//! What happens in a seed: who does what, and what goes wrong when. A list of its own, so that a failure can be cut
//! down to few of its lines.

pub(crate) use crate::act::{Act, Begins, Part, Plan, Size, Step};

use crate::beside::{operators, with_calls, with_chores, with_scenes, with_ways, with_ways_in};
use crate::client::Carriage;
use crate::kernel::{Epoch, LinkFaults, MILLISECOND, Nanos, SECOND};
use railgun_peer::Video;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

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
    whole(seed, plan(size, &mut rng, &mut ChaCha12Rng::seed_from_u64(seed ^ MORE)))
}

/// A small world at which nothing goes wrong, and where people do as they are told.
pub(crate) fn quiet(seed: u64) -> Plan {
    let mut plan = small(seed);
    plan.size = Size { nodes: 2, replicas: 2, people: 4, rooms: 2, ..plan.size };
    plan.steps.clear();
    plan.faults = LinkFaults::NONE;
    (plan.pro_until, plan.is_private) = (vec![None; 4], vec![false; 4]);
    plan.video = vec![Video::default(); 4];
    (plan.carriage, plan.balancer) = (vec![Carriage::default(); 4], None);
    plan.begins = Begins {
        clocks: Epoch { monotonic: (1 << 32) / 1000 - 86_400, wall: NTP_ERA - 86_400 },
        revision: (1 << 32) - 200,
    };
    plan
}

/// 3 nodes, 3 replicas, 20 rooms.
pub(crate) fn full(seed: u64) -> Plan {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let size =
        Size { nodes: 3, replicas: 3, people: 60, rooms: 20, lasts: 60 * SECOND, pace: 200 * MILLISECOND };
    whole(seed, plan(size, &mut rng, &mut ChaCha12Rng::seed_from_u64(seed ^ MORE)))
}

fn whole(seed: u64, plan: Plan) -> Plan {
    let plan = with_ways(seed, with_scenes(seed, with_chores(seed, plan)));
    with_ways_in(seed, with_calls(seed, plan))
}

/// Sets the numbers apart by which later parts of a plan are drawn: earlier parts stay what they were.
const MORE: u64 = 0x006d_6f72_6500_0000;

fn plan(size: Size, rng: &mut ChaCha12Rng, more: &mut ChaCha12Rng) -> Plan {
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
    let begins = begins(more);
    let is_private = private(size, more);
    more_faults(size, more, &mut steps);
    operators(size, more, &mut steps);
    steps.sort_by_key(|step| step.at);
    let video = vec![Video::default(); size.people];
    let carriage = vec![Carriage::default(); size.people];
    Plan {
        size,
        faults,
        pro_until,
        is_private,
        video,
        carriage,
        balancer: None,
        steps,
        begins,
        is_blind: false,
    }
}

/// In some seeds, a little before they have no room any more in so many bits.
fn begins(rng: &mut ChaCha12Rng) -> Begins {
    let before = rng.random_range(5..60);
    let wall = match rng.random_range(0..12) {
        // NTP's first era ends in 2036, and signed seconds of 32 bits in 2038.
        0 => NTP_ERA - before,
        1 => (1 << 31) - before,
        _ => Epoch::USUAL.wall,
    };
    let monotonic = match rng.random_range(0..12) {
        // Milliseconds of 32 bits: 49.7 days.
        0 => (1 << 32) / 1000 - before,
        1 => (1 << 32) - before,
        _ => Epoch::USUAL.monotonic,
    };
    let few = i64::try_from(before).unwrap_or_default();
    let revision = match rng.random_range(0..12) {
        0 => (1 << 31) - few,
        1 => (1 << 32) - few,
        // What a double holds exactly.
        2 => (1 << 53) - few,
        _ => 1,
    };
    Begins { clocks: Epoch { monotonic, wall }, revision }
}

/// In Unix seconds.
pub(crate) const NTP_ERA: u64 = (1 << 32) - 2_208_988_800;

/// In some seeds some people are in privacy mode.
fn private(size: Size, rng: &mut ChaCha12Rng) -> Vec<bool> {
    let has_some = rng.random_range(0..4) == 0;
    (0..size.people).map(|_| rng.random_range(0..3) == 0 && has_some).collect()
}

fn more_faults(size: Size, rng: &mut ChaCha12Rng, steps: &mut Vec<Step>) {
    let is_on: Vec<bool> = (0..9).map(|_| rng.random_range(0..4) == 0).collect();
    let any = |rng: &mut ChaCha12Rng| match rng.random_range(0..4) {
        0 => Part::Etcd,
        1 | 2 => Part::Node(rng.random_range(0..size.nodes)),
        _ => Part::Replica(rng.random_range(0..size.replicas)),
    };
    // An oscillator's usual tolerance, and that of a virtual machine that is badly off.
    let drift = |rng: &mut ChaCha12Rng| {
        let most = [200, 20_000][rng.random_range(0..2)];
        rng.random_range(-most..=most)
    };
    if is_on[0] {
        for part in (0..size.nodes).map(Part::Node).chain((0..size.replicas).map(Part::Replica)) {
            steps.push(Step { at: 0, act: Act::Drift(part, drift(rng)) });
        }
        for who in 0..size.people {
            steps.push(Step { at: 0, act: Act::DriftPerson(who, drift(rng)) });
        }
    }
    for _ in 0..rng.random_range(0..=8) {
        let at = rng.random_range(4_000..size.lasts / MILLISECOND) * MILLISECOND;
        let lasts = rng.random_range(200..12_000) * MILLISECOND;
        let (one, other, who) = (any(rng), any(rng), rng.random_range(0..size.people));
        let (node, replica) = (rng.random_range(0..size.nodes), rng.random_range(0..size.replicas));
        let (rate, ppm) = (rng.random_range(1_000..400_000), drift(rng));
        let relay = match rng.random_range(0..4) {
            0 => Act::Kill(Part::Relay, lasts),
            1 => Act::PowerOff(Part::Relay, lasts),
            2 => Act::Pause(Part::Relay, lasts),
            _ => Act::Cut(Part::Relay, Part::Node(node), true, lasts),
        };
        let kind = rng.random_range(0..9);
        if !is_on[kind] {
            continue;
        }
        let act = match kind {
            0 => Act::Drift(Part::Node(node), ppm),
            1 => Act::ReplyLost(rate, lasts),
            // Past a node's lease, which lasts 5 s.
            2 => Act::ReplyDelay(lasts, lasts),
            3 if one != other => Act::Reset(one, other),
            4 => Act::ResetPerson(who, Part::Replica(replica)),
            5 => Act::SendsFail(Part::Node(node), lasts),
            6 => Act::DiskFull(replica, lasts),
            7 => Act::End(if rate % 2 == 0 { Part::Node(node) } else { Part::Replica(replica) }, lasts),
            8 => relay,
            _ => continue,
        };
        steps.push(Step { at, act });
    }
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
