//! What happens in a seed beside its calls: chores of clients, and what operators do.

use crate::act::{Act, Part, Plan, Size, Step};
use crate::balancer::Telling;
use crate::client::{CANCELS, CHORE_KINDS, Carriage};
use crate::kernel::{MILLISECOND, Nanos, SECOND};
use railgun_peer::Video;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// Sets the numbers apart by which chores are drawn: the rest of a plan stays what it was.
const CHORES: u64 = 0x6368_6f72_6573_0000;

/// Sets the numbers apart by which encodings are drawn.
const VIDEO: u64 = 0x7669_6465_6f00_0000;

/// Kinds of deeds, as `operator.rs` knows them.
const OPERATOR_DEEDS: u32 = 14;
/// A deed that is drawn apart: an operator has a channel encrypted end to end.
pub(crate) const ENCRYPTS: u32 = 14;
/// Another: an operator makes a channel a DM of some people.
pub(crate) const MAKES_DM: u32 = 15;
/// Another: an operator makes the channel `dm-0` a DM whose members are all people.
pub(crate) const MAKES_DM_OF_ALL: u32 = 16;

/// Sets the numbers apart by which scenes are drawn.
const SCENES: u64 = 0x7363_656e_6573_0000;
/// Sets the numbers apart by which ways are drawn.
const WAYS: u64 = 0x7761_7973_0000_0000;
/// Sets the numbers apart by which questions about calls are drawn.
const CALLS: u64 = 0x6361_6c6c_7300_0000;
/// Sets the numbers apart by which ways to replicas are drawn.
const WAYS_IN: u64 = 0x696e_0000_0000_0000;
/// Kinds of chores that scenes are made of.
const AGREES: u32 = 2;
const RINGS: u32 = 6;
const ANSWERS: u32 = 7;

/// What operators do, and what befalls the server of their webhooks.
pub(crate) fn operators(size: Size, rng: &mut ChaCha12Rng, steps: &mut Vec<Step>) {
    if rng.random_range(0..3) > 0 {
        return;
    }
    for _ in 0..rng.random_range(1..=12) {
        let at = rng.random_range(6_000..size.lasts / MILLISECOND) * MILLISECOND;
        let act = match rng.random_range(0..10) {
            0 => Act::HooksRefused(rng.random(), rng.random_range(500..15_000) * MILLISECOND),
            _ => Act::Operate(rng.random_range(0..OPERATOR_DEEDS), rng.random()),
        };
        steps.push(Step { at, act });
    }
}

/// What people do beside their calls, and operators that channels are encrypted or for their members alone.
pub(crate) fn with_chores(seed: u64, mut plan: Plan) -> Plan {
    let rng = &mut ChaCha12Rng::seed_from_u64(seed ^ CHORES);
    let size = plan.size;
    let deeds = if rng.random_range(0..3) == 0 { 0 } else { rng.random_range(1..=size.people * 6) };
    // Of some kinds many, so that limits are met.
    let kinds: Vec<u32> = (0..rng.random_range(1..=10)).map(|_| rng.random_range(0..CHORE_KINDS)).collect();
    for _ in 0..deeds {
        let at = rng.random_range(5_000..size.lasts / MILLISECOND) * MILLISECOND;
        let kind = kinds[rng.random_range(0..kinds.len())];
        let act = Act::Chore(rng.random_range(0..size.people), kind, rng.random());
        plan.steps.push(Step { at, act });
    }
    for deed in [ENCRYPTS, MAKES_DM] {
        if rng.random_range(0..5) == 0 {
            let at = if rng.random() {
                SECOND
            } else {
                rng.random_range(6_000..size.lasts / MILLISECOND) * MILLISECOND
            };
            plan.steps.push(Step { at, act: Act::Operate(deed, rng.random()) });
        }
    }
    plan.steps.sort_by_key(|step| step.at);
    let rng = &mut ChaCha12Rng::seed_from_u64(seed ^ VIDEO);
    plan.video = (0..size.people).map(|_| Video::ALL[rng.random_range(0..Video::ALL.len())]).collect();
    plan
}

/// Deeds of several people that belong together: key agreement in a channel that is encrypted from the start, and
/// calls in a DM.
pub(crate) fn with_scenes(seed: u64, mut plan: Plan) -> Plan {
    let rng = &mut ChaCha12Rng::seed_from_u64(seed ^ SCENES);
    let size = plan.size;
    let latest = size.lasts / MILLISECOND;
    let mut steps = Vec::new();
    if rng.random_range(0..4) == 0 {
        // Who is in no channel yet has `room-0` encrypted.
        steps.push(Step { at: SECOND, act: Act::Operate(ENCRYPTS, 0) });
        for _ in 0..rng.random_range(1..=3) {
            let at = rng.random_range(5_000..latest - 8_000) * MILLISECOND;
            agree(size, rng, at, &mut steps);
        }
    }
    if rng.random_range(0..4) == 0 {
        steps.push(Step { at: 4 * SECOND, act: Act::Operate(MAKES_DM_OF_ALL, 0) });
        for _ in 0..rng.random_range(1..=3) {
            let at = rng.random_range(6_000..latest - 8_000) * MILLISECOND;
            ring(size, rng, at, &mut steps);
        }
    }
    plan.steps.extend(steps);
    plan.steps.sort_by_key(|step| step.at);
    plan
}

