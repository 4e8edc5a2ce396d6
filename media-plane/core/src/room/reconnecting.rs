//! Seats for which nobody speaks: their socket was lost, and nobody has taken them up within the least
//! window. While ICE consent (RFC 7675) shows that the person is there, media goes on up to the longest
//! window. Others see the person as reconnecting, and it holds up nobody: no slot that it does not use,
//! and no seat of a full room.

use super::Room;
use crate::arena::RoomKey;
use crate::engine::Engine;
use railgun_shared::ids::SessionId;
use railgun_shared::limits::RESUME_WINDOW_MAX;
use railgun_shared::media_rpc::{Address, Audience, Event};
use railgun_shared::signal::VideoSource;
use railgun_shared::transport_parameters::DtlsState;
use std::time::{Duration, Instant};

/// Since when nobody speaks for which socket of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    pub session: SessionId,
    /// Of the socket that was lost, as the room counts them.
    pub attachment: u32,
    /// Time without any control stream does not count.
    pub lasted: Duration,
}

impl Room {
    /// Of the seats for which nobody speaks, the one for which that is so the longest.
    pub(super) fn longest_silent(&self, except: Option<SessionId>) -> Option<SessionId> {
        let silent = self.sessions.iter().filter(|session| Some(session.id) != except);
        let since = silent.filter_map(|session| Some((session.silent_since?, session.id)));
        since.min().map(|(_, id)| id)
    }
}

impl Engine {
    /// Nobody has spoken for a session for longer than the least window: it leaves its room, unless its
    /// consent is fresh and the longest window is not over. Repeated for as long as that is so.
    pub fn on_silence(&mut self, address: &Address, silence: Silence, now: Instant) {
        let Silence { session: id, attachment, lasted } = silence;
        let Ok(room) = self.room_with(address, id) else { return };
        // Another socket has it by now.
        if self.session(room, id).is_ok_and(|session| session.attachment != attachment) {
            return;
        }
        if lasted >= RESUME_WINDOW_MAX || !self.has_consent(room, id) {
            tracing::debug!(session = %id, "leaves: nobody took its seat up");
            self.remove_session(room, id);
        } else if let Ok(session) = self.session_mut(room, id)
            && session.silent_since.is_none()
        {
            session.silent_since = Some(now.checked_sub(lasted).unwrap_or(now));
            for source in VideoSource::ALL {
                // A slot that a producer uses stays; a grant or a place in the queue does not.
                _ = self.release_slot(room, id, source);
            }
            self.tell_state(room, id);
        }
        self.settle_slots(room, now);
        self.schedule_room(room);
    }

    /// Somebody took a seat up, or joined in it anew.
    pub(super) fn speaks_again(&mut self, room: RoomKey, id: SessionId) {
        let Ok(session) = self.session_mut(room, id) else { return };
        if session.silent_since.take().is_some() {
            self.tell_state(room, id);
        }
    }

    /// Whether ICE consent is fresh on every connected transport, and there is one.
    fn has_consent(&self, room: RoomKey, id: SessionId) -> bool {
        let transports = self.session(room, id).into_iter().flat_map(super::Session::transports);
        let transports = transports.filter_map(|key| self.transports.get(key));
        let mut connected = transports.filter(|it| it.dtls_state == DtlsState::Connected).peekable();
        connected.peek().is_some() && connected.all(|transport| transport.selected.is_some())
    }

    /// Tells the others of a room what one says of itself.
    pub(super) fn tell_state(&mut self, room: RoomKey, id: SessionId) {
        let Ok(session) = self.session(room, id) else { return };
        let event = Event::ParticipantState {
            user: session.user.clone(),
            session: id,
            muted: session.muted,
            deafened: session.deafened,
            speaking: session.speaking,
            reconnecting: session.silent_since.is_some(),
        };
        self.tell(room, Audience::Except(id), event);
    }
}
