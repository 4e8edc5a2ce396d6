//! Whether small messages reach whom they are for and nobody else, in their order, and whether a room takes one commit
//! of each epoch. Messages say who sent them to whom; a commit's group is its channel's.

use crate::history::{Room, room_of};
use crate::told::broken;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

const ADDRESSED: &str = "A message bears its sender's user and session, and reaches whom it is for, once and in order (contract, 7a)";
const ONE_COMMIT: &str = "Of each epoch a room takes one commit, the first (contract, 7a; RFC 9420, 14)";
const NO_GAP: &str =
    "Members get every commit, also those that were sent while they had no socket (contract, 7a)";
const MEMBERS: &str = "Only those whom a DM lists are called from it (contract, 7a)";

/// A commit that a session sent, or was told of.
#[derive(Debug)]
struct Commit {
    of: String,
    epoch: u64,
    id: String,
}

thread_local! {
    static COMMITS: RefCell<Vec<Commit>> = const { RefCell::new(Vec::new()) };
    /// Whom channels listed at any time.
    static LISTED: RefCell<BTreeSet<(String, String)>> = const { RefCell::new(BTreeSet::new()) };
}

pub(crate) fn begin() {
    COMMITS.take();
    LISTED.take();
}

/// An operator makes this channel a DM of these.
pub(crate) fn lists(channel: &str, members: &[&str]) {
    LISTED.with_borrow_mut(|listed| {
        listed.extend(members.iter().map(|it| (channel.to_owned(), (*it).to_owned())));
    });
}

/// This user is called from that channel.
pub(crate) fn rings(user: &str, channel: &str) {
    let is_listed = LISTED.with_borrow(|listed| listed.contains(&(channel.to_owned(), user.to_owned())));
    if !is_listed {
        broken(MEMBERS, || format!("{user} is called from {channel}"));
    }
}

/// Judges all commits.
pub(crate) fn look() {
    let mut first: BTreeMap<(Room, u64), Commit> = BTreeMap::new();
    for commit in COMMITS.take() {
        let Some(room) = room_of(&commit.of) else { continue };
        match first.get(&(room, commit.epoch)) {
            Some(other) if other.id != commit.id => {
                broken(ONE_COMMIT, || format!("{room:?}: {other:?} and {commit:?}"));
            }
            Some(_) => {}
            None => _ = first.insert((room, commit.epoch), commit),
        }
    }
}

/// What a session knows of the messages of its room.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    sent: u64,
    /// By the session that sends, the number of its last one.
    heard: BTreeMap<String, u64>,
    /// The epoch that the last commit ended; none: not known.
    last: Option<u64>,
    /// Epochs that an own commit may have ended, of which the answer was lost.
    doubts: BTreeSet<u64>,
}

/// What is written into a message.
fn tag(session: &str, number: u64, to: Option<&str>) -> String {
    format!("{session}|{number}|{}", to.unwrap_or("*"))
}

impl Messages {
    /// The tag of the next message, to all or to one session.
    pub(crate) fn next(&mut self, session: &str, to: Option<&str>) -> String {
        self.sent += 1;
        tag(session, self.sent, to)
    }

    /// What the next commit is to end.
    pub(crate) fn epoch(&self) -> u64 {
        self.last.map_or(0, |last| last + 1)
    }

    /// A message came, also again after a resume (`is_kept`).
    pub(crate) fn came(&mut self, me: &str, payload: &Value, tag: &str, is_kept: bool) {
        let mut parts = tag.split('|');
        let (from, number, to) = (parts.next(), parts.next(), parts.next());
        let number = number.and_then(|it| it.parse().ok()).unwrap_or(0);
        let last = self.heard.get(from.unwrap_or_default()).copied().unwrap_or(0);
        let is_mine = to == Some("*") || to == Some(me);
        let is_new = is_kept || number > last;
        if from != payload["sessionId"].as_str() || from == Some(me) || !is_mine || !is_new {
            broken(ADDRESSED, || format!("{me} was told {payload} of {tag}, and {last} before"));
        }
        self.heard.insert(from.unwrap_or_default().to_owned(), last.max(number));
    }

    /// A commit of another one came.
    pub(crate) fn commit_came(&mut self, me: &str, epoch: u64, id: &str) {
        note(me, epoch, id);
        match self.last {
            // Again, after a resume.
            Some(last) if epoch <= last => {}
            _ => self.goes_on(me, epoch),
        }
    }

    /// The own commit was taken.
    pub(crate) fn commit_taken(&mut self, me: &str, epoch: u64, id: &str) {
        note(me, epoch, id);
        self.goes_on(me, epoch);
    }

