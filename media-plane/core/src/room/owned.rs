//! What a session owns, by the ids that its client names. An id that is absent, closed or another
//! session's has one answer.

use super::refusal::Refusal;
use super::table::RoomTable;
use crate::arena::{ConsumerKey, ProducerKey, RoomKey, TransportKey};
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::{ConsumerId, ProducerId, SessionId, TransportId};
use railgun_protocol::signal::Source;

pub(super) fn transport(
    rooms: &RoomTable,
    media: &MediaTables,
    room: RoomKey,
    session: SessionId,
    id: TransportId,
) -> Result<TransportKey, Refusal> {
    let mut keys = rooms.session(room, session)?.transports();
    let is_it = |key: &TransportKey| media.transports.live(*key).is_some_and(|it| it.id == id);
    keys.find(is_it).ok_or(Refusal::NotFound)
}

pub(super) fn producer(
    rooms: &RoomTable,
    media: &MediaTables,
    room: RoomKey,
    session: SessionId,
    id: ProducerId,
) -> Result<ProducerKey, Refusal> {
    let seat = rooms.session(room, session)?;
    let is_it = |key: &&ProducerKey| media.producers.live(**key).is_some_and(|it| it.id == id);
    seat.producers.iter().find(is_it).copied().ok_or(Refusal::NotFound)
}

pub(super) fn consumer(
    rooms: &RoomTable,
    media: &MediaTables,
    room: RoomKey,
    session: SessionId,
    id: ConsumerId,
) -> Result<ConsumerKey, Refusal> {
    let seat = rooms.session(room, session)?;
    let is_it = |key: &&ConsumerKey| media.consumers.live(**key).is_some_and(|it| it.id == id);
    seat.consumers.iter().find(is_it).copied().ok_or(Refusal::NotFound)
}

/// The session's producer of this source, if it has one.
pub(super) fn producer_of(
    rooms: &RoomTable,
    media: &MediaTables,
    room: RoomKey,
    session: SessionId,
    source: Source,
) -> Option<ProducerKey> {
    let seat = rooms.session(room, session).ok()?;
    let is_it = |key: &&ProducerKey| media.producers.live(**key).is_some_and(|it| it.source == source);
    seat.producers.iter().find(is_it).copied()
}

/// A producer of this room, whoever sends it.
pub(super) fn producer_in(
    rooms: &RoomTable,
    media: &MediaTables,
    room: RoomKey,
    id: ProducerId,
) -> Result<ProducerKey, Refusal> {
    let room = rooms.get(room).ok_or(Refusal::NotFound)?;
    let mut keys = room.sessions.iter().flat_map(|session| &session.producers);
    let is_it = |key: &&ProducerKey| media.producers.live(**key).is_some_and(|it| it.id == id);
    keys.find(is_it).copied().ok_or(Refusal::NotFound)
}
