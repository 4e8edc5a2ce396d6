//! What of a seed's plan decides how strictly a client may judge.

use crate::kernel::{SECOND, now};
use crate::plan::{Act, Plan};
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
}

thread_local! {
    static KNOWN: Cell<Known> = const { Cell::new(Known { is_in_order: false, opens_all: false, is_punctual: false }) };
    /// By user, until when it has Pro, in seconds of virtual time.
    static PRO_UNTIL: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
}

pub(crate) fn begin(plan: &Plan) {
    let faults = plan.faults;
    let is_fifo = faults.jitter == 0 && faults.duplication == 0 && faults.replay == 0;
    let has_attacker = faults.replay > 0 || faults.duplication > 0 || faults.corruption > 0;
    let is_late = plan
        .steps
        .iter()
        .any(|step| matches!(step.act, Act::Skew(..) | Act::Pause(..) | Act::Kill(..) | Act::PowerOff(..)));
    KNOWN.set(Known { is_in_order: is_fifo, opens_all: !has_attacker, is_punctual: !is_late });
    let ends = plan.pro_until.iter().enumerate().filter_map(|(who, at)| Some((format!("p{who}"), (*at)?)));
    PRO_UNTIL.set(ends.collect());
}

pub(crate) fn is_in_order() -> bool {
    KNOWN.get().is_in_order
}

pub(crate) fn opens_all() -> bool {
    KNOWN.get().opens_all
}

/// Somebody got a picture of this user's.
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
