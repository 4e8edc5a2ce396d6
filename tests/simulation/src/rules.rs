//! What must be so after all was healed, and after all have left. What must be so at any time is in `looks.rs`, and what a
//! client can see in `client/`.

use crate::client::{Has, Person};
use crate::etcd::Etcd;
use crate::kernel::{SECOND, now};
use crate::looks;
use crate::told::{broken, is_broken};
use railgun_protocol::limits::PARTICIPANTS_FREE;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
            watches(&person.user, &has, &by_channel);
            agree(channel, &person.user, &has, &all);
            hears(person, &has, &all);
        }
    }
    bindings(etcd, by_channel.keys());
}

/// Who watches a channel knows who is there, and nobody is called any more.
fn watches(me: &str, has: &Has, by_channel: &BTreeMap<String, Vec<&Arc<Person>>>) {
    for (channel, users) in &has.watched {
        let there: BTreeSet<String> =
            by_channel.get(channel).into_iter().flatten().map(|it| it.user.clone()).collect();
        if *users != there {
            broken("Who watches a channel is told who is there (contract, 7a)", || {
                format!("{me} was told {users:?} of {channel}, there are {there:?}")
            });
        }
    }
    if !has.ringing.is_empty() {
        broken("A call rings for 45 s at most (contract, 7a)", || format!("{me}: {:?}", has.ringing));
    }
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
    for (host, rooms) in looks::rooms() {
        broken(EMPTY, || format!("the engine of host {host} has {rooms:?}"));
    }
    // Nodes and replicas that are up, and counts of joins, which end by themselves.
    let stays = ["node/", "load/", "replica/", "joins/"].map(|kind| format!("/rg/v1/{kind}"));
    let is_left = |key: &&String| !stays.iter().any(|kind| key.starts_with(kind));
    let all = etcd.under("/rg/v1/");
    let left: Vec<&String> = all.iter().map(|(key, ..)| key).filter(is_left).collect();
    if !left.is_empty() {
        broken(EMPTY, || format!("etcd has {left:?}"));
    }
}
