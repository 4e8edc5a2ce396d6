//! The room as MLS's delivery service (RFC 9420, section 14): it orders messages and takes one commit of each epoch,
//! the first. It cannot read what is agreed on, and it decides nothing else: members judge each other's commits.

use super::mls_envelope::{self, Envelope};
use super::refusal::Refusal;
use super::table::RoomTable;
use super::{accounts, data_messages};
use crate::arena::RoomKey;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Event, MissedMessage, Reply};
use railgun_protocol::signal::{E2eeData, E2eeMessageKind, Encryption};
use std::time::Instant;

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
    entry.keys.charge(now)?;
    if let Some((group, epoch)) = commit {
        entry.keys.commit(group, epoch, account)?;
    }
    let Message { kind, epoch, to, data } = message;
    let event = Event::E2eeMessage { user: user.clone(), session: from, kind, epoch, data: data.clone() };
    media.output.tell(room, audience, event);
    let room_seq = media.output.feed(room).map_or(0, |feed| feed.seq);
    let message = MissedMessage { room_seq, user, session: from, kind, epoch, data };
    if let Some(entry) = rooms.get_mut(room) {
        entry.keys.keep(message, to, now);
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
