//! What time does to a room: grants end, slots are lost, levels are told, diagnostics are over.

use super::Room;
use crate::arena::RoomKey;
use crate::engine::Engine;
use railgun_shared::ids::SessionId;
use std::time::Instant;

impl Room {
    /// When it wants to be looked at next.
    pub(crate) fn due(&self) -> Option<Instant> {
        let grants = self.sessions.iter().filter_map(|session| session.video_until);
        let others = [self.ends_at, self.slots.due(), self.speakers.due];
        grants.chain(others.into_iter().flatten()).min()
    }
}

impl Engine {
    pub(crate) fn on_room_due(&mut self, key: RoomKey, now: Instant) {
        let is_over = |room: &Room, at: fn(&Room) -> Option<Instant>| at(room).is_some_and(|at| at <= now);
        let Some(room) = self.rooms.get(key) else { return };
        if is_over(room, |room| room.ends_at) {
            return self.end_diagnostics(key);
        }
        let looks = is_over(room, |room| room.speakers.due);
        let ended = room.sessions.iter().filter(|it| it.video_until.is_some_and(|until| until <= now));
        let ended: Vec<SessionId> = ended.map(|session| session.id).collect();
        for session in ended {
            self.end_video(key, session);
        }
        if looks {
            self.look_at_levels(key, now);
        }
        self.settle_slots(key, now);
    }
}
