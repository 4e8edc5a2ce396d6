//! Where one client stands: its group and epoch, a commit of its own on the way, and what it knows of the others.

use super::commit_log::CommitLog;
use super::entrance::Entrance;
use super::exchange::{Fault, Kind, NewEpoch, Outbox, Output, OwnCommit};
use super::group_id::{epoch_number, rank};
use super::newcomers::Newcomers;
use super::people::ListedPeople;
use super::timing::{Millis, NEVER, PAST_BYTES, STEP};
use crate::encoding::Past;
use crate::library::{Committed, Epoch, Library, Member, Place, State};
use crate::primitives::Failure;
use std::collections::HashSet;
use std::rc::Rc;

pub(crate) struct Standing {
    pub(crate) mls: Library,
    pub(crate) out: Outbox,
    pub(crate) people: ListedPeople,
    pub(crate) entrance: Entrance,
    pub(crate) newcomers: Newcomers,
    pub(crate) log: CommitLog,
    pub(crate) state: Option<Rc<State>>,
    /// Since when this epoch is one's own.
    pub(crate) epoch_at: Millis,
    pub(crate) entered_at: Millis,
    /// A commit of one's own that the server has not answered yet.
    pub(crate) own: Option<OwnCommit>,
    /// The last commit of one's own, which may have been taken.
    pub(crate) made: Option<OwnCommit>,
    /// Since when there are later epochs than one's own.
    pub(crate) behind_at: Option<Millis>,
    /// The group cannot go on: the server has taken a commit that is none.
    pub(crate) stuck_at: Option<Millis>,
    /// Sessions whose commits were none.
    pub(crate) named: HashSet<String>,
    /// Somebody in this epoch is not there by the server's word, so that nothing is to be sent under it.
    is_held: bool,
    /// Of groups, the highest that is known.
    pub(crate) generation: u32,
}

impl Standing {
    pub(crate) fn new(mls: Library, people: ListedPeople, now: Millis, generation: u32) -> Self {
        Self {
            mls,
            out: Outbox::default(),
            people,
            entrance: Entrance::default(),
            newcomers: Newcomers::default(),
            log: CommitLog::default(),
            state: None,
            epoch_at: 0,
            entered_at: now,
            own: None,
            made: None,
            behind_at: None,
            stuck_at: None,
            named: HashSet::new(),
            is_held: false,
            generation,
        }
    }

    pub(crate) fn place(&self) -> Option<&Place> {
        self.state.as_ref().map(|it| &it.epoch.at)
    }

    /// How long this member waits for those who act before it: members in the order of their leaves, without those
    /// who have no socket and those who are named. [`NEVER`]: nobody applies its commits.
    pub(crate) fn wait(&self) -> Millis {
        let (Some(state), people) = (&self.state, &self.people) else { return 0 };
        let Epoch { members, banned, .. } = &state.epoch;
        if banned.contains(&people.own) {
            return NEVER;
        }
        let before = members.iter().map(|it| &it.session_id).take_while(|it| **it != people.own);
        let acts = |it: &&String| people.is_alive(it) && !self.named.contains(*it) && !banned.contains(*it);
        before.filter(acts).count() as Millis * STEP
    }

    /// Sessions that are not in the group, and there to be let in.
    pub(crate) fn waiting(&self) -> Vec<String> {
        let Some(state) = &self.state else { return Vec::new() };
        let sessions = self.people.all().iter().map(|it| &it.session_id);
        let waits = |it: &&String| {
            self.people.is_alive(it) && !self.people.is_shunned(it) && state.epoch.member(it).is_none()
        };
        sessions.filter(waits).cloned().collect()
    }

    pub(crate) fn is_member(&self, session_id: &str) -> bool {
        self.state.as_ref().is_some_and(|it| it.epoch.member(session_id).is_some())
    }

    pub(crate) fn name(&mut self, session_id: &str, fault: Fault) {
        if fault == Fault::BadCommit {
            self.named.insert(session_id.to_owned());
        }
        self.out.name(session_id, fault);
    }

    pub(crate) fn left(&mut self, session_id: &str) {
        self.newcomers.left(session_id);
        self.named.remove(session_id);
        self.out.forget(session_id);
    }

    /// Sends a commit of one's own. `past`: what led to the epoch that it ends, of one that joins by it.
    pub(crate) fn commit(&mut self, made: Committed, past: Vec<Past>) {
        let Committed { commit: data, next, welcomes } = made;
        let id = self.out.send(Kind::Commit, next.epoch.at.epoch.saturating_sub(1), data.clone(), None);
        let base = self.state.as_ref().map(|it| it.epoch.tag.clone()).unwrap_or_default();
        let own = OwnCommit { id, base, next, welcomes, data, past, lost_at: None, is_resent: false };
        self.made = Some(own.clone());
        self.own = Some(own);
    }

