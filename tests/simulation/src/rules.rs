//! What must be so, each rule with its source. Rules that a client can see are where it sees them
//! (`client/view.rs`, `client/call.rs`); here are those of the whole.

use crate::client::{Has, Person};
use crate::etcd::Etcd;
use crate::kernel::{HostId, Nanos, SECOND, now};
use crate::told::{broken, is_broken};
use railgun_media::worker::Fence;
use railgun_media_core::Engine;
use railgun_media_core::testing::{Census, RoomCensus, census};
use railgun_protocol::limits::PARTICIPANTS_FREE;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// What an engine had when it was looked at last.
#[derive(Clone, Debug, Default)]
struct Seen {
    turns: u64,
    at: Nanos,
    census: Census,
    /// Of its fence: whether it may act for its rooms, and under which lease.
    is_valid: bool,
    lease: i64,
}

thread_local! {
    /// By the number of its host.
    static ENGINES: RefCell<BTreeMap<u32, Seen>> = const { RefCell::new(BTreeMap::new()) };
    static CALL_SECONDS: Cell<u64> = const { Cell::new(0) };
    /// For how many seconds two nodes have been sure of the same channel.
    static SPLIT: Cell<u32> = const { Cell::new(0) };
}

/// Turns of a worker between two looks at all that its engine has.
const TURNS_PER_LOOK: u64 = 8;

pub(crate) fn begin() {
    ENGINES.take();
    CALL_SECONDS.set(0);
    SPLIT.set(0);
}

pub(crate) fn call_seconds() -> u64 {
    CALL_SECONDS.get()
}

/// After each turn of a media worker.
pub(crate) fn look_at_engine(engine: &Engine, fence: &Fence) {
    let at = Instant::now();
    let (is_valid, lease) = (fence.is_valid(at), fence.lease());
    ENGINES.with(|engines| {
        let mut engines = engines.borrow_mut();
        let seen = engines.entry(crate::kernel::current_host()).or_default();
        (seen.is_valid, seen.lease) = (is_valid, lease);
        seen.turns += 1;
        seen.at = now();
        if seen.turns % TURNS_PER_LOOK != 0 && engine.room_count() > 0 {
            return;
        }
        let census = census(engine, at);
        for (rule, how) in &census.broken {
            broken(rule, || how.clone());
        }
        for room in &census.rooms {
            let before = seen.census.rooms.iter().find(|it| it.address.channel == room.address.channel);
            if let Some(before) = before {
                compare(before, room);
            }
        }
        seen.census = census;
    });
}

const QUEUE: &str = "The head of the queue gets the slot; who waits keeps its place (contract, 5)";

/// A room then and now.
fn compare(before: &RoomCensus, after: &RoomCensus) {
    if after.address.epoch < before.address.epoch {
        broken("Epochs of a channel rise", || format!("{:?} after {:?}", after.address, before.address));
    }
    let stays: Vec<_> = before.waiting.iter().filter(|it| after.waiting.contains(it)).collect();
    let order: Vec<_> = after.waiting.iter().filter(|it| before.waiting.contains(it)).collect();
    if stays != order {
        broken(QUEUE, || format!("{:?} became {:?}", before.waiting, after.waiting));
    }
    for (place, it) in before.waiting.iter().enumerate() {
        let passed = before.waiting[..place].iter().find(|ahead| after.waiting.contains(ahead));
        if after.taken.contains(it)
            && let Some(passed) = passed
        {
            broken(QUEUE, || format!("{it:?} got a slot before {passed:?}"));
        }
    }
}

/// A process that ends takes its engine with it.
pub(crate) fn forget_engine(host: HostId) {
    ENGINES.with(|engines| engines.borrow_mut().remove(&host.number()));
}

/// What concerns several parts at once.
fn look_at_all(etcd: &Etcd) {
    ENGINES.with(|engines| {
        let engines = engines.borrow();
        // A worker looks at its fence every second; one that did not stands still, and will look before it acts.
        let is_sure = |seen: &Seen| seen.is_valid && now() < seen.at + SECOND + SECOND / 4;
        for (host, seen) in engines.iter().filter(|(_, seen)| is_sure(seen)) {
            if seen.lease != 0 && !etcd.has_lease(seen.lease) {
                broken(
                    "A node acts for its rooms while its lease lasts, counted from when it asked (5 s)",
                    || format!("host {host} counts on lease {}, which etcd does not have", seen.lease),
                );
            }
        }
        let mut of: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (host, seen) in engines.iter().filter(|(_, seen)| is_sure(seen)) {
            for room in &seen.census.rooms {
                of.entry(room.address.channel.to_string()).or_default().push(*host);
            }
        }
        let split = of.iter().find(|(_, hosts)| hosts.len() > 1);
        SPLIT.set(if split.is_some() { SPLIT.get() + 1 } else { 0 });
        if let Some((channel, hosts)) = split
            && SPLIT.get() > 3
        {
            broken("One node at a time is sure of a channel", || format!("{channel}: hosts {hosts:?}"));
        }
    });
}

/// Looks at the whole every virtual second.
pub(crate) fn watch(etcd: Etcd, people: Vec<Arc<Person>>) {
    crate::kernel::schedule(now() + SECOND, move |_| {
        let in_calls = people.iter().filter(|it| it.has(|has| has.session.is_some())).count() as u64;
        CALL_SECONDS.set(CALL_SECONDS.get() + in_calls);
        look_at_all(&etcd);
        watch(etcd, people);
    });
}

