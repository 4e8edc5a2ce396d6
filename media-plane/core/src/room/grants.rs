//! What a session may send, and until when. The node holds the deadline itself: it needs neither the
//! control-plane nor the wall clock to end somebody's video.

use super::moment::Moment;
use super::refusal::Refusal;
use super::table::RoomTable;
use super::{producing, video_slots};
use crate::arena::{ProducerKey, RoomKey};
use crate::packet_path::tables::MediaTables;
use crate::transport::association;
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Audience, Event, Grant, Reply};
use railgun_protocol::plan::{Permissions, RoomLimits, Tier};
use railgun_protocol::signal::{GrantReason, Source, VideoSource};

pub(super) fn change_grant(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    grant: Grant,
    reason: GrantReason,
    now: Moment,
) -> Result<Reply, Refusal> {
    set_grant(rooms, media, room, session, grant, now)?;
    tell_permissions(rooms, media, room, session, reason);
    Ok(Reply::Done)
}

/// Takes a grant in place of the session's, and from it what the new one does not allow.
pub(super) fn set_grant(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    grant: Grant,
    now: Moment,
) -> Result<(), Refusal> {
    let seat = rooms.session_mut(room, session)?;
    let before = seat.set_grant(grant, now);
    let is_confined = grant.relay_only && !before.relay_only;
    let transports = [seat.send, seat.recv];
    if is_confined {
        for key in transports.into_iter().flatten() {
            association::confine_to_relays(&mut media.transports, &mut media.output, key, now.at);
        }
    }
    enforce_grant(rooms, media, room, session);
    Ok(())
}

/// A session's deadline has come: it keeps its voice and its seat.
pub(super) fn end_video(rooms: &mut RoomTable, media: &mut MediaTables, room: RoomKey, session: SessionId) {
    let Ok(seat) = rooms.session_mut(room, session) else { return };
    seat.video_until = None;
    let audio = seat.grant.permissions.audio;
    seat.grant.permissions = Permissions { audio, ..Permissions::of(Tier::Free) };
    enforce_grant(rooms, media, room, session);
    tell_permissions(rooms, media, room, session, GrantReason::Expired);
}

/// Closes what the session's grant does not allow, and frees its slots and places.
fn enforce_grant(rooms: &mut RoomTable, media: &mut MediaTables, room: RoomKey, session: SessionId) {
    let Ok(seat) = rooms.session(room, session) else { return };
    let permissions = seat.grant.permissions;
    let is_forbidden = |key: &ProducerKey| {
        media.producers.live(*key).is_some_and(|producer| !permissions.allow(producer.source))
    };
    let forbidden: Vec<ProducerKey> = seat.producers.iter().copied().filter(is_forbidden).collect();
    for producer in forbidden {
        producing::remove_producer(rooms, media, room, producer, Audience::Everyone);
    }
    for source in VideoSource::ALL.into_iter().filter(|source| !permissions.allow(Source::from(*source))) {
        video_slots::forget_slot(rooms, room, session, source);
    }
}

fn tell_permissions(
    rooms: &RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    reason: GrantReason,
) {
    let Some(limits) = rooms.get(room).map(|room| room.limits) else { return };
    let Ok(seat) = rooms.session(room, session) else { return };
    let event = Event::Permissions { permissions: seat.grant.permissions, limits, reason };
    media.output.tell(room, Audience::Only(session), event);
}

/// The room's channel changed its tier. Whoever is in keeps seat and video.
pub(super) fn set_limits(rooms: &mut RoomTable, room: RoomKey, limits: RoomLimits) -> Result<Reply, Refusal> {
    let room = rooms.get_mut(room).ok_or(Refusal::NotFound)?;
    room.limits = limits;
    room.slots.set_max(limits.video_publishers);
    Ok(Reply::Done)
}