    pub(crate) fn adopt_own(&mut self, own: OwnCommit, now: Millis) -> Result<(), Failure> {
        let OwnCommit { next, welcomes, data, mut past, .. } = own;
        // Not everybody there has the epochs that somebody who joins had before.
        let is_join = self.place().is_none_or(|it| it.group != next.epoch.at.group);
        past.push(Past { author: self.people.own.clone(), commit: data });
        self.adopt(&next, now, &past, !is_join)?;
        if let [(only, _)] = &welcomes[..] {
            self.tell_info(Some(only), now)?;
        } else if !welcomes.is_empty() {
            self.tell_info(None, now)?;
        }
        for (session_id, welcome) in welcomes {
            self.out.send(Kind::Welcome, next.epoch.at.epoch, welcome, Some(session_id));
        }
        Ok(())
    }

    /// `by`: the commits that lead there from the last epoch. `own`: the others have yet to get it.
    pub(crate) fn adopt(
        &mut self,
        next: &Rc<State>,
        now: Millis,
        by: &[Past],
        own: bool,
    ) -> Result<(), Failure> {
        let before = self.state.replace(next.clone());
        let before = before.as_ref().map(|it| &it.epoch);
        let mut removal = false;
        for member in before.iter().flat_map(|it| &it.members) {
            removal |= self.is_removed(member, &next.epoch, now);
        }
        self.epoch_at = now;
        (self.behind_at, self.stuck_at) = (None, None);
        (self.own, self.made) = (None, None);
        self.entrance.adopted(&next.epoch.at);
        self.newcomers.adopted(&next.epoch, before);
        let is_new_group = before.is_none_or(|it| it.at.group != next.epoch.at.group);
        self.log.adopted(by, next.epoch.at.epoch, is_new_group);
        self.people.keep_only(&next.epoch.members);
        self.generation = self.generation.max(rank(&next.epoch.at).generation);
        self.is_held = self.has_unlisted(&next.epoch, now);
        self.tell_epoch(next, removal, own)
    }

    fn tell_epoch(&mut self, state: &State, removal: bool, own: bool) -> Result<(), Failure> {
        let Epoch { at, members, .. } = &state.epoch;
        self.out.put(Output::Epoch(NewEpoch {
            number: epoch_number(at),
            secret: self.mls.secret(state)?,
            members: members.iter().map(|it| it.session_id.clone()).collect(),
            removal,
            own,
            held: self.is_held,
        }));
        Ok(())
    }

    /// Whoever the server does not name may be listening: nothing is sent to them until it does, or they are out.
    pub(crate) fn release(&mut self, state: &State, now: Millis) -> Result<(), Failure> {
        if !self.is_held || self.has_unlisted(&state.epoch, now) {
            return Ok(());
        }
        self.is_held = false;
        self.tell_epoch(state, false, false)
    }

    fn has_unlisted(&mut self, epoch: &Epoch, now: Millis) -> bool {
        epoch.members.iter().any(|it| self.people.unwanted_at(it, now) < NEVER)
    }

    /// Whether a member must not have what follows.
    fn is_removed(&mut self, member: &Member, next: &Epoch, now: Millis) -> bool {
        let Member { session_id, .. } = member;
        let is_unwanted = !self.people.has(session_id) || self.people.unwanted_at(member, now) <= now;
        next.member(session_id).is_none() && is_unwanted
    }

    /// Tells where one stands, to somebody who seems to be at another epoch.
    pub(crate) fn answer(&mut self, session_id: &str, now: Millis) -> Result<(), Failure> {
        let is_there = self.people.has(session_id) && !self.people.is_shunned(session_id);
        if is_there && self.newcomers.may_answer(session_id, now) {
            self.tell_info(Some(session_id), now)?;
        }
        Ok(())
    }

    /// Sends a GroupInfo to a session, or to everybody.
    pub(crate) fn tell_info(&mut self, to: Option<&str>, now: Millis) -> Result<(), Failure> {
        let Some(state) = self.state.clone() else { return Ok(()) };
        let is_behind = to.is_some_and(|it| self.is_member(it));
        let past = self.log.within(if is_behind { PAST_BYTES } else { PAST_BYTES / 2 });
        let info = self.mls.info(&state, past)?;
        self.out.send(Kind::GroupInfo, state.epoch.at.epoch, info, to.map(str::to_owned));
        let told = to.map_or_else(|| self.waiting(), |it| vec![it.to_owned()]);
        self.newcomers.tell(&told, &state.epoch.tag, now);
        Ok(())
    }
}
