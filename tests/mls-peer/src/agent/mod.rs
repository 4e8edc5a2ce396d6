//! One client's part in the group of a channel: what it does when somebody comes, leaves, says something, or says nothing.
//! No sockets, no clock: messages and the time in milliseconds come in, messages and epochs go out. What it does and when is
//! in `docs/end-to-end-encryption.md` (Keys for a group), and has to be what the SDK does
//! (`control-plane/web/sdk/src/e2ee/mls`), since members wait for each other's turns.

mod commit_log;
mod entrance;
mod exchange;
mod group_id;
mod newcomers;
mod people;
mod standing;
#[cfg(test)]
mod tests;
mod timing;
mod turns;

pub(crate) use exchange::{Incoming, Kind, NewEpoch, Outcome, Output};
pub(crate) use people::Listed;
pub(crate) use timing::Millis;

use crate::encoding::Past;
use crate::library::{Applied, Info, Library, Own, Place, State, envelope};
use crate::primitives::Failure;
use crate::profile::Profile;
use exchange::Fault;
use group_id::{order, rank_of};
use people::ListedPeople;
use standing::Standing;
use std::cmp::Ordering;
use std::rc::Rc;
use timing::GENERATIONS_AHEAD;
use turns::Leavers;

pub(crate) struct Agent {
    at: Standing,
    leavers: Leavers,
}

impl Agent {
    /// `generation`: of groups, the highest that was known before this stay. What it says first comes by [`Self::tick`].
    pub(crate) fn enter(
        own: Own,
        profile: Profile,
        people: Vec<Listed>,
        now: Millis,
        generation: u32,
    ) -> Result<Self, Failure> {
        let people = ListedPeople::new(own.session_id.clone(), people, now);
        let at = Standing::new(Library::new(own, profile)?, people, now, generation);
        Ok(Self { at, leavers: Leavers::new() })
    }

    pub(crate) fn generation(&self) -> u32 {
        self.at.generation
    }

    /// When [`Self::tick`] is to be called, unless something else comes before; `None`: not at all.
    pub(crate) fn wake_at(&self) -> Option<Millis> {
        self.at.out.wake_at()
    }

    pub(crate) fn tick(&mut self, now: Millis) -> Result<Vec<Output>, Failure> {
        self.at.out.sleep();
        self.try_welcomes(now)?;
        self.follow_early(now)?;
        turns::act(&mut self.at, &mut self.leavers, now)?;
        Ok(self.at.out.take())
    }

    /// Who else is there.
    pub(crate) fn people(&mut self, people: Vec<Listed>, now: Millis) -> Result<Vec<Output>, Failure> {
        for session_id in self.at.people.set(people, now) {
            self.at.left(&session_id);
        }
        self.tick(now)
    }

    /// Somebody's frames cannot be opened.
    pub(crate) fn missing(&mut self, session_id: &str, now: Millis) -> Result<Vec<Output>, Failure> {
        if self.at.is_member(session_id) {
            self.at.answer(session_id, now)?;
        }
        self.tick(now)
    }

    /// What became of a message that was sent.
    pub(crate) fn sent(&mut self, id: u64, outcome: Outcome, now: Millis) -> Result<Vec<Output>, Failure> {
        let Some(mut own) = self.at.own.take_if(|own| own.id == id) else { return self.tick(now) };
        if outcome == Outcome::Failed {
            // Whether it arrived is unknown: it is sent again.
            own.lost_at = Some(now);
            self.at.own = Some(own);
            return self.tick(now);
        }
        let is_behind = self.at.state.as_ref().is_none_or(|it| it.epoch.tag == own.base);
        // After a resend the answer is "late" also if the first copy was taken; another's commit would have come by now.
        let is_taken = outcome == Outcome::Taken || own.is_resent;
        if is_taken && is_behind {
            self.at.adopt_own(own, now)?;
        } else if outcome == Outcome::Late {
            // The one that was the first is on its way, or was lost.
            self.at.behind_at.get_or_insert(now);
            if let Some(known) = &mut self.at.entrance.known {
                known.is_spent = true;
            }
        }
        self.tick(now)
    }

