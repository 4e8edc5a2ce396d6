//! What a session's grant lets it send, in bits a second.

use super::table::RoomTable;
use crate::arena::RoomKey;
use railgun_protocol::ids::SessionId;
use railgun_protocol::signal::Source;

/// The bitrate limit of a source in bit/s, as the client is told it.
pub(super) fn bitrate_limit(rooms: &RoomTable, room: RoomKey, session: SessionId, source: Source) -> u32 {
    rooms.session(room, session).map_or(0, |seat| seat.grant.permissions.bitrate_ceiling(source))
}

/// What is let through: the limit with its headroom.
pub(super) fn allowed_bitrate(rooms: &RoomTable, room: RoomKey, session: SessionId, source: Source) -> u64 {
    let limit = bitrate_limit(rooms, room, session, source);
    u64::from(limit) * u64::from(rooms.bitrate_headroom_percent) / 100
}
