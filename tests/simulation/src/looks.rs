//! What must be so at any time: each engine is looked at after turns of its worker, and the whole every second.

use crate::client::Person;
use crate::etcd::Etcd;
use crate::history;
use crate::kernel::{HostId, Nanos, SECOND, current_host, now};
use crate::known;
use crate::told::broken;
use railgun_media::worker::{Fence, Worker};
use railgun_media::worker_host::PacketIo;
use railgun_media_core::testing::{Census, RoomCensus, VIDEO_ENDS, census};
use railgun_protocol::directory::NODE_LEASE_MARGIN;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What an engine had when it was looked at last.
#[derive(Clone, Debug, Default)]
struct Seen {
    turns: u64,
    at: Nanos,
    looked: Nanos,
    census: Census,
    /// When its right to act for its rooms ends unless its lease is renewed; none: it has no such right.
    valid_until: Option<Nanos>,
    /// The lease that this depends on.
    lease: i64,
}

thread_local! {
    /// By the number of its host.
    static ENGINES: RefCell<BTreeMap<u32, Seen>> = const { RefCell::new(BTreeMap::new()) };
    static ETCD: RefCell<Option<Etcd>> = const { RefCell::new(None) };
    /// Hosts whose worker stood still beyond its lease, and does not know yet whose its rooms are.
    static WOKEN: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
    /// Hosts whose node was told to end: it gives its lease back before its workers end.
    static ENDING: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
    /// Nothing is looked at before: all machines stand still.
    static RESTS_UNTIL: Cell<Nanos> = const { Cell::new(0) };
    static CALL_SECONDS: Cell<u64> = const { Cell::new(0) };
    /// For how many seconds two nodes have been sure of the same channel.
    static SPLIT: Cell<u32> = const { Cell::new(0) };
    /// For how many seconds a node that is sure of its lease has had a room that is not bound to it.
    static UNBOUND: Cell<u32> = const { Cell::new(0) };
}

const LEASE: &str = "A node acts for its rooms while its lease lasts, counted from when it asked, less a margin (directory.rs)";
/// A worker that did not look at the clock for so long stood still.
const STANDSTILL: Nanos = 2 * SECOND + SECOND / 10;
/// From etcd's answer to a node's room.
const BINDING_AGE_MAX: Nanos = 3 * SECOND;
/// Turns of a worker, and time, between two looks at all that its engine has.
const TURNS_PER_LOOK: u64 = 8;
const LOOK_INTERVAL: Nanos = SECOND / 2;

pub(crate) fn begin(etcd: Etcd) {
    ENGINES.take();
    WOKEN.take();
    ENDING.take();
    CALL_SECONDS.set(0);
    RESTS_UNTIL.set(0);
    SPLIT.set(0);
    UNBOUND.set(0);
    ETCD.set(Some(etcd));
}

pub(crate) fn rest_until(at: Nanos) {
    RESTS_UNTIL.set(at);
}

fn etcd<T>(ask: impl FnOnce(&Etcd) -> T) -> Option<T> {
    ETCD.with_borrow(|etcd| etcd.as_ref().map(ask))
}

pub(crate) fn call_seconds() -> u64 {
    CALL_SECONDS.get()
}

/// Rooms that engines have, by host.
pub(crate) fn rooms() -> Vec<(u32, Vec<RoomCensus>)> {
    ENGINES.with_borrow(|engines| {
        let all = engines.iter().map(|(host, seen)| (*host, seen.census.rooms.clone()));
        all.filter(|(_, rooms)| !rooms.is_empty()).collect()
    })
}

/// A node's process goes on after it stood still for so long.
pub(crate) fn woke(host: HostId, lasted: Nanos) {
    let lease = ENGINES.with_borrow(|engines| engines.get(&host.number()).map_or(0, |seen| seen.lease));
    let is_gone = lease != 0 && etcd(|etcd| !etcd.has_lease(lease)).unwrap_or_default();
    if lasted >= STANDSTILL && is_gone {
        WOKEN.with_borrow_mut(|woken| woken.insert(host.number()));
    }
}

/// What a worker's fence says, before its turn.
pub(crate) fn look_at_fence(fence: &Fence) {
    if known::is_blind() {
        return;
    }
    let lease = fence.lease();
    if fence.is_valid(Instant::now()) {
        WOKEN.with_borrow_mut(|woken| woken.remove(&current_host()));
    }
    let Some(ends) = etcd(|etcd| etcd.lease_ends(lease)).flatten() else { return };
    // What etcd granted last began after it was asked.
    let margin = u64::try_from(NODE_LEASE_MARGIN.as_micros()).unwrap_or_default() * 1000;
    let latest = Instant::now() + Duration::from_nanos(ends.saturating_sub(margin + now()));
    // A node whose clock is too slow counts its 5 s by so many microseconds too long.
    let drift = 5 * known::drift_max();
    if fence.is_valid(latest + Duration::from_micros(2 + drift)) {
        broken(LEASE, || format!("host {} counts on lease {lease} for longer", current_host()));
    }
}

/// The worker of the process whose turn it is sends datagrams.
pub(crate) fn look_at_send() {
    if !known::is_blind() && WOKEN.with_borrow(|woken| woken.contains(&current_host())) {
        broken(
            "A worker that stood still for longer than the lease sends nothing until etcd was asked (fence.rs)",
            || format!("host {} sends", current_host()),
        );
    }
}