    /// The own commit was too late: the room is at another epoch.
    pub(crate) fn commit_late(&mut self, me: &str, current: u64) {
        let Some(before) = current.checked_sub(1) else { return };
        let Some(last) = self.last else {
            self.last = Some(before);
            return;
        };
        // All others' are told before the refusal.
        if before < last || (last + 1..=before).any(|it| !self.doubts.contains(&it)) {
            broken(NO_GAP, || format!("{me}: the room is at {current} after {last}; {:?}", self.doubts));
        }
        self.last = Some(before);
    }

    /// Of an own commit nobody knows whether it was taken.
    pub(crate) fn commit_in_doubt(&mut self, epoch: u64) {
        self.doubts.insert(epoch);
    }

    fn goes_on(&mut self, me: &str, epoch: u64) {
        if let Some(last) = self.last
            && !(epoch > last && (last + 1..epoch).all(|it| self.doubts.contains(&it)))
        {
            broken(NO_GAP, || format!("{me}: epoch {epoch} after {last}; in doubt: {:?}", self.doubts));
        }
        self.last = Some(epoch);
    }
}

fn note(me: &str, epoch: u64, id: &str) {
    COMMITS.with_borrow_mut(|commits| commits.push(Commit { of: me.to_owned(), epoch, id: id.to_owned() }));
}

/// One that MLS's delivery service takes for this kind, and nobody else for anything (RFC 9420, 6).
pub(crate) fn mls(kind: &str, group: &str, epoch: u64, tag: &str) -> String {
    let group = [&[u8::try_from(group.len().min(63)).unwrap_or_default()], group.as_bytes()].concat();
    let public = |content: u8| {
        [&[0, 1, 0, 1][..], &group, &epoch.to_be_bytes(), &[1, 0, 0, 0, 3, 0, content]].concat()
    };
    let head = match kind {
        "commit" => public(3),
        "proposal" => public(2),
        "groupInfo" => [&[0, 1, 0, 4, 0, 1, 0, 1][..], &group, &epoch.to_be_bytes()].concat(),
        _ => vec![0, 1, 0, 3, 0, 1],
    };
    STANDARD.encode([head.as_slice(), b"#", tag.as_bytes()].concat())
}

/// The tag that [`mls`] wrote.
pub(crate) fn tag_of(data: &str) -> String {
    let bytes = STANDARD.decode(data).unwrap_or_default();
    let at = bytes.iter().rposition(|byte| *byte == b'#').map_or(0, |at| at + 1);
    String::from_utf8_lossy(&bytes[at..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{history, told};
    use serde_json::json;

    fn judge(what: impl FnOnce(&mut Messages)) -> usize {
        told::begin(false);
        history::begin();
        begin();
        ["me", "b"].into_iter().for_each(|session| history::sits(session, 1, 7));
        what(&mut Messages::default());
        look();
        told::end().1.len()
    }

    #[test]
    fn a_message_of_voice_data_is_its_senders_for_its_receiver_and_comes_once() {
        let came = |of: &str, tag: &str| {
            judge(|it| {
                it.came("me", &json!({"sessionId": "b"}), "b|1|*", false);
                it.came("me", &json!({"sessionId": of}), tag, false);
            })
        };
        assert_eq!((came("b", "b|2|*"), came("b", "b|3|me"), came("c", "c|1|*")), (0, 0, 0));
        assert_eq!(
            (came("c", "b|2|*"), came("b", "b|1|*"), came("b", "b|2|c"), came("me", "me|1|*")),
            (1, 1, 1, 1)
        );
    }

    #[test]
    fn a_gap_between_mls_commits_is_an_own_one_in_doubt() {
        let third = |doubt: Option<u64>, epoch| {
            judge(|it| {
                it.commit_came("me", 5, "b|1|*");
                doubt.into_iter().for_each(|epoch| it.commit_in_doubt(epoch));
                it.commit_came("me", epoch, "b|2|*");
            })
        };
        assert_eq!(
            (third(None, 6), third(Some(6), 7), third(None, 5)),
            (0, 0, 1),
            "the last: another one of 5"
        );
        assert_eq!((third(None, 7), third(Some(6), 8)), (1, 1));
        let late = |current| {
            judge(|it| {
                it.commit_came("me", 5, "b|1|*");
                it.commit_late("me", current);
            })
        };
        assert_eq!((late(6), late(7), late(5)), (0, 1, 1));
    }

    #[test]
    fn a_room_takes_one_mls_commit_of_an_epoch() {
        let both = |epoch, id: &str| {
            judge(|it| {
                it.commit_taken("me", 5, "me|1|*");
                note("b", epoch, id);
            })
        };
        assert_eq!((both(5, "me|1|*"), both(6, "b|1|*"), both(5, "b|1|*")), (0, 0, 1));
    }
}
