//! Who is in the channel by the server's word, held against who is in the group by MLS.

use super::timing::{Millis, NEVER, UNLISTED_FOR};
use crate::library::Member;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    pub(crate) session_id: String,
    pub(crate) user_id: String,
    /// Without a socket: it is there and does nothing.
    #[serde(default)]
    pub(crate) reconnecting: bool,
}

pub(crate) struct ListedPeople {
    pub(crate) own: String,
    people: Vec<Listed>,
    /// When each came to be there.
    since: HashMap<String, Millis>,
    left_at: HashMap<String, Millis>,
    /// By the leaf's key.
    first_unlisted: HashMap<Vec<u8>, Millis>,
    /// Sessions that were in the group by a leaf that is not theirs: they are not let in again.
    shunned: HashSet<String>,
}

impl ListedPeople {
    pub(crate) fn new(own: String, people: Vec<Listed>, now: Millis) -> Self {
        let (since, left_at, first_unlisted) = Default::default();
        let mut listed =
            Self { own, people: Vec::new(), since, left_at, first_unlisted, shunned: HashSet::new() };
        listed.set(people, now);
        listed
    }

    /// The others.
    pub(crate) fn all(&self) -> &[Listed] {
        &self.people
    }

    pub(crate) fn has(&self, session_id: &str) -> bool {
        session_id == self.own || self.listed(session_id).is_some()
    }

    /// Whether somebody can be expected to act.
    pub(crate) fn is_alive(&self, session_id: &str) -> bool {
        session_id == self.own || self.listed(session_id).is_some_and(|it| !it.reconnecting)
    }

    pub(crate) fn since(&self, session_id: &str) -> Millis {
        self.since.get(session_id).copied().unwrap_or_default()
    }

    pub(crate) fn is_shunned(&self, session_id: &str) -> bool {
        self.shunned.contains(session_id)
    }

    /// Gives the sessions that left since the last time.
    pub(crate) fn set(&mut self, people: Vec<Listed>, now: Millis) -> Vec<String> {
        let before = std::mem::replace(&mut self.people, people);
        for Listed { session_id, reconnecting, .. } in &self.people {
            self.left_at.remove(session_id);
            let was = before.iter().find(|it| it.session_id == *session_id);
            if was.is_none_or(|it| it.reconnecting && !reconnecting) {
                self.since.insert(session_id.clone(), now);
            }
        }
        let left = before.into_iter().map(|it| it.session_id).filter(|it| self.listed(it).is_none());
        let left: Vec<String> = left.collect();
        for session_id in &left {
            self.left_at.insert(session_id.clone(), now);
            self.shunned.remove(session_id);
            self.since.remove(session_id);
        }
        left
    }

    /// Time from which on a member is to be removed; [`NEVER`]: the server lists it with this user.
    pub(crate) fn unwanted_at(&mut self, member: &Member, now: Millis) -> Millis {
        let Member { session_id, user_id, key, .. } = member;
        if *session_id == self.own {
            return NEVER;
        }
        match self.listed(session_id) {
            Some(listed) if listed.user_id == *user_id => {
                self.first_unlisted.remove(key);
                return NEVER;
            }
            Some(_) => _ = self.shunned.insert(session_id.clone()),
            None => {
                if let Some(left) = self.left_at.get(session_id) {
                    return *left;
                }
            }
        }
        *self.first_unlisted.entry(key.clone()).or_insert(now) + UNLISTED_FOR
    }

    /// Forgets leaves that are gone.
    pub(crate) fn keep_only(&mut self, members: &[Member]) {
        self.first_unlisted.retain(|key, _| members.iter().any(|it| it.key == *key));
        self.left_at.retain(|session, _| members.iter().any(|it| it.session_id == *session));
    }

    fn listed(&self, session_id: &str) -> Option<&Listed> {
        self.people.iter().find(|it| it.session_id == session_id)
    }
}
