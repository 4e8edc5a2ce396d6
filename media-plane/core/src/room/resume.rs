//! A session's next socket: who may take a session up, and what it finds.

use super::moment::Moment;
use super::refusal::Refusal;
use super::table::RoomTable;
use super::{grants, participant, video_slots};
use crate::arena::RoomKey;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Audience, Command, Event, OwnState, Reply, ResumeRequest, Rights};
use railgun_protocol::signal::VideoSource;
use railgun_protocol::transport_parameters::TransportDirection;

/// Whether a command can only come from the socket that has the session now. The others are the
/// operators', or tell of a socket that is gone.
fn is_of_socket(command: &Command) -> bool {
    !matches!(
        command,
        Command::Leave { .. }
            | Command::Detach { .. }
            | Command::SetGrant { .. }
            | Command::Kick { .. }
            | Command::Mute { .. }
    )
}

pub(super) fn resume(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    request: &ResumeRequest,
    now: Moment,
) -> Result<Reply, Refusal> {
    let id = request.session;
    let seat = rooms.session_mut(room, id).map_err(|_| Refusal::ResumeFailed)?;
    let is_theirs = seat.user == request.user && seat.device == request.device;
    if !is_theirs || !seat.tokens.take(request.token, request.next_token) {
        return Err(Refusal::ResumeFailed);
    }
    seat.attachment = seat.attachment.saturating_add(1);
    participant::speaks_again(rooms, media, room, id);
    if let Some(Rights { grant, limits }) = request.rights {
        grants::set_limits(rooms, room, limits)?;
        grants::set_grant(rooms, media, room, id, grant, now)?;
    }
    video_slots::settle(rooms, media, room, now.at);
    media.output.tell(room, Audience::Only(id), Event::Superseded);
    let mut own = Box::new(own_state(rooms, media, room, id, now)?);
    if request.rights.is_none() {
        own.rights = rights(rooms, room, id);
    }
    Ok(Reply::Resumed(participant::snapshot(rooms, media, room, Some(id)), own))
}

/// The session's socket shows by this command that it is in use.
pub(super) fn confirm(rooms: &mut RoomTable, room: RoomKey, session: SessionId, command: &Command) {
    if is_of_socket(command)
        && let Ok(seat) = rooms.session_mut(room, session)
    {
        seat.tokens.confirm();
    }
}

/// What the session may do, as the node holds it.
fn rights(rooms: &RoomTable, room: RoomKey, id: SessionId) -> Option<Rights> {
    let (grant, limits) = (rooms.session(room, id).ok()?.grant, rooms.get(room)?.limits);
    Some(Rights { grant, limits })
}

fn own_state(
    rooms: &RoomTable,
    media: &MediaTables,
    room: RoomKey,
    id: SessionId,
    now: Moment,
) -> Result<OwnState, Refusal> {
    let seat = rooms.session(room, id)?;
    let missed =
        rooms.get(room).map(|room| room.keys.missed_by(seat.id, seat.joined_seq)).unwrap_or_default();
    let directions = [TransportDirection::Send, TransportDirection::Recv];
    let transports = directions.into_iter().filter_map(|direction| {
        let transport = media.transports.live(seat.transport(direction)?)?;
        Some((direction, transport.id))
    });
    let slots = VideoSource::ALL
        .into_iter()
        .filter_map(|source| Some((source, video_slots::slot_state(rooms, room, id, source, now.at)?)));
    Ok(OwnState {
        transports: transports.collect(),
        producers: participant::producers_of(media, seat),
        consumers: participant::consumers_of(media, seat),
        slots: slots.collect(),
        rights: None,
        missed,
    })
}
