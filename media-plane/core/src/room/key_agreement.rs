//! The room as MLS's delivery service (RFC 9420, section 14): it orders messages and takes one commit of each epoch,
//! the first. It cannot read what is agreed on, and it decides nothing else: members judge each other's commits.
//!
//! A room that has just opened knows no group and takes the first commit of one at whatever epoch that is: members
//! bring their groups along when a room moves. Groups are told apart by their ids, since members found a new one
//! when they cannot go on with the last.

use super::mls_envelope::{self, Envelope};
use super::refusal::Refusal;
use super::seats::Session;
use super::table::RoomTable;
use super::{accounts, data_messages};
use crate::allowance::{Allowance, Rate};
use crate::arena::{AccountKey, RoomKey};
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::{SessionId, UserId};
use railgun_protocol::limits::{
    E2EE_KEPT_BYTES_MAX, E2EE_KEPT_MAX, E2EE_ROOM_BURST, E2EE_ROOM_PER_SECOND, RESUME_WINDOW_MAX,
};
use railgun_protocol::media_rpc::{Event, MissedMessage, Reply};
use railgun_protocol::signal::{E2eeData, E2eeMessageKind, Encryption};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const ROOM: Rate = Rate::per_second(E2EE_ROOM_BURST, E2EE_ROOM_PER_SECOND);
/// Groups whose epochs a room knows for each user that began to commit in them: the last one and the one before.
const GROUPS_PER_USER: usize = 2;
/// The same of users whose accounts the room has forgotten, together.
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

pub(super) struct Message {
    pub(super) kind: E2eeMessageKind,
    pub(super) epoch: u64,
    pub(super) to: Option<SessionId>,
    pub(super) data: E2eeData,
}

pub(super) fn send(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    from: SessionId,
    message: Message,
    now: Instant,
) -> Result<Reply, Refusal> {
    let entry = rooms.get(room).ok_or(Refusal::NotFound)?;
    if entry.encryption.encryption != Encryption::EndToEnd {
        return Err(Refusal::InvalidState("this channel is not encrypted end to end"));
    }
    let commit = check(&message)?;
    let audience = data_messages::audience(rooms, room, from, message.to)?;
    accounts::charge_key_message(rooms, room, from, message.data.bytes().len(), now)?;
    let session = rooms.session(room, from)?;
    let (user, account) = (session.user.clone(), session.account);
    let entry = rooms.get_mut(room).ok_or(Refusal::NotFound)?;
    entry.keys.allowance.take(ROOM, 1, now).map_err(Refusal::RateLimited)?;
    if let Some((group, epoch)) = commit {
        entry.keys.commit(group, epoch, account)?;
    }
    let Message { kind, epoch, to, data } = message;
    let event = Event::E2eeMessage { user: user.clone(), session: from, kind, epoch, data: data.clone() };
    media.output.tell(room, audience, event);
    let room_seq = media.output.feed(room).map_or(0, |feed| feed.seq);
    let message = MissedMessage { room_seq, user, session: from, kind, epoch, data };
    if let Some(entry) = rooms.get_mut(room) {
        entry.keys.keep(Kept { at: now, to, message }, now);
    }
    Ok(Reply::Done)
}

/// Whether the data is what the message says, and for whom that kind may be. Of a commit, its group and epoch.
fn check(message: &Message) -> Result<Option<(&[u8], u64)>, Refusal> {
    let wrong = |why: &str| Err(Refusal::InvalidPayload(why.into()));
    let Some(envelope) = mls_envelope::read(message.data.bytes()) else {
        return wrong("data is no public message, Welcome or GroupInfo of MLS");
    };
    let told = match (message.kind, envelope) {
        (E2eeMessageKind::Proposal, Envelope::Proposal { epoch, .. })
        | (E2eeMessageKind::Commit, Envelope::Commit { epoch, .. })
        | (E2eeMessageKind::GroupInfo, Envelope::GroupInfo { epoch, .. }) => Some(epoch),
        (E2eeMessageKind::Welcome, Envelope::Welcome) => None,
        _ => return wrong("data is of another kind"),
    };
    if told.is_some_and(|epoch| epoch != message.epoch) {
        return wrong("data is of another epoch");
    }
    match (message.kind, message.to) {
        (E2eeMessageKind::Welcome, None) => wrong("a Welcome is for one session"),
        (E2eeMessageKind::Proposal | E2eeMessageKind::Commit, Some(_)) => {
            wrong("a proposal or commit is for everybody")
        }
        _ => match envelope {
            Envelope::Commit { group, epoch } => Ok(Some((group, epoch))),
            _ => Ok(None),
        },
    }
}

impl KeyAgreement {
    /// Takes the first commit of an epoch.
    fn commit(&mut self, id: &[u8], epoch: u64, by: AccountKey) -> Result<(), Refusal> {
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

    fn keep(&mut self, kept: Kept, now: Instant) {
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

    /// What was for this session, and may have been sent to a socket that it had lost.
    pub(super) fn missed_by(&self, session: &Session) -> Vec<MissedMessage> {
        let is_theirs = |kept: &&Kept| {
            let message = &kept.message;
            // One to a single session has the number of the event before it.
            let is_since_it_joined = message.room_seq >= session.joined_seq;
            message.session != session.id && kept.to.is_none_or(|to| to == session.id) && is_since_it_joined
        };
        self.kept.iter().filter(is_theirs).map(|kept| kept.message.clone()).collect()
    }
}
