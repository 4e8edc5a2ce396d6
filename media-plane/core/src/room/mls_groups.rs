//! Which epoch each MLS group of a room is at, and the messages that sessions without a socket have yet to get.
//!
//! A room that has just opened knows no group and takes the first commit of one at whatever epoch that is: members
//! bring their groups along when a room moves. Groups are told apart by their ids, since members found a new one
//! when they cannot go on with the last.

use super::refusal::Refusal;
use crate::allowance::{Allowance, Rate};
use crate::arena::AccountKey;
use railgun_protocol::ids::{SessionId, UserId};
use railgun_protocol::limits::{
    E2EE_KEPT_BYTES_MAX, E2EE_KEPT_MAX, E2EE_ROOM_BURST, E2EE_ROOM_PER_SECOND, RESUME_WINDOW_MAX,
};
use railgun_protocol::media_rpc::MissedMessage;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const ROOM: Rate = Rate::per_second(E2EE_ROOM_BURST, E2EE_ROOM_PER_SECOND);
/// Groups whose epochs a room knows for each user that began to commit in them: the last one and the one before.
const GROUPS_PER_USER: usize = 2;
/// Groups that a room knows of users whose accounts the room has forgotten, together.
const GROUPS_OF_THE_GONE: usize = 8;
/// Nobody resumes a session that lost its socket earlier than this, with time for the loss to be noticed.
const KEPT_FOR: Duration = RESUME_WINDOW_MAX.saturating_add(Duration::from_secs(15));

#[derive(Debug, Default)]
pub(crate) struct KeyAgreement {
    /// In the order of their last commits.
    groups: Vec<Group>,
    /// Oldest first.
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    allowance: Allowance,
}

#[derive(Debug)]
struct Group {
    id: Vec<u8>,
    /// The epoch that the next commit has to end.
    epoch: u64,
    /// Whose commit was the first that the room took of it. None: the room has forgotten that user.
    first_by: Option<AccountKey>,
}

/// A message for whoever lost the socket meanwhile.
#[derive(Debug)]
struct Kept {
    at: Instant,
    to: Option<SessionId>,
    message: MissedMessage,
}

impl KeyAgreement {
    /// Counts a message of the room, or refuses it.
    pub(super) fn charge(&mut self, now: Instant) -> Result<(), Refusal> {
        self.allowance.take(ROOM, 1, now).map_err(Refusal::RateLimited)
    }

    /// Takes the first commit of an epoch.
    pub(super) fn commit(&mut self, id: &[u8], epoch: u64, by: AccountKey) -> Result<(), Refusal> {
        let next = epoch.checked_add(1).ok_or_else(|| Refusal::InvalidPayload("no epoch follows".into()))?;
        let known = self.groups.iter().position(|group| group.id == id);
        let group = match known.map(|place| self.groups.remove(place)) {
            Some(group) if group.epoch != epoch => {
                let current = group.epoch;
                self.groups.push(group);
                return Err(Refusal::LateCommit { epoch: current });
            }
            Some(group) => Group { epoch: next, ..group },
            None => {
                self.trim_groups_of(Some(by), GROUPS_PER_USER - 1);
                Group { id: id.into(), epoch: next, first_by: Some(by) }
            }
        };
        self.groups.push(group);
        Ok(())
    }

    /// Whoever begins groups without end loses those of its own that were used least lately.
    fn trim_groups_of(&mut self, user: Option<AccountKey>, left: usize) {
        let own = self.groups.iter().filter(|group| group.first_by == user).count();
        let mut spare = own.saturating_sub(left);
        self.groups.retain(|group| {
            let is_spare = group.first_by == user && spare > 0;
            spare -= usize::from(is_spare);
            !is_spare
        });
    }

    /// The room forgets a user's account, and not at which epoch the groups are that the user began.
    pub(super) fn forget_user(&mut self, user: AccountKey) {
        for group in self.groups.iter_mut().filter(|group| group.first_by == Some(user)) {
            group.first_by = None;
        }
        self.trim_groups_of(None, GROUPS_OF_THE_GONE);
    }

