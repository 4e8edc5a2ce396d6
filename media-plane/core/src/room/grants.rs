//! What a session may send, and until when. The node holds the deadline itself: it needs neither the
//! control-plane nor the wall clock to end somebody's video.

use super::refusal;
use crate::arena::{ProducerKey, RoomKey};
use crate::engine::Engine;
use railgun_shared::ids::SessionId;
use railgun_shared::media_rpc::{Audience, Event, Grant, Reply};
use railgun_shared::plan::{Permissions, RoomLimits, Tier};
use railgun_shared::signal::{ErrorBody, GrantReason, Source, VideoSource};
use std::time::{Instant, SystemTime};

/// The time as a command meets it. Wall time serves to read deadlines; whoever steps that clock
/// later moves none of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) at: Instant,
    pub(crate) wall: SystemTime,
}

impl Now {
    /// The moment of a deadline; at once if it has passed.
    fn moment_of(self, deadline: SystemTime) -> Option<Instant> {
        match deadline.duration_since(self.wall) {
            // One that no clock reaches is none.
            Ok(left) => self.at.checked_add(left),
            Err(_) => Some(self.at),
        }
    }

    pub(super) fn end_of(self, grant: &Grant) -> Option<Instant> {
        grant.video_until.and_then(|until| self.moment_of(until))
    }
}

impl Engine {
    pub(super) fn change_grant(
        &mut self,
        room: RoomKey,
        session: SessionId,
        grant: Grant,
        reason: GrantReason,
        now: Now,
    ) -> Result<Reply, ErrorBody> {
        self.set_grant(room, session, grant, now)?;
        self.tell_permissions(room, session, reason);
        Ok(Reply::Done)
    }

    /// Takes a grant in place of the session's, and from it what the new one does not allow.
    pub(super) fn set_grant(
        &mut self,
        room: RoomKey,
        session: SessionId,
        grant: Grant,
        now: Now,
    ) -> Result<(), ErrorBody> {
        let seat = self.session_mut(room, session)?;
        seat.video_until = now.end_of(&grant);
        let before = std::mem::replace(&mut seat.grant, grant);
        let is_confined = grant.relay_only && !before.relay_only;
        let transports = [seat.send, seat.recv];
        if is_confined {
            transports.into_iter().flatten().for_each(|key| self.confine_to_relays(key, now.at));
        }
        self.enforce_grant(room, session);
        Ok(())
    }

    /// A session's deadline has come: it keeps its voice and its seat.
    pub(super) fn end_video(&mut self, room: RoomKey, session: SessionId) {
        let Ok(seat) = self.session_mut(room, session) else { return };
        seat.video_until = None;
        let audio = seat.grant.permissions.audio;
        seat.grant.permissions = Permissions { audio, ..Permissions::of(Tier::Free) };
        self.enforce_grant(room, session);
        self.tell_permissions(room, session, GrantReason::Expired);
    }

    /// Closes what the session's grant does not allow, and frees its slots and places.
    fn enforce_grant(&mut self, room: RoomKey, session: SessionId) {
        let Ok(seat) = self.session(room, session) else { return };
        let permissions = seat.grant.permissions;
        let is_forbidden = |key: &ProducerKey| {
            self.producers.get(*key).is_some_and(|producer| !permissions.allow(producer.source))
        };
        let forbidden: Vec<ProducerKey> = seat.producers.iter().copied().filter(is_forbidden).collect();
        for producer in forbidden {
            self.remove_producer(room, producer, Audience::Everyone);
        }
        for source in VideoSource::ALL.into_iter().filter(|source| !permissions.allow(Source::from(*source)))
        {
            self.forget_slot(room, session, source);
        }
    }

    fn tell_permissions(&mut self, room: RoomKey, session: SessionId, reason: GrantReason) {
        let Some(limits) = self.rooms.get(room).map(|room| room.limits) else { return };
        let Ok(seat) = self.session(room, session) else { return };
        let event = Event::Permissions { permissions: seat.grant.permissions, limits, reason };
        self.tell(room, Audience::Only(session), event);
    }

    /// The room's channel changed its tier. Whoever is in keeps seat and video.
    pub(super) fn set_limits(&mut self, room: RoomKey, limits: RoomLimits) -> Result<Reply, ErrorBody> {
        let room = self.rooms.get_mut(room).ok_or_else(refusal::not_found)?;
        room.limits = limits;
        room.slots.set_max(limits.video_publishers);
        Ok(Reply::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn deadlines_become_moments() {
        let now = Now { at: Instant::now(), wall: UNIX_EPOCH + Duration::from_secs(100) };
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(now.moment_of(at(130)), Some(now.at + Duration::from_secs(30)));
        assert_eq!(now.moment_of(at(99)), Some(now.at));
        assert!(now.moment_of(at(i64::MAX as u64 / 2)).is_none_or(|at| at > now.at));
    }
}
