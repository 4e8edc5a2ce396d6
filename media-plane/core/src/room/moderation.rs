//! What is done to participants: muted by an operator, inspected, put out for a noise loop or at the end of
//! diagnostics.

use super::refusal::Refusal;
use super::table::RoomTable;
use super::{membership, owned, participant, producing};
use crate::arena::{ProducerKey, RoomKey};
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::SessionId;
use railgun_protocol::limits;
use railgun_protocol::media_rpc::{Audience, Event, Reply};
use railgun_protocol::signal::{KickReason, MuteReason, Source};

/// Pauses a session's microphone, which it may resume.
pub(super) fn mute(
    rooms: &RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
) -> Result<Reply, Refusal> {
    let strikes = rooms.session(room, session)?.strikes;
    if let Some(key) = owned::producer_of(rooms, media, room, session, Source::Mic)
        && pause_for(rooms, media, room, key)
    {
        let event = Event::Muted { reason: MuteReason::Admin, strikes };
        media.output.tell(room, Audience::Only(session), event);
    }
    Ok(Reply::Done)
}

/// A microphone is a noise loop: its owner is muted, and put out the third time.
pub(super) fn strike(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    key: ProducerKey,
) {
    let Ok(seat) = rooms.session_mut(room, session) else { return };
    seat.strikes = seat.strikes.saturating_add(1);
    let strikes = seat.strikes;
    if strikes >= limits::NOISE_LOOP_STRIKES {
        membership::kick(rooms, media, room, session, KickReason::NoiseLoop, Some(limits::NOISE_LOOP_BAN));
    } else if pause_for(rooms, media, room, key) {
        let event = Event::Muted { reason: MuteReason::NoiseLoop, strikes };
        media.output.tell(room, Audience::Only(session), event);
    }
}

/// Pauses a producer without its owner asking; false if it was paused.
fn pause_for(rooms: &RoomTable, media: &mut MediaTables, room: RoomKey, key: ProducerKey) -> bool {
    if !producing::pause(media, key, true) {
        return false;
    }
    let Some(producer) = media.producers.live(key) else { return false };
    let (id, session) = (producer.id, producer.session);
    if let Ok(user) = rooms.session(room, session).map(|seat| seat.user.clone()) {
        media.output.tell(room, Audience::Everyone, Event::ProducerPaused { producer: id, user, session });
    }
    true
}

/// The participants of a room, for an operator.
pub(super) fn inspect(rooms: &RoomTable, media: &MediaTables, room: RoomKey) -> Result<Reply, Refusal> {
    rooms.get(room).ok_or(Refusal::NotFound)?;
    Ok(Reply::Inspected(participant::snapshot(rooms, media, room, None)))
}

/// A diagnostics room has lasted long enough.
pub(super) fn end_diagnostics(rooms: &mut RoomTable, media: &mut MediaTables, room: RoomKey) {
    let sessions = rooms.get(room).map(|room| room.session_ids()).unwrap_or_default();
    for session in sessions {
        membership::kick(rooms, media, room, session, KickReason::DiagnosticsOver, None);
    }
}
