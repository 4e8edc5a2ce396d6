//! Seats for which nobody speaks: their socket was lost, and nobody has taken them up within the least
//! window. While ICE consent (RFC 7675) shows that the person is there, media goes on up to the longest
//! window. Others see the person as reconnecting, and it holds up nobody: no slot that it does not use,
//! and no seat of a full room.

use super::seats::Session;
use super::table::RoomTable;
use super::{membership, participant, video_slots};
use crate::arena::RoomKey;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::SessionId;
use railgun_protocol::limits::RESUME_WINDOW_MAX;
use railgun_protocol::signal::VideoSource;
use railgun_protocol::transport_parameters::DtlsState;
use std::time::{Duration, Instant};

/// Since when nobody speaks for which socket of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Whose socket was lost.
    pub session: SessionId,
    /// Number of the socket that was lost, as the room counts a session's sockets.
    pub attachment: u32,
    /// Time without any control stream does not count.
    pub lasted: Duration,
}

/// Nobody has spoken for a session for longer than the least window: it leaves its room, unless its
/// consent is fresh and the longest window is not over. Repeated for as long as that is so.
pub(crate) fn on_silence(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    silence: Silence,
    now: Instant,
) {
    let Silence { session: id, attachment, lasted } = silence;
    // Another socket has it by now.
    if rooms.session(room, id).is_ok_and(|session| session.attachment != attachment) {
        return;
    }
    if lasted >= RESUME_WINDOW_MAX || !has_consent(rooms, media, room, id) {
        tracing::debug!(session = %id, "leaves: nobody took its seat up");
        membership::remove_session(rooms, media, room, id);
    } else if let Ok(session) = rooms.session_mut(room, id)
        && session.silent_since.is_none()
    {
        session.silent_since = Some(now.checked_sub(lasted).unwrap_or(now));
        for source in VideoSource::ALL {
            // A slot that a producer uses stays; a grant or a place in the queue does not.
            _ = video_slots::release_slot(rooms, room, id, source);
        }
        participant::tell_state(rooms, media, room, id);
    }
    video_slots::settle(rooms, media, room, now);
    rooms.schedule(room);
}

/// Whether ICE consent is fresh on every connected transport, and there is one.
fn has_consent(rooms: &RoomTable, media: &MediaTables, room: RoomKey, id: SessionId) -> bool {
    let transports = rooms.session(room, id).into_iter().flat_map(Session::transports);
    let transports = transports.filter_map(|key| media.transports.live(key));
    let mut connected = transports.filter(|it| it.dtls_state == DtlsState::Connected).peekable();
    connected.peek().is_some() && connected.all(|transport| transport.selected.is_some())
}
