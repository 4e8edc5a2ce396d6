//! What an agent is told, what it says, and when it wants to be called again.

use super::timing::{Millis, NEVER};
use crate::encoding::Past;
use crate::library::State;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::rc::Rc;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    Proposal,
    Commit,
    Welcome,
    GroupInfo,
}

/// A message as the server passes it on.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    /// Who sent it, by the server's word.
    pub(crate) session_id: String,
    pub(crate) kind: Kind,
    pub(crate) epoch: u64,
    pub(crate) data: Vec<u8>,
}

/// What became of a message of one's own.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    Taken,
    /// Another commit was the first of its epoch.
    Late,
    /// Whether it arrived is unknown.
    Failed,
}

/// Why somebody is named.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Fault {
    BadCommit,
    BadProposal,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    Send {
        id: u64,
        kind: Kind,
        epoch: u64,
        to: Option<String>,
        data: Vec<u8>,
    },
    Epoch(NewEpoch),
    /// A member is not there any more: the epoch ends for sending within a second.
    Left,
    Named {
        session_id: String,
        fault: Fault,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewEpoch {
    pub(crate) number: u64,
    pub(crate) secret: Vec<u8>,
    /// Sessions.
    pub(crate) members: Vec<String>,
    /// Somebody who had the epoch before has not this one.
    pub(crate) removal: bool,
    /// The others have yet to get it.
    pub(crate) own: bool,
    /// Nothing is sent under it yet, since it has members whom the server does not name; it is told again when it may be.
    pub(crate) held: bool,
}

/// A commit of one's own.
#[derive(Clone)]
pub(crate) struct OwnCommit {
    pub(crate) id: u64,
    /// The tag of the epoch that it ends; empty: one is in none.
    pub(crate) base: Vec<u8>,
    pub(crate) next: Rc<State>,
    pub(crate) welcomes: Vec<(String, Vec<u8>)>,
    pub(crate) data: Vec<u8>,
    /// Of a newcomer: what led to the epoch that it joined.
    pub(crate) past: Vec<Past>,
    /// When it may have been lost.
    pub(crate) lost_at: Option<Millis>,
    pub(crate) is_resent: bool,
}

/// What an agent has to say since it was last asked.
#[derive(Default)]
pub(crate) struct Outbox {
    wake_at: Option<Millis>,
    out: Vec<Output>,
    id: u64,
    named: HashSet<(String, Fault)>,
}

impl Outbox {
    pub(crate) fn put(&mut self, output: Output) {
        self.out.push(output);
    }

    /// The id by which `sent` says what became of it.
    pub(crate) fn send(&mut self, kind: Kind, epoch: u64, data: Vec<u8>, to: Option<String>) -> u64 {
        self.id += 1;
        self.out.push(Output::Send { id: self.id, kind, epoch, to, data });
        self.id
    }

    /// Once for each session and fault.
    pub(crate) fn name(&mut self, session_id: &str, fault: Fault) {
        if self.named.insert((session_id.to_owned(), fault)) {
            self.out.push(Output::Named { session_id: session_id.to_owned(), fault });
        }
    }

    pub(crate) fn forget(&mut self, session_id: &str) {
        self.named.retain(|(named, _)| named != session_id);
    }

    /// If it is not yet, the agent is woken then.
    pub(crate) fn is_due(&mut self, at: Millis, now: Millis) -> bool {
        if at > now && at < NEVER {
            self.wake_at = Some(self.wake_at.map_or(at, |before| before.min(at)));
        }
        at <= now
    }

    /// When the agent is to be called, unless something else comes before.
    pub(crate) fn wake_at(&self) -> Option<Millis> {
        self.wake_at
    }

    pub(crate) fn sleep(&mut self) {
        self.wake_at = None;
    }

    pub(crate) fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }
}
