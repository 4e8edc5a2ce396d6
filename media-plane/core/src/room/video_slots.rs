//! A room's video slots: asked for, given back, told about.

use super::accounts;
use super::refusal::Refusal;
use super::slots::{Change, Claimant};
use super::table::RoomTable;
use crate::arena::RoomKey;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Audience, Event, Reply, SlotState};
use railgun_protocol::signal::{Source, VideoSource};
use std::time::Instant;

pub(super) fn request_slot(
    rooms: &mut RoomTable,
    room: RoomKey,
    session: SessionId,
    source: VideoSource,
    now: Instant,
) -> Result<Reply, Refusal> {
    rooms.session(room, session)?.may_send(source.into(), now)?;
    no_other_device_sends(rooms, room, session, source)?;
    let entry = rooms.get(room).ok_or(Refusal::NotFound)?;
    // A place that comes and goes moves those behind it.
    if !entry.slots.has(Claimant { session, source }) {
        accounts::charge_state(rooms, room, session, now)?;
    }
    let entry = rooms.get_mut(room).ok_or(Refusal::NotFound)?;
    Ok(Reply::Slot(entry.slots.request(Claimant { session, source }, now)))
}

/// Gives a grant or a place in the queue back. A producer is closed to free its slot.
pub(super) fn release_slot(
    rooms: &mut RoomTable,
    room: RoomKey,
    session: SessionId,
    source: VideoSource,
) -> Result<Reply, Refusal> {
    let entry = rooms.get_mut(room).ok_or(Refusal::NotFound)?;
    let claimant = Claimant { session, source };
    if entry.slots.is_used(claimant) {
        return Err(Refusal::InvalidState("a producer uses this slot: close that"));
    }
    entry.slots.remove(claimant);
    Ok(Reply::SlotReleased { source })
}

/// The user may send this source here, as far as the other devices go: one camera and one screen
/// a user, sent or asked for.
pub(super) fn no_other_device_sends(
    rooms: &RoomTable,
    room: RoomKey,
    session: SessionId,
    source: VideoSource,
) -> Result<(), Refusal> {
    let user = &rooms.session(room, session)?.user;
    let entry = rooms.get(room).ok_or(Refusal::NotFound)?;
    let mut others = entry.sessions.iter().filter(|other| other.id != session && other.user == *user);
    if others.any(|other| entry.slots.has(Claimant { session: other.id, source })) {
        return Err(Refusal::InvalidState("another device of this user sends this source, or is to"));
    }
    Ok(())
}

/// A video producer may begin: takes the session's grant, or a slot that is free.
pub(super) fn may_use_slot(
    rooms: &mut RoomTable,
    room: RoomKey,
    session: SessionId,
    source: VideoSource,
    now: Instant,
) -> Result<(), Refusal> {
    let entry = rooms.get_mut(room).ok_or(Refusal::NotFound)?;
    if entry.slots.may_use(Claimant { session, source }, now) {
        return Ok(());
    }
    Err(Refusal::VideoLimitReached { current: entry.slots.current(), max: entry.slots.max() })
}

pub(super) fn use_slot(rooms: &mut RoomTable, room: RoomKey, session: SessionId, source: Source) {
    if let (Some(entry), Some(source)) = (rooms.get_mut(room), VideoSource::of(source)) {
        entry.slots.begin_use(Claimant { session, source });
    }
}

pub(super) fn forget_slot(rooms: &mut RoomTable, room: RoomKey, session: SessionId, source: VideoSource) {
    if let Some(entry) = rooms.get_mut(room) {
        entry.slots.remove(Claimant { session, source });
    }
}

/// Frees the slot of a producer that is gone.
pub(super) fn free_slot_of(rooms: &mut RoomTable, room: RoomKey, session: SessionId, source: Source) {
    if let Some(source) = VideoSource::of(source) {
        forget_slot(rooms, room, session, source);
    }
}

pub(super) fn slot_state(
    rooms: &RoomTable,
    room: RoomKey,
    session: SessionId,
    source: VideoSource,
    now: Instant,
) -> Option<SlotState> {
    rooms.get(room)?.slots.state(Claimant { session, source }, now)
}

/// Gives out what is free, and tells everybody whose turn or place changed.
pub(super) fn settle(rooms: &mut RoomTable, media: &mut MediaTables, room: RoomKey, now: Instant) {
    let Some(entry) = rooms.get_mut(room) else { return };
    let changes = entry.slots.settle(now);
    let (current, max) = (entry.slots.current(), entry.slots.max());
    for change in changes {
        let (claimant, event) = match change {
            Change::Granted(claimant, until) => {
                let hold = until.saturating_duration_since(now);
                (claimant, Event::VideoGranted { source: claimant.source, hold })
            }
            Change::Moved(claimant, position) => {
                (claimant, Event::VideoQueue { source: claimant.source, position, current, max })
            }
        };
        media.output.tell(room, Audience::Only(claimant.session), event);
    }
}