    /// Keeps a message for whoever lost the socket meanwhile; `to`: for one session alone.
    pub(super) fn keep(&mut self, message: MissedMessage, to: Option<SessionId>, now: Instant) {
        let kept = Kept { at: now, to, message };
        self.forget_old(now);
        self.kept_bytes += kept.message.data.bytes().len();
        self.kept.push_back(kept);
        while self.kept.len() > E2EE_KEPT_MAX || self.kept_bytes > E2EE_KEPT_BYTES_MAX {
            self.forget_one();
        }
    }

    /// The oldest of the user that has the most kept, in bytes: nobody's flood costs others theirs.
    fn forget_one(&mut self) {
        let bytes_of = |user: &UserId| {
            let own = self.kept.iter().filter(|kept| kept.message.user == *user);
            own.map(|kept| kept.message.data.bytes().len() + 1).sum::<usize>()
        };
        let mut most: Option<(usize, usize)> = None;
        for (place, kept) in self.kept.iter().enumerate() {
            let bytes = bytes_of(&kept.message.user);
            if most.is_none_or(|(before, _)| bytes > before) {
                most = Some((bytes, place));
            }
        }
        let forgotten = most.and_then(|(_, place)| self.kept.remove(place));
        let bytes = forgotten.map_or(0, |kept| kept.message.data.bytes().len());
        self.kept_bytes = self.kept_bytes.saturating_sub(bytes);
    }

    /// Forgets what nobody can resume a session for any more.
    pub(super) fn forget_old(&mut self, now: Instant) {
        while let Some(oldest) = self.kept.front().filter(|kept| kept.at + KEPT_FOR <= now) {
            self.kept_bytes = self.kept_bytes.saturating_sub(oldest.message.data.bytes().len());
            self.kept.pop_front();
        }
    }

    /// When the oldest message is forgotten.
    pub(super) fn due(&self) -> Option<Instant> {
        self.kept.front().map(|kept| kept.at + KEPT_FOR)
    }

    /// Messages for a session that joined at `joined_seq`, which may have been sent to a socket that it had lost.
    pub(super) fn missed_by(&self, session: SessionId, joined_seq: u64) -> Vec<MissedMessage> {
        let is_theirs = |kept: &&Kept| {
            let message = &kept.message;
            // One to a single session has the number of the event before it.
            let is_since_it_joined = message.room_seq >= joined_seq;
            message.session != session && kept.to.is_none_or(|to| to == session) && is_since_it_joined
        };
        self.kept.iter().filter(is_theirs).map(|kept| kept.message.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Key;

    #[test]
    fn a_room_knows_the_last_two_groups_of_each_user_and_the_last_eight_of_those_that_are_gone() {
        let mut room = KeyAgreement::default();
        let user = |number| AccountKey::new(number, 0);
        let known = |room: &KeyAgreement| room.groups.iter().map(|group| group.id[0]).collect::<Vec<u8>>();
        for id in 0..5 {
            room.commit(&[id], 7, user(0)).unwrap();
        }
        assert_eq!(known(&room), [3, 4]);
        // One that is known goes on, and is not begun anew.
        room.commit(&[3], 8, user(1)).unwrap();
        assert_eq!(known(&room), [4, 3]);
        for number in 1..6 {
            let id = u8::try_from(10 * number).unwrap();
            room.commit(&[id], 0, user(number)).unwrap();
            room.commit(&[id + 1], 0, user(number)).unwrap();
        }
        assert_eq!(known(&room).len(), 12);
        (0..6).for_each(|number| room.forget_user(user(number)));
        assert_eq!(known(&room), [20, 21, 30, 31, 40, 41, 50, 51]);
        // At which epoch it is, is not forgotten with the user.
        assert_eq!(room.commit(&[51], 0, user(9)), Err(Refusal::LateCommit { epoch: 1 }));
    }
}
