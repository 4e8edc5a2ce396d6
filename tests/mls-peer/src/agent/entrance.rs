//! What a client knows of groups and epochs that it is not in, and what it does to get in.

use super::exchange::Incoming;
use super::group_id::is_better;
use super::people::ListedPeople;
use super::timing::{LATE, Millis, STEP, WELCOME_WAIT};
use crate::library::{Epoch, Info, Place};
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

const WELCOMES_MAX: usize = 4;
const INFOS_MAX: usize = 8;

/// What is next, unless something else comes before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum NextStep {
    /// At once.
    Propose,
    Join {
        at: Millis,
    },
}

/// A better group, or a later epoch, to join by.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) info: Rc<Info>,
    /// There is a later epoch.
    pub(crate) is_spent: bool,
    pub(crate) at: Millis,
}

struct KeptWelcome {
    welcome: Incoming,
    /// Tags of the GroupInfos with which it is none for this client.
    tried: HashSet<Vec<u8>>,
}

#[derive(Default)]
pub(crate) struct Entrance {
    pub(crate) known: Option<Known>,
    pub(crate) proposed_at: Option<Millis>,
    /// Time of the first key package that was handed in since the last epoch, in milliseconds.
    asked_at: Option<Millis>,
    /// Newest first.
    welcomes: VecDeque<KeptWelcome>,
    infos: VecDeque<Rc<Info>>,
}

impl Entrance {
    /// Whether a package was handed in, or a Welcome lacks its tree.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.welcomes.is_empty() || self.proposed_at.is_some()
    }

    pub(crate) fn keep(&mut self, info: Rc<Info>, now: Millis) {
        self.infos.retain(|it| it.epoch.tag != info.epoch.tag);
        self.infos.push_back(info.clone());
        if self.infos.len() > INFOS_MAX
            && let Some(oldest) = self.infos.pop_front()
        {
            self.welcomes.iter_mut().for_each(|it| _ = it.tried.remove(&oldest.epoch.tag));
        }
        self.known = Some(Known { info, is_spent: false, at: now });
    }

    pub(crate) fn keep_welcome(&mut self, welcome: Incoming) {
        self.welcomes.push_front(KeptWelcome { welcome, tried: HashSet::new() });
        self.welcomes.truncate(WELCOMES_MAX);
    }

    /// Welcomes with trees that may be theirs, of something better than one is in; each such pair once.
    pub(crate) fn welcomes(&mut self, at: Option<&Place>) -> Vec<(Vec<u8>, Rc<Info>)> {
        let mut pairs = Vec::new();
        for KeptWelcome { welcome, tried } in &mut self.welcomes {
            for info in &self.infos {
                let Epoch { at: of, tag, .. } = &info.epoch;
                if of.epoch == welcome.epoch && is_better(of, at) && tried.insert(tag.clone()) {
                    pairs.push((welcome.data.clone(), info.clone()));
                }
            }
        }
        pairs
    }

    /// A commit ended this epoch: nobody joins by it any more.
    pub(crate) fn ended(&mut self, ended: &Place) {
        if let Some(known) = &mut self.known {
            let of = &known.info.epoch.at;
            known.is_spent |= of.group == ended.group && ended.epoch >= of.epoch;
        }
    }

    pub(crate) fn proposed(&mut self, now: Millis) {
        self.proposed_at = Some(now);
        self.asked_at = Some(self.asked_at.map_or(now, |before| before.min(now)));
    }

    pub(crate) fn adopted(&mut self, next: &Place) {
        (self.proposed_at, self.asked_at) = (None, None);
        self.welcomes.clear();
        if self.known.as_ref().is_some_and(|it| !is_better(&it.info.epoch.at, Some(next))) {
            self.known = None;
        }
    }

    /// The next step into a better group, or a later epoch of the own one; `None`: neither is known. A session that a commit
    /// added by its key package waits for its Welcome. One whose package no commit took joins by an external commit, in the
    /// order of session ids.
    pub(crate) fn next(
        &self,
        at: Option<&Place>,
        people: &ListedPeople,
        behind_at: Option<Millis>,
        now: Millis,
    ) -> Option<NextStep> {
        let known = self.known.as_ref().filter(|it| is_better(&it.info.epoch.at, at))?;
        let epoch: &Epoch = &known.info.epoch;
        // The commits that lead there may be on their way.
        if at.is_some_and(|it| it.group == epoch.at.group) {
            return Some(NextStep::Join { at: behind_at.unwrap_or(known.at) + LATE });
        }
        let waiting = people.all().iter().map(|it| it.session_id.as_str());
        let waiting: Vec<&str> =
            waiting.filter(|it| people.is_alive(it) && epoch.member(it).is_none()).collect();
        let is_member = epoch.member(&people.own).is_some();
        if self.proposed_at.is_none() && !waiting.is_empty() && !is_member {
            return Some(NextStep::Propose);
        }
        let place = waiting.iter().filter(|it| **it < people.own.as_str()).count() as Millis;
        let wait = WELCOME_WAIT + if is_member { 0 } else { (place % 8) * (STEP / 4) };
        Some(NextStep::Join { at: self.asked_at.map_or(now, |asked| asked + wait) })
    }
}
