//! What a client does of its own accord: one thing at a time, when it is its turn in the order of members.

use super::entrance::NextStep;
use super::exchange::{Fault, Kind, Output};
use super::group_id::{self, LAST_EPOCH};
use super::newcomers::Handed;
use super::standing::Standing;
use super::timing::{
    AGAIN, BANNED_MAX, BEHIND_MAX, BROADCAST_FROM, COLLECT, FOUND_AFTER, LATE, Millis, STEP, WELCOME_WAIT,
};
use crate::library::{Member, State};
use crate::primitives::Failure;
use std::collections::HashSet;

/// Keys of leaves that have to go, as they were told.
pub(crate) type Leavers = HashSet<Vec<u8>>;

pub(crate) fn act(at: &mut Standing, leavers: &mut Leavers, now: Millis) -> Result<(), Failure> {
    // Founding a group leads to another state, in which there may be something to do at once.
    loop {
        let state = at.state.clone();
        if let Some(state) = &state {
            tell_left(at, leavers, state, now);
            at.release(state, now)?;
        }
        if at.own.is_some() {
            resend(at, now);
            return Ok(());
        }
        if enter_better(at, now) {
            return Ok(());
        }
        let founded = match &state {
            None => enter(at, now)?,
            Some(_) if at.stuck_at.is_some() => refound(at, at.stuck_at.unwrap_or(now), now)?,
            Some(state) if state.epoch.at.epoch >= LAST_EPOCH => refound(at, at.epoch_at, now)?,
            Some(state) => match at.behind_at {
                Some(since) => catch_up(at, state, since, now)?,
                None => {
                    if !change(at, state, now) {
                        let_in(at, state, now)?;
                    }
                    false
                }
            },
        };
        if !founded {
            return Ok(());
        }
    }
}

fn tell_left(at: &mut Standing, leavers: &mut Leavers, state: &State, now: Millis) {
    let mut unwanted = Leavers::new();
    for member in &state.epoch.members {
        let due = at.people.unwanted_at(member, now);
        if at.out.is_due(due, now) {
            unwanted.insert(member.key.clone());
        }
    }
    if !unwanted.is_subset(leavers) {
        at.out.put(Output::Left);
    }
    *leavers = unwanted;
}

/// Nothing else is done while a commit is on its way.
fn resend(at: &mut Standing, now: Millis) {
    let Some((own, lost_at)) = at.own.as_mut().and_then(|own| own.lost_at.map(|lost_at| (own, lost_at)))
    else {
        return;
    };
    if at.out.is_due(lost_at + LATE, now) {
        (own.lost_at, own.is_resent) = (None, true);
        own.id = at.out.send(Kind::Commit, own.next.epoch.at.epoch - 1, own.data.clone(), None);
    }
}

/// Into a better group, or a later epoch of one's own. Whether that is what is done.
fn enter_better(at: &mut Standing, now: Millis) -> bool {
    let next = at.entrance.next(at.place(), &at.people, at.behind_at, now);
    let (Some(next), Some(known)) = (next, at.entrance.known.clone()) else { return false };
    let info = &known.info;
    match next {
        NextStep::Propose => return propose(at, now),
        NextStep::Join { at: due } if !at.out.is_due(due, now) => return true,
        NextStep::Join { .. } => {}
    }
    if known.is_spent || info.epoch.banned.contains(&at.people.own) {
        // The next GroupInfo is waited for, and asked for.
        let asked = at.entrance.proposed_at.map_or(known.at, |asked| asked.max(known.at));
        if at.out.is_due(asked + AGAIN, now) {
            propose(at, now);
        }
        return true;
    }
    match at.mls.join_by_info(info) {
        Ok(joined) => {
            if let Some(known) = &mut at.entrance.known {
                known.is_spent = true;
            }
            at.commit(joined, info.commits.clone());
            true
        }
        Err(_) => {
            at.name(&info.signer.session_id, Fault::BadProposal);
            at.entrance.known = None;
            false
        }
    }
}

/// To the group of the GroupInfo that is known. False: it asks for what this client cannot do.
fn propose(at: &mut Standing, now: Millis) -> bool {
    let Some(known) = at.entrance.known.clone() else { return false };
    at.entrance.proposed(now);
    let Ok(proposal) = at.mls.propose(&known.info) else {
        at.entrance.known = None;
        return false;
    };
    hand_in(at, known.info.epoch.at.epoch, proposal, now);
    true
}

fn hand_in(at: &mut Standing, epoch: u64, proposal: Vec<u8>, now: Millis) {
    at.out.send(Kind::Proposal, epoch, proposal, None);
    at.out.is_due(now + WELCOME_WAIT, now);
}

/// Without a group, and nobody who says of one. Whether one was founded, as with the functions below.
fn enter(at: &mut Standing, now: Millis) -> Result<bool, Failure> {
    let others = at.people.all().iter().map(|it| &it.session_id).filter(|it| at.people.is_alive(it));
    let (before, after): (Vec<_>, Vec<_>) = others.partition(|it| **it < at.people.own);
    let is_alone = before.is_empty() && after.is_empty();
    let due = at.entered_at + FOUND_AFTER + before.len() as Millis * STEP;
    if !at.out.is_due(if is_alone { now } else { due }, now) {
        return Ok(false);
    }
    found(at, now)
}

