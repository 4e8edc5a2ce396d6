//! What is done to participants: muted, kicked, and looked at by operators; noise loops stopped.

use super::refusal;
use crate::arena::{ProducerKey, RoomKey};
use crate::engine::Engine;
use railgun_shared::ids::SessionId;
use railgun_shared::limits;
use railgun_shared::media_rpc::{Audience, Event, Reply};
use railgun_shared::signal::{ErrorBody, MuteReason, Source};
use std::time::Duration;

/// Why somebody is out of a room, as clients read it.
pub(super) const REPLACED: &str = "replaced";
const NOISE_LOOP: &str = "noise_loop";
const DIAGNOSTICS_OVER: &str = "diagnostics_over";

impl Engine {
    /// Puts a session out of its room, told why and for how long.
    pub(super) fn kick(
        &mut self,
        room: RoomKey,
        session: SessionId,
        reason: impl Into<String>,
        banned_for: Option<Duration>,
    ) -> Reply {
        let event = Event::Kicked { reason: reason.into(), banned_for };
        self.tell(room, Audience::Only(session), event);
        self.remove_session(room, session);
        Reply::Done
    }

    /// Pauses a session's microphone, which it may resume.
    pub(super) fn mute(&mut self, room: RoomKey, session: SessionId) -> Result<Reply, ErrorBody> {
        let strikes = self.session(room, session)?.strikes;
        if let Some(key) = self.producer_of(room, session, Source::Mic)
            && self.pause_for(room, key)
        {
            let event = Event::Muted { reason: MuteReason::Admin, strikes };
            self.tell(room, Audience::Only(session), event);
        }
        Ok(Reply::Done)
    }

    /// A microphone is a noise loop: its owner is muted, and put out the third time.
    pub(super) fn strike(&mut self, room: RoomKey, session: SessionId, key: ProducerKey) {
        let Ok(seat) = self.session_mut(room, session) else { return };
        seat.strikes = seat.strikes.saturating_add(1);
        let strikes = seat.strikes;
        if strikes >= limits::NOISE_LOOP_STRIKES {
            self.kick(room, session, NOISE_LOOP, Some(limits::NOISE_LOOP_BAN));
        } else if self.pause_for(room, key) {
            let event = Event::Muted { reason: MuteReason::NoiseLoop, strikes };
            self.tell(room, Audience::Only(session), event);
        }
    }

    /// Pauses a producer without its owner asking; false if it was paused.
    fn pause_for(&mut self, room: RoomKey, key: ProducerKey) -> bool {
        if !self.pause(key, true) {
            return false;
        }
        let Some(producer) = self.producers.get(key) else { return false };
        let (id, session) = (producer.id, producer.session);
        if let Ok(user) = self.session(room, session).map(|seat| seat.user.clone()) {
            self.tell(room, Audience::Everyone, Event::ProducerPaused { producer: id, user, session });
        }
        true
    }

    /// Who is in a room, for an operator.
    pub(super) fn inspect(&self, room: RoomKey) -> Result<Reply, ErrorBody> {
        self.rooms.get(room).ok_or_else(refusal::not_found)?;
        Ok(Reply::Inspected(self.snapshot(room, None)))
    }

    /// A diagnostics room has lasted long enough.
    pub(super) fn end_diagnostics(&mut self, room: RoomKey) {
        let sessions = self.rooms.get(room).into_iter().flat_map(|room| &room.sessions);
        let sessions: Vec<SessionId> = sessions.map(|session| session.id).collect();
        for session in sessions {
            self.kick(room, session, DIAGNOSTICS_OVER, None);
        }
    }
}