/// People whose address changes, and whose way is narrow for a while.
pub(crate) fn with_ways(seed: u64, mut plan: Plan) -> Plan {
    let rng = &mut ChaCha12Rng::seed_from_u64(seed ^ WAYS);
    let size = plan.size;
    let latest = size.lasts / MILLISECOND;
    for is_narrow in [false, true] {
        if rng.random_range(0..3) > 0 {
            continue;
        }
        for _ in 0..rng.random_range(1..=4) {
            let at = rng.random_range(5_000..latest) * MILLISECOND;
            let who = rng.random_range(0..size.people);
            let lasts = rng.random_range(1_000..12_000) * MILLISECOND;
            let act = match is_narrow {
                true => Act::Narrow(who, rng.random(), rng.random_range(10..400), lasts),
                false => Act::Roam(who),
            };
            plan.steps.push(Step { at, act });
        }
    }
    plan.steps.sort_by_key(|step| step.at);
    plan
}

/// Operators ask for calls while these go on, and disks that have them are full, or lose their power.
pub(crate) fn with_calls(seed: u64, mut plan: Plan) -> Plan {
    let rng = &mut ChaCha12Rng::seed_from_u64(seed ^ CALLS);
    let size = plan.size;
    let latest = size.lasts / MILLISECOND;
    if rng.random_range(0..3) == 0 {
        for _ in 0..rng.random_range(1..=6) {
            let at = rng.random_range(5_000..latest) * MILLISECOND;
            let channel = format!("room-{}", rng.random_range(0..size.rooms));
            plan.steps.push(Step { at, act: Act::AskForCalls(channel) });
        }
    }
    if rng.random_range(0..4) == 0 {
        for _ in 0..rng.random_range(1..=3) {
            let at = rng.random_range(5_000..latest) * MILLISECOND;
            let replica = rng.random_range(0..size.replicas);
            let lasts = rng.random_range(200..12_000) * MILLISECOND;
            let act = match rng.random_range(0..3) {
                0 => Act::PowerOff(Part::Replica(replica), lasts),
                // Past the end of a minute, at which most is written.
                _ => Act::DiskFull(replica, lasts),
            };
            plan.steps.push(Step { at, act });
        }
    }
    plan.steps.sort_by_key(|step| step.at);
    plan
}

/// In some seeds people's packets of socket.io travel by long-polling, and in some a load balancer carries them.
pub(crate) fn with_ways_in(seed: u64, mut plan: Plan) -> Plan {
    let rng = &mut ChaCha12Rng::seed_from_u64(seed ^ WAYS_IN);
    if rng.random_range(0..3) == 0 {
        let any = |_| Carriage::ALL[rng.random_range(0..Carriage::ALL.len())];
        plan.carriage = (0..plan.size.people).map(any).collect();
    }
    if rng.random_range(0..4) == 0 {
        plan.balancer = Some(Telling::ALL[rng.random_range(0..Telling::ALL.len())]);
    }
    plan
}

/// Two people, who are not the same.
fn pair(size: Size, rng: &mut ChaCha12Rng) -> (usize, usize) {
    let one = rng.random_range(0..size.people);
    (one, (one + rng.random_range(1..size.people)) % size.people)
}

/// Two people commit at once, so that one is too late; or one commits while the other has no socket, and once more
/// when that is back.
fn agree(size: Size, rng: &mut ChaCha12Rng, at: Nanos, steps: &mut Vec<Step>) {
    let (one, other) = pair(size, rng);
    // A multiple of 6 is a commit.
    let mut commits = |who, wait: Nanos, rng: &mut ChaCha12Rng| {
        let act = Act::Chore(who, AGREES, 6 * rng.random_range(0..1_000_000));
        steps.push(Step { at: at + wait * MILLISECOND, act });
    };
    let is_lost = rng.random();
    commits(one, 3_000, rng);
    commits(if is_lost { one } else { other }, if is_lost { 4_300 } else { 3_000 }, rng);
    commits(one, 7_500, rng);
    if is_lost {
        steps.push(Step { at: at + 4_000 * MILLISECOND, act: Act::Break(other) });
    }
    steps.extend([one, other].map(|who| Step { at, act: Act::Join(who, "room-0".into()) }));
}

/// Somebody in the DM calls the others, of whom one accepts, declines or does nothing; or takes the call back.
fn ring(size: Size, rng: &mut ChaCha12Rng, at: Nanos, steps: &mut Vec<Step>) {
    let (one, other) = pair(size, rng);
    steps.push(Step { at, act: Act::Join(one, "dm-0".into()) });
    steps.push(Step { at: at + 3 * SECOND, act: Act::Chore(one, RINGS, rng.random()) });
    let after = at + rng.random_range(3_200..8_000) * MILLISECOND;
    match rng.random_range(0..4) {
        // An even number accepts. Three times, since a caller who joins slowly calls late.
        answer @ (0 | 1) => {
            steps.extend((0..3).map(|times| Step {
                at: after + times * 2 * SECOND,
                act: Act::Chore(other, ANSWERS, answer),
            }))
        }
        2 => steps.push(Step { at: after, act: Act::Chore(one, CANCELS, 0) }),
        _ => {}
    }
}
