//! What of a seed's plan decides how strictly a client may judge.

use crate::kernel::{SECOND, now};
use crate::plan::{Act, Part, Plan, Step};
use crate::told::broken;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Nothing that the network does makes a packet arrive late, twice or otherwise than it was sent.
    is_in_order: bool,
    opens_all: bool,
    /// Clocks and processes are such that a deadline can be told to the second.
    is_punctual: bool,
    /// Between etcd's answer and what a node makes of it is no more than a moment.
    is_prompt: bool,
    /// Nothing goes wrong but at the clients and their network.
    is_calm: bool,
    is_blind: bool,
    /// Operators change how large channels are.
    is_resized: bool,
    /// Of the nodes' clocks, in parts per million.
    drift_max: u64,
    nodes: usize,
}

thread_local! {
    static KNOWN: Cell<Known> = const { Cell::new(Known { is_in_order: false, opens_all: false, is_punctual: false, is_prompt: false, is_calm: false, is_blind: false, is_resized: false, drift_max: 0, nodes: 0 }) };
    /// By user, until when it has Pro, in seconds of virtual time.
    static PRO_UNTIL: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
}

pub(crate) fn begin(plan: &Plan) {
    let faults = plan.faults;
    // Whoever sends from an address of somebody else sends what it saw, also what was lost.
    let is_fifo = [faults.duplication, faults.replay, faults.spoofing] == [0; 3] && faults.jitter == 0;
    let has_attacker = faults.replay > 0 || faults.duplication > 0 || faults.corruption > 0;
    let is_late = plan.steps.iter().any(|step| {
        let drifts = matches!(step.act, Act::Drift(_, ppm) if ppm.abs() > 1000);
        let is_down = matches!(
            step.act,
            Act::Pause(..) | Act::Kill(..) | Act::PowerOff(..) | Act::End(..) | Act::Slow(..)
        );
        drifts || is_down || matches!(step.act, Act::Skew(..))
    });
    let is_slow = plan.steps.iter().any(|step| {
        matches!(
            step.act,
            Act::Pause(..)
                | Act::Slow(..)
                | Act::Cut(..)
                | Act::ReplyDelay(..)
                | Act::ReplyLost(..)
                | Act::Reset(..)
        )
    });
    let is_calm = plan.steps.iter().all(|step| is_of_clients(&step.act));
    KNOWN.set(Known {
        is_in_order: is_fifo,
        opens_all: !has_attacker,
        is_punctual: !is_late,
        is_prompt: !is_slow,
        is_calm,
        is_blind: plan.is_blind,
        is_resized: plan.steps.iter().any(|step| matches!(step.act, Act::Operate(..))),
        drift_max: plan.steps.iter().map(drift_of).max().unwrap_or_default(),
        nodes: plan.size.nodes,
    });
    let ends = plan.pro_until.iter().enumerate().filter_map(|(who, at)| Some((format!("p{who}"), (*at)?)));
    PRO_UNTIL.set(ends.collect());
}

fn drift_of(step: &Step) -> u64 {
    match step.act {
        Act::Drift(Part::Node(_), ppm) => ppm.unsigned_abs(),
        _ => 0,
    }
}

pub(crate) fn drift_max() -> u64 {
    KNOWN.get().drift_max
}

/// No server and no way between servers is touched.
fn is_of_clients(act: &Act) -> bool {
    matches!(
        act,
        Act::Join(..)
            | Act::Leave(..)
            | Act::Send(..)
            | Act::Stop(..)
            | Act::Mute(..)
            | Act::Break(..)
            | Act::Reload(..)
            | Act::Roam(..)
            | Act::Narrow(..)
            | Act::Deafen(..)
            | Act::ShowOldToken(..)
            | Act::Hostile(..)
            | Act::Chore(..)
            | Act::Vanish(..)
            | Act::ResetPerson(..)
            | Act::DriftPerson(..)
            | Act::AskForCalls(..)
            | Act::HooksRefused(..)
    )
}

pub(crate) fn is_blind() -> bool {
    KNOWN.get().is_blind
}

pub(crate) fn is_resized() -> bool {
    KNOWN.get().is_resized
}

pub(crate) fn is_calm() -> bool {
    KNOWN.get().is_calm
}

pub(crate) fn is_in_order() -> bool {
    KNOWN.get().is_in_order
}

pub(crate) fn opens_all() -> bool {
    KNOWN.get().opens_all
}

pub(crate) fn is_prompt() -> bool {
    KNOWN.get().is_prompt
}

/// The index of the node on this host: etcd's host comes first, then the nodes'.
pub(crate) fn node_of(host: u32) -> Option<usize> {
    let index = usize::try_from(host).ok()?.checked_sub(1)?;
    (index < KNOWN.get().nodes).then_some(index)
}

/// A node lets this user send a picture, or somebody got one.
pub(crate) fn video_of(user: &str) {
    let until = PRO_UNTIL.with(|ends| ends.borrow().get(user).copied());
    if let Some(until) = until
        && KNOWN.get().is_punctual
        && now() > (until + 2) * SECOND
    {
        broken("At proUntil video stops within 1 s (contract, 5)", || {
            format!("{user}'s Pro ended at {until} s")
        });
    }
}
