//! Epochs: which incarnation of its channel a room is.

use super::refusal;
use crate::arena::RoomKey;
use crate::engine::Engine;
use railgun_shared::media_rpc::{Address, Audience, Event};
use railgun_shared::signal::{ErrorBody, RejoinReason};

impl Engine {
    /// The same room, with its people and media, has a later epoch from now on. Sessions that came
    /// under an earlier one of its epochs go on using that.
    pub fn rebind_room(&mut self, to: &Address) {
        let Some(key) = self.by_channel.get(&to.channel).copied() else { return };
        if let Some(room) = self.rooms.get_mut(key)
            && room.address.epoch < to.epoch
        {
            room.address.epoch = to.epoch;
        }
    }

    /// The channel has a room of this epoch somewhere else: an older one here is closed at once, and
    /// its people are told to join again.
    pub fn close_older_room(&mut self, before: &Address, reason: RejoinReason) {
        let Some(key) = self.by_channel.get(&before.channel).copied() else { return };
        if self.rooms.get(key).is_none_or(|room| room.address.epoch >= before.epoch) {
            return;
        }
        self.tell(key, Audience::Everyone, Event::Rejoin { reason });
        // They leave together, so nobody needs to hear who else does.
        let told = self.notices.len();
        let sessions = self.rooms.get(key).into_iter().flat_map(|room| &room.sessions);
        let sessions: Vec<_> = sessions.map(|session| session.id).collect();
        for session in sessions {
            self.remove_session(key, session);
        }
        let closed = self.notices.pop_back();
        self.notices.truncate(told);
        self.notices.extend(closed);
    }

    /// Whether a session's epoch is one that the room has, or had since it was opened.
    pub(super) fn check_epoch(&self, key: RoomKey, epoch: u64) -> Result<(), ErrorBody> {
        let room = self.rooms.get(key).ok_or_else(refusal::not_found)?;
        match (room.first_epoch..=room.address.epoch).contains(&epoch) {
            true => Ok(()),
            false => Err(refusal::stale_epoch()),
        }
    }
}