    pub(crate) fn message(&mut self, message: Incoming, now: Millis) -> Result<Vec<Output>, Failure> {
        let Incoming { session_id, kind, .. } = &message;
        if *session_id == self.at.people.own {
            return self.tick(now);
        }
        let (author, kind) = (session_id.clone(), *kind);
        let read = match kind {
            Kind::GroupInfo => self.on_info(message, now),
            Kind::Proposal => self.on_proposal(&message, now),
            Kind::Commit => self.on_commit(message, now),
            Kind::Welcome => {
                self.at.entrance.keep_welcome(message);
                Ok(())
            }
        };
        if read.is_err() {
            // Not a valid message of its kind: its author is named, and nothing else changes.
            self.at.name(&author, Fault::BadProposal);
        }
        self.tick(now)
    }

    /// Commits that came before their time.
    fn follow_early(&mut self, now: Millis) -> Result<(), Failure> {
        while let Some(epoch) = self.at.place().map(|it| it.epoch) {
            let Some(early) = self.at.log.take_early(epoch) else { return Ok(()) };
            self.on_commit(early, now)?;
        }
        Ok(())
    }

    fn on_commit(&mut self, message: Incoming, now: Millis) -> Result<(), Failure> {
        let Some(ends) = envelope(&message.data) else { return Ok(()) };
        let at = &mut self.at;
        at.entrance.ended(&ends);
        let is_of = |next: &Place| ends.group == next.group && ends.epoch == next.epoch - 1;
        if at.own.as_ref().is_some_and(|own| is_of(&own.next.epoch.at)) {
            // Another one was the first of that epoch.
            (at.own, at.made) = (None, None);
        }
        let Some(state) = at.state.clone() else { return Ok(()) };
        let own = &state.epoch.at;
        if ends.group != own.group || ends.epoch < own.epoch {
            return Ok(());
        }
        if let Some(made) = at.made.clone() {
            let Incoming { data, session_id, .. } = &message;
            let may_follow = made.base == state.epoch.tag && ends == made.next.epoch.at;
            // A commit that follows the own one proves that the own one was taken, though its answer was lost.
            if may_follow && at.mls.apply(&made.next, data, session_id).is_ok() {
                at.adopt_own(made, now)?;
                return self.on_commit(message, now);
            }
        }
        if ends.epoch > own.epoch {
            at.log.keep_early(ends.epoch, message);
            at.behind_at.get_or_insert(now);
            return Ok(());
        }
        at.own = None;
        match at.mls.apply(&state, &message.data, &message.session_id) {
            Ok(Applied::Next(next)) => {
                at.adopt(&next, now, &[Past { author: message.session_id, commit: message.data }], false)?;
            }
            Ok(Applied::Removed) => self.removed(now),
            Err(_) => {
                // The server takes no other commit of this epoch: the group is over.
                at.name(&message.session_id, Fault::BadCommit);
                at.stuck_at.get_or_insert(now);
            }
        }
        Ok(())
    }

    /// Taken out by the others; who is still there comes back.
    fn removed(&mut self, now: Millis) {
        let at = &mut self.at;
        (at.state, at.own) = (None, None);
        (at.behind_at, at.stuck_at) = (None, None);
        at.entered_at = now;
    }

    fn on_proposal(&mut self, message: &Incoming, now: Millis) -> Result<(), Failure> {
        let at = &mut self.at;
        let given = at.mls.read_proposal(&message.data)?;
        if given.session_id != message.session_id {
            return Err("a package of somebody else".into());
        }
        let member = at.state.as_ref().and_then(|it| it.epoch.member(&message.session_id).cloned());
        if let Some(member) = member {
            // A second copy of the one that it is in by.
            if member.key == given.key {
                return Ok(());
            }
            at.newcomers.is_lost(&member, now);
            // Unless its commits are not applied: then it is taken out and in again.
            let is_banned = |it: &Rc<State>| it.epoch.banned.contains(&message.session_id);
            if !at.state.as_ref().is_some_and(is_banned) {
                return Ok(());
            }
        }
        at.newcomers.keep(given, now);
        Ok(())
    }

