//! What time does to a room: grants end, slots are lost, levels are told, diagnostics are over,
//! messages are kept no longer.

use super::seats::Room;
use super::table::RoomTable;
use super::{audio_levels, grants, moderation, video_slots};
use crate::arena::RoomKey;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::SessionId;
use std::time::Instant;

pub(crate) fn on_room_due(rooms: &mut RoomTable, media: &mut MediaTables, key: RoomKey, now: Instant) {
    let is_over = |room: &Room, at: fn(&Room) -> Option<Instant>| at(room).is_some_and(|at| at <= now);
    let Some(room) = rooms.get(key) else { return };
    if is_over(room, |room| room.ends_at) {
        return moderation::end_diagnostics(rooms, media, key);
    }
    let looks = is_over(room, |room| room.speakers.due);
    let ended = room.sessions.iter().filter(|it| it.video_until.is_some_and(|until| until <= now));
    let ended: Vec<SessionId> = ended.map(|session| session.id).collect();
    for session in ended {
        grants::end_video(rooms, media, key, session);
    }
    if looks {
        audio_levels::look(rooms, media, key, now);
    }
    if let Some(room) = rooms.get_mut(key) {
        room.keys.forget_old(now);
    }
    video_slots::settle(rooms, media, key, now);
}