const LIVENESS: &str = "After all faults are healed everybody who wants to be in a call is, and is heard";
const TRUTH: &str = "Each client's picture of its room is the fold of its events and ends equal to the truth";

/// 120 s after everything was healed.
pub(crate) fn everybody_is_well(etcd: &Etcd, people: &[Arc<Person>]) {
    let mut by_channel: BTreeMap<String, Vec<&Arc<Person>>> = BTreeMap::new();
    let mut wanting: BTreeMap<String, usize> = BTreeMap::new();
    for person in people {
        if let Some(channel) = person.wish(|wish| wish.channel.clone()) {
            *wanting.entry(channel).or_default() += 1;
        }
    }
    for person in people {
        let Some(channel) = person.wish(|wish| wish.channel.clone()) else { continue };
        let is_in = person.has(|has| has.session.is_some() && has.channel == channel);
        // A full room refuses the rest of them.
        if !is_in && wanting[&channel] > usize::from(PARTICIPANTS_FREE) {
            continue;
        }
        let (session, there) = person.has(|has| (has.session.clone(), has.channel.clone()));
        if session.is_none() || there != channel {
            let refused = person.has(|has| has.refused.clone());
            broken(LIVENESS, || {
                format!("{} wants to be in {channel} and is not; refused: {refused:?}", person.user)
            });
        }
        by_channel.entry(channel).or_default().push(person);
    }
    if is_broken() {
        return;
    }
    for (channel, people) in &by_channel {
        let all: BTreeMap<String, Has> = people
            .iter()
            .map(|person| person.has(|has| (has.session.clone().unwrap_or_default(), has.clone())))
            .collect();
        for person in people {
            let has = person.has(|has| has.clone());
            agree(channel, &person.user, &has, &all);
            hears(person, &has, &all);
        }
    }
    bindings(etcd, by_channel.keys());
}

fn agree(channel: &str, me: &str, has: &Has, all: &BTreeMap<String, Has>) {
    let mine = has.session.clone().unwrap_or_default();
    let seen: BTreeSet<&String> = has.view.others.keys().collect();
    let there: BTreeSet<&String> = all.keys().filter(|session| **session != mine).collect();
    if seen != there {
        broken(TRUTH, || format!("{me} in {channel} sees {seen:?}, there are {there:?}"));
        return;
    }
    for (session, other) in &has.view.others {
        let own: BTreeMap<&String, &String> = all[session].own.iter().collect();
        let told: BTreeMap<&String, &String> =
            other.producers.iter().map(|(id, (source, _))| (id, source)).collect();
        if own != told {
            broken(TRUTH, || {
                format!("{me} in {channel} was told {told:?} of {}, who has {own:?}", other.user)
            });
        }
    }
}

fn hears(me: &Person, has: &Has, all: &BTreeMap<String, Has>) {
    let wanted = me.wish(|wish| wish.sources.contains("mic"));
    if wanted && !has.own.values().any(|source| source == "mic") {
        broken(LIVENESS, || format!("{} wants to speak and has no microphone open", me.user));
    }
    for other in all.values().filter(|other| other.session != has.session) {
        for (producer, source) in other.own.iter().filter(|(_, source)| *source == "mic") {
            let is_paused = has.view.producer(producer).is_some_and(|(_, of)| of.producers[producer].1);
            let heard = has.consuming.get(producer);
            let is_fresh = heard.is_some_and(|heard| heard.packets > 0 && now() < heard.last + 5 * SECOND);
            if !is_paused && !is_fresh {
                broken(LIVENESS, || {
                    format!("{} does not hear {source} {producer} of {:?}: {heard:?}", me.user, other.session)
                });
            }
        }
    }
}

/// A room that people are in is bound to a node that is there, and nothing else is bound.
fn bindings<'a>(etcd: &Etcd, channels: impl Iterator<Item = &'a String>) {
    let bound: BTreeSet<String> = etcd.under("/rg/v1/room").into_iter().map(|(key, ..)| key).collect();
    let wanted: BTreeSet<&String> = channels.collect();
    if bound.len() != wanted.len() {
        broken("Exactly the rooms in use are bound in etcd", || {
            format!("bound {bound:?}, in use {wanted:?}")
        });
    }
}

const EMPTY: &str = "When all have left the state is that of a fresh start";

/// After everybody has left.
pub(crate) fn nothing_is_left(etcd: &Etcd, people: &[Arc<Person>]) {
    for person in people {
        if let Some(session) = person.has(|has| has.session.clone()) {
            broken(EMPTY, || format!("{} is still {session}", person.user));
        }
    }
    let engines = ENGINES.with(|engines| engines.borrow().clone());
    for (host, seen) in engines {
        if !seen.census.rooms.is_empty() {
            broken(EMPTY, || format!("the engine of host {host} has {:?}", seen.census.rooms));
        }
    }
    let bound = etcd.under("/rg/v1/room");
    if !bound.is_empty() {
        broken(EMPTY, || format!("etcd has {:?}", bound.iter().map(|(key, ..)| key).collect::<Vec<_>>()));
    }
}