/// After each turn of a media worker.
pub(crate) fn look_at_engine(worker: &Worker<impl PacketIo>) {
    let (engine, fence, at) = (worker.engine(), worker.fence(), Instant::now());
    let left = fence.until().saturating_duration_since(at).as_nanos();
    let valid_until = fence.is_valid(at).then(|| now() + u64::try_from(left).unwrap_or(u64::MAX));
    let lease = fence.lease();
    ENGINES.with(|engines| {
        let mut engines = engines.borrow_mut();
        let seen = engines.entry(current_host()).or_default();
        (seen.valid_until, seen.lease) = (valid_until, lease);
        seen.turns += 1;
        seen.at = now();
        let is_due = seen.turns % TURNS_PER_LOOK == 0 || now() >= seen.looked + LOOK_INTERVAL;
        if !is_due && engine.room_count() > 0 {
            return;
        }
        seen.looked = now();
        let census = census(engine, at);
        for (rule, how) in &census.broken {
            // A limit that shrinks puts nobody out.
            if known::is_resized() && rule.ends_with("as its tier allows") {
                continue;
            }
            // Of what it has, nothing leaves a worker that is held, and its rooms may be others' by now.
            if *rule == VIDEO_ENDS && worker.is_held() || known::is_blind() {
                continue;
            }
            broken(rule, || how.clone());
        }
        for room in &census.rooms {
            for session in &room.sessions {
                history::sits(&session.to_string(), current_host(), room.first_epoch);
            }
            if known::is_blind() {
                continue;
            }
            let before = seen.census.rooms.iter().find(|it| it.address.channel == room.address.channel);
            if let Some(before) = before {
                compare(before, room);
            }
            if before.is_none_or(|before| before.address.epoch != room.address.epoch) {
                was_bound(room);
            }
            if !worker.is_held() {
                room.videos.iter().for_each(|user| known::video_of(user.as_str()));
            }
        }
        seen.census = census;
    });
}

/// etcd bound this room to this node: now, or a moment ago.
fn was_bound(room: &RoomCensus) {
    let (channel, epoch) = (room.address.channel.as_str(), room.address.epoch);
    let bound = etcd(|etcd| etcd.binding(channel, epoch)).flatten();
    let node = format!("media-{}", known::node_of(current_host()).unwrap_or_default());
    let is_ours = bound.as_ref().is_some_and(|binding| binding.value.contains(&node));
    let is_over =
        bound.as_ref().and_then(|binding| binding.until).is_some_and(|until| now() > until + BINDING_AGE_MAX);
    if !is_ours || is_over && known::is_prompt() {
        broken("A node opens only a room that etcd binds to it (contract, 2)", || {
            format!("{node} has {channel} of epoch {epoch}; etcd: {bound:?}")
        });
    }
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
    ENGINES.with_borrow_mut(|engines| engines.remove(&host.number()));
    WOKEN.with_borrow_mut(|woken| woken.remove(&host.number()));
    ENDING.with_borrow_mut(|ending| ending.remove(&host.number()));
}

/// A node is told to end.
pub(crate) fn ends(host: HostId) {
    ENDING.with_borrow_mut(|ending| ending.insert(host.number()));
}

fn is_ending(host: u32) -> bool {
    ENDING.with_borrow(|ending| ending.contains(&host))
}

/// What concerns several parts at once.
fn look_at_all(etcd: &Etcd) {
    if known::is_blind() {
        return;
    }
    ENGINES.with(|engines| {
        let engines = engines.borrow();
        // A worker looks at its fence every second; one that did not stands still, and will look before it acts.
        let is_sure = |seen: &Seen| {
            seen.valid_until.is_some_and(|until| now() < until.min(seen.at + SECOND + SECOND / 4))
        };
        let engines = || engines.iter().filter(|(host, _)| !is_ending(**host));
        for (host, seen) in engines().filter(|(_, seen)| is_sure(seen)) {
            if seen.lease != 0 && !etcd.has_lease(seen.lease) {
                broken(LEASE, || {
                    format!("host {host} counts on lease {}, which etcd does not have", seen.lease)
                });
            }
        }
        let mut of: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (host, seen) in engines().filter(|(_, seen)| is_sure(seen)) {
            for room in &seen.census.rooms {
                of.entry(room.address.channel.to_string()).or_default().push(*host);
            }
        }
        let mut unbound = None;
        for (host, seen) in engines().filter(|(_, seen)| is_sure(seen) && etcd.has_lease(seen.lease)) {
            let node = format!("media-{}", known::node_of(*host).unwrap_or_default());
            let is_bound = |room: &&RoomCensus| {
                etcd.bound(room.address.channel.as_str()).is_some_and(|value| value.contains(&node))
            };
            unbound = unbound.or_else(|| {
                Some((*host, seen.census.rooms.iter().find(|room| !is_bound(room))?.address.clone()))
            });
        }
        UNBOUND.set(if unbound.is_some() { UNBOUND.get() + 1 } else { 0 });
        if let Some((host, address)) = unbound
            && UNBOUND.get() > 3
        {
            broken(
                "The rooms of a node that is sure of its lease are bound to it in etcd (contract, 2)",
                || format!("host {host} has {address:?}; etcd: {:?}", etcd.bound(address.channel.as_str())),
            );
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
    crate::kernel::schedule(RESTS_UNTIL.get().max(now() + SECOND), move |_| {
        let in_calls = people.iter().filter(|it| it.has(|has| has.session.is_some())).count() as u64;
        CALL_SECONDS.set(CALL_SECONDS.get() + in_calls);
        look_at_all(&etcd);
        watch(etcd, people);
    });
}
