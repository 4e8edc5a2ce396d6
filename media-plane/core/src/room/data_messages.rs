//! Small messages of members to each other. Whose a message is, is the room's word and never its sender's.

use super::accounts;
use super::refusal::Refusal;
use super::table::RoomTable;
use crate::arena::RoomKey;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Audience, Event, Reply};
use railgun_protocol::signal::{DataKind, DataPayload};
use std::time::Instant;

pub(super) struct Message {
    pub(super) kind: DataKind,
    pub(super) payload: DataPayload,
    pub(super) to: Option<SessionId>,
}

pub(super) fn send(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    from: SessionId,
    message: Message,
    now: Instant,
) -> Result<Reply, Refusal> {
    let audience = audience(rooms, room, from, message.to)?;
    accounts::charge_data(rooms, room, from, now)?;
    let user = rooms.session(room, from)?.user.clone();
    let Message { kind, payload, .. } = message;
    media.output.tell(room, audience, Event::Data { user, session: from, kind, payload });
    Ok(Reply::Done)
}

/// Everybody else, or the one that is named, who has to be in the room.
pub(super) fn audience(
    rooms: &RoomTable,
    room: RoomKey,
    from: SessionId,
    to: Option<SessionId>,
) -> Result<Audience, Refusal> {
    match to {
        None => Ok(Audience::Except(from)),
        Some(to) if to == from => Err(Refusal::NotFound),
        Some(to) => rooms.session(room, to).map(|session| Audience::Only(session.id)),
    }
}
