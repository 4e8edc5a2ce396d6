//! Who is to be let into the group, members that cannot go on by themselves, and what both were told.

use super::timing::{AGAIN, ANSWER_INTERVAL, LOST_FOR, Millis, PACKAGES_MAX};
use crate::library::{Epoch, Member, Package};
use std::collections::HashMap;

const ANSWERED_MAX: usize = 64;

#[derive(Clone)]
pub(crate) struct Handed {
    pub(crate) package: Package,
    /// When the first one of its session came.
    pub(crate) at: Millis,
}

struct Lost {
    /// Of the leaf.
    key: Vec<u8>,
    since: Millis,
    asked_at: Millis,
}

#[derive(Default)]
pub(crate) struct Newcomers {
    packages: HashMap<String, Handed>,
    /// Members that cannot go on, by their words.
    lost: HashMap<String, Lost>,
    /// The epoch of the last GroupInfo for each, and when it was sent.
    told: HashMap<String, (Vec<u8>, Millis)>,
    answered: HashMap<String, Millis>,
}

impl Newcomers {
    /// Without those that have not asked again: nobody says that an answer helped.
    pub(crate) fn lost(&mut self, now: Millis) -> Vec<(String, Millis)> {
        self.lost.retain(|_, it| now.saturating_sub(it.asked_at) <= LOST_FOR);
        let mut lost: Vec<_> = self.lost.iter().map(|(id, it)| (id.clone(), it.since)).collect();
        lost.sort();
        lost
    }

    pub(crate) fn package_of(&self, session_id: &str) -> Option<&Handed> {
        self.packages.get(session_id)
    }

    /// A later one takes the place of the one before.
    pub(crate) fn keep(&mut self, package: Package, now: Millis) {
        let before = self.packages.get(&package.session_id).map(|it| it.at);
        if before.is_some() || self.packages.len() < PACKAGES_MAX {
            let at = before.unwrap_or(now);
            self.packages.insert(package.session_id.clone(), Handed { package, at });
        }
    }

    pub(crate) fn forget_package(&mut self, session_id: &str) {
        self.packages.remove(session_id);
    }

    /// Notes a member that asked to be added again: it cannot apply commits any more, and joins anew by a GroupInfo.
    pub(crate) fn is_lost(&mut self, member: &Member, now: Millis) {
        let first = || Lost { key: member.key.clone(), since: now, asked_at: now };
        self.lost.entry(member.session_id.clone()).or_insert_with(first).asked_at = now;
        self.told.remove(&member.session_id);
    }

    pub(crate) fn tell(&mut self, sessions: &[String], tag: &[u8], now: Millis) {
        self.told.extend(sessions.iter().map(|it| (it.clone(), (tag.to_vec(), now))));
    }

    /// When a GroupInfo of this epoch is due again.
    pub(crate) fn tell_at(&self, session_id: &str, tag: &[u8]) -> Millis {
        let told = self.told.get(session_id).filter(|(of, _)| of == tag);
        told.map_or(0, |(_, at)| at + AGAIN)
    }

    /// False: it was answered a moment ago.
    pub(crate) fn may_answer(&mut self, session_id: &str, now: Millis) -> bool {
        if self.answered.get(session_id).is_some_and(|at| now - at < ANSWER_INTERVAL) {
            return false;
        }
        if self.answered.len() > ANSWERED_MAX {
            self.answered.clear();
        }
        self.answered.insert(session_id.to_owned(), now);
        true
    }

    /// Who came in by a commit waits no more.
    pub(crate) fn adopted(&mut self, next: &Epoch, before: Option<&Epoch>) {
        for Member { session_id, key, .. } in &next.members {
            if before.is_some_and(|it| it.members.iter().all(|known| known.key != *key)) {
                self.packages.remove(session_id);
            }
            if self.lost.get(session_id).is_some_and(|lost| lost.key != *key) {
                self.lost.remove(session_id);
            }
        }
    }

    pub(crate) fn left(&mut self, session_id: &str) {
        self.packages.remove(session_id);
        self.lost.remove(session_id);
        self.told.remove(session_id);
        self.answered.remove(session_id);
    }
}