fn found(at: &mut Standing, now: Millis) -> Result<bool, Failure> {
    let Some(generation) = at.generation.checked_add(1) else { return Ok(false) };
    let before = at.state.iter().flat_map(|it| &it.epoch.banned);
    let mut banned: Vec<String> = at.named.iter().chain(before).cloned().collect();
    banned.sort();
    banned.dedup();
    banned.retain(|it| at.people.has(it) && *it != at.people.own);
    banned.truncate(BANNED_MAX);
    let state = at.mls.found(&group_id::fresh(generation)?, &banned)?;
    at.adopt(&state, now, &[], true)?;
    if !at.people.all().is_empty() {
        at.tell_info(None, now)?;
    }
    Ok(true)
}

/// The group cannot go on: the first in order founds another.
fn refound(at: &mut Standing, since: Millis, now: Millis) -> Result<bool, Failure> {
    let due = since.saturating_add(at.wait());
    if at.out.is_due(due, now) { found(at, now) } else { Ok(false) }
}

/// There are later epochs, and what leads there did not come.
fn catch_up(at: &mut Standing, state: &State, since: Millis, now: Millis) -> Result<bool, Failure> {
    if at.out.is_due(since + BEHIND_MAX, now) {
        at.stuck_at = Some(since + BEHIND_MAX);
        return refound(at, since + BEHIND_MAX, now);
    }
    let again = at.entrance.proposed_at.map_or(since + LATE, |asked| (asked + AGAIN).max(since + LATE));
    if at.out.is_due(again, now) {
        at.entrance.proposed(now);
        if let Ok(proposal) = at.mls.propose_again(state) {
            hand_in(at, state.epoch.at.epoch, proposal, now);
        }
    }
    Ok(false)
}

/// By one commit: everybody out who is not there, and everybody in who handed in a package. Whether one was made.
fn change(at: &mut Standing, state: &State, now: Millis) -> bool {
    let wait = at.wait();
    let turn = |since: Millis, epoch_at: Millis| since.max(epoch_at).saturating_add(wait);
    // Members whose commits are not applied, and who handed in a package: taken out and in again.
    let is_lost = |at: &Standing, it: &Member| {
        let is_banned = state.epoch.banned.contains(&it.session_id);
        is_banned && at.newcomers.package_of(&it.session_id).is_some() && at.people.is_alive(&it.session_id)
    };
    let lost: Vec<&Member> = state.epoch.members.iter().filter(|it| is_lost(at, it)).collect();
    let mut remove = Vec::new();
    for member in &state.epoch.members {
        let since = at.people.unwanted_at(member, now);
        if at.out.is_due(turn(since, at.epoch_at), now) {
            remove.push(member.leaf);
        }
    }
    let waiting: Vec<String> =
        at.waiting().into_iter().chain(lost.iter().map(|it| it.session_id.clone())).collect();
    let packages = waiting.iter().filter_map(|it| at.newcomers.package_of(it).cloned());
    let mut add: Vec<Handed> = packages.collect();
    if let Some(first) = add.iter().map(|it| it.at).min() {
        let since = turn(first, at.epoch_at);
        let due = if add.len() == waiting.len() { since } else { since.max(first + COLLECT) };
        if !at.out.is_due(due, now) {
            add.clear();
        }
    }
    if remove.is_empty() && add.is_empty() {
        return false;
    }
    if !add.is_empty() {
        let back = lost.iter().map(|it| it.leaf).filter(|leaf| !remove.contains(leaf));
        let back: Vec<u32> = back.collect();
        remove.extend(back);
    }
    let packages: Vec<_> = add.iter().map(|it| it.package.clone()).collect();
    match at.mls.commit(state, &packages, &remove) {
        Ok(made) => {
            at.commit(made, Vec::new());
            true
        }
        Err(_) => {
            // A package does not fit the tree.
            packages.iter().for_each(|it| at.newcomers.forget_package(&it.session_id));
            false
        }
    }
}

/// GroupInfos for those who are not in, and members that cannot go on.
fn let_in(at: &mut Standing, state: &State, now: Millis) -> Result<(), Failure> {
    let (wait, tag) = (at.wait(), &state.epoch.tag);
    let waiting = at.waiting().into_iter().filter(|it| at.newcomers.package_of(it).is_none());
    let mut wants: Vec<(String, Millis)> = waiting
        .map(|it| {
            let since = at.people.since(&it).max(at.epoch_at);
            (it, since)
        })
        .collect();
    wants.extend(at.newcomers.lost(now).into_iter().filter(|(it, _)| at.people.is_alive(it)));
    let mut due = Vec::new();
    for (session_id, since) in wants {
        let at_earliest = since.saturating_add(wait).max(at.newcomers.tell_at(&session_id, tag));
        if at.out.is_due(at_earliest, now) {
            due.push(session_id);
        }
    }
    if due.len() >= BROADCAST_FROM {
        at.tell_info(None, now)?;
    } else {
        for session_id in &due {
            at.tell_info(Some(session_id), now)?;
        }
    }
    at.newcomers.tell(&due, tag, now);
    Ok(())
}
