//! What happens in a seed beside its calls: chores of clients, and what operators do.

use crate::act::{Act, Plan, Size, Step};
use crate::client::CHORE_KINDS;
use crate::kernel::{MILLISECOND, SECOND};
use railgun_peer::Video;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// Sets the numbers apart by which chores are drawn: the rest of a plan stays what it was.
const CHORES: u64 = 0x6368_6f72_6573_0000;

/// Sets the numbers apart by which encodings are drawn.
const VIDEO: u64 = 0x7669_6465_6f00_0000;

/// Kinds of deeds, as `operator.rs` knows them.
const OPERATOR_DEEDS: u32 = 14;
/// Two more.
pub(crate) const ENCRYPTS: u32 = 14;
pub(crate) const MAKES_DM: u32 = 15;

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