    fn on_info(&mut self, message: Incoming, now: Millis) -> Result<(), Failure> {
        let Incoming { session_id, data, .. } = message;
        let of = envelope(&data).ok_or("no GroupInfo")?;
        let rank = rank_of(&of.group).ok_or("no GroupInfo of ours")?;
        let at = &mut self.at;
        // Who was put out founds groups: whoever went there would put them out again.
        if at.people.is_shunned(&session_id) {
            return Ok(());
        }
        let state = at.state.clone();
        let own = state.as_ref().map(|it| &it.epoch.at);
        let ahead = order(&of, own);
        if let Some(own) = own {
            let is_rival = own.group != of.group && group_id::rank(own).place == rank.place;
            if ahead != Ordering::Equal && is_rival {
                // The numbers of their epochs are the same, so that neither is gone on with.
                at.stuck_at.get_or_insert(now);
                return Ok(());
            }
            if ahead == Ordering::Less {
                return at.answer(&session_id, now);
            }
            if rank.generation > at.generation.saturating_add(GENERATIONS_AHEAD) {
                return Err("too far ahead".into());
            }
        }
        if ahead != Ordering::Equal && self.knows_as_good(&of) {
            return Ok(());
        }
        let at = &mut self.at;
        let info = Rc::new(at.mls.read_info(&data)?);
        if info.signer.session_id != session_id {
            return Err("signed by somebody else".into());
        }
        if let Some(state) = state.as_ref().filter(|_| ahead == Ordering::Equal) {
            // Two epochs of one number: the server showed different commits to different members.
            if state.epoch.tag != info.epoch.tag {
                at.stuck_at.get_or_insert(now);
            }
            return Ok(());
        }
        at.generation = at.generation.max(rank.generation);
        at.entrance.keep(info.clone(), now);
        match state {
            Some(state) if info.epoch.at.group == state.epoch.at.group => {
                at.behind_at.get_or_insert(now);
                self.follow(state, &info, now)
            }
            _ => Ok(()),
        }
    }

    /// Whether a GroupInfo of this epoch, or of a better one, is there already, and not one that a Welcome waits for.
    fn knows_as_good(&self, of: &Place) -> bool {
        let entrance = &self.at.entrance;
        let Some(known) = entrance.known.as_ref().map(|it| &it.info.epoch.at) else { return false };
        match order(of, Some(known)) {
            Ordering::Less => true,
            Ordering::Equal => !entrance.is_awaited(),
            Ordering::Greater => false,
        }
    }

    /// By the commits that one missed, if they lead to the very epoch of the GroupInfo.
    fn follow(&mut self, state: Rc<State>, info: &Info, now: Millis) -> Result<(), Failure> {
        let missing = usize::try_from(info.epoch.at.epoch - state.epoch.at.epoch)?;
        let Some(from) = info.commits.len().checked_sub(missing) else { return Ok(()) };
        let missed = &info.commits[from..];
        let at = &mut self.at;
        let mut next = state;
        for Past { author, commit } in missed {
            let made = at.made.as_ref().filter(|made| {
                made.base == next.epoch.tag && *author == at.people.own && made.data == *commit
            });
            next = match made {
                Some(made) => made.next.clone(),
                None => match at.mls.apply(&next, commit, author) {
                    Ok(Applied::Next(next)) => next,
                    _ => return Ok(()),
                },
            };
        }
        if next.epoch.tag == info.epoch.tag {
            at.adopt(&next, now, missed, false)?;
        }
        Ok(())
    }

    fn try_welcomes(&mut self, now: Millis) -> Result<(), Failure> {
        let at = &mut self.at;
        // A commit of one's own may have been taken, and leads further.
        if at.own.is_some() {
            return Ok(());
        }
        let place = at.place().cloned();
        let welcomes = at.entrance.welcomes(place.as_ref());
        let joined = welcomes.iter().find_map(|(welcome, info)| {
            at.mls.join_by_welcome(welcome, info).ok().map(|joined| (joined, info.commits.clone()))
        });
        if let Some((joined, past)) = joined {
            at.adopt(&joined, now, &past, false)?;
        }
        Ok(())
    }
}
