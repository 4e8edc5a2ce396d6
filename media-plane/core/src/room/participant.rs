//! What the members of a room see of each other.

use super::seats::Session;
use super::table::RoomTable;
use crate::arena::RoomKey;
use crate::packet_path::consumer::Consumer;
use crate::packet_path::producer::Producer;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Audience, Event, RoomSnapshot};
use railgun_protocol::signal::{AppData, ConsumerInfo, Participant, ProducerInfo};

/// A participant as others see it.
pub(super) fn participant(media: &MediaTables, session: &Session) -> Participant {
    Participant {
        user_id: session.user.clone(),
        session_id: session.id,
        name: session.name.clone(),
        avatar: session.avatar.clone(),
        muted: session.muted,
        deafened: session.deafened,
        speaking: session.speaking,
        reconnecting: session.silent_since.is_some(),
        producers: producers_of(media, session),
    }
}

/// The room as the session that asks sees it, or an operator.
pub(super) fn snapshot(
    rooms: &RoomTable,
    media: &MediaTables,
    room: RoomKey,
    asking: Option<SessionId>,
) -> RoomSnapshot {
    let others = rooms.get(room).into_iter().flat_map(|room| &room.sessions);
    let others = others.filter(|session| Some(session.id) != asking);
    let own = asking.and_then(|asking| rooms.session(room, asking).ok());
    RoomSnapshot {
        room_seq: media.output.feed(room).map_or(0, |feed| feed.seq),
        participants: others.map(|session| participant(media, session)).collect(),
        attachment: own.map_or(0, |own| own.attachment),
        encryption: rooms.get(room).map(|room| room.encryption.encryption).unwrap_or_default(),
    }
}

pub(super) fn producers_of(media: &MediaTables, seat: &Session) -> Vec<ProducerInfo> {
    let producers = seat.producers.iter().filter_map(|key| media.producers.live(*key));
    let info = |producer: &Producer| ProducerInfo {
        producer_id: producer.id,
        kind: producer.kind,
        app_data: AppData { source: producer.source },
        paused: producer.paused,
    };
    producers.map(info).collect()
}

pub(super) fn consumers_of(media: &MediaTables, seat: &Session) -> Vec<ConsumerInfo> {
    let consumers = seat.consumers.iter().filter_map(|key| media.consumers.live(*key));
    let info = |consumer: &Consumer| {
        let producer = media.producers.live(consumer.producer)?;
        Some(ConsumerInfo {
            consumer_id: consumer.id,
            producer_id: producer.id,
            kind: producer.kind,
            paused: consumer.paused,
            producer_paused: producer.paused,
        })
    };
    consumers.filter_map(info).collect()
}

/// Tells the others what a participant says of itself.
pub(super) fn tell_state(rooms: &RoomTable, media: &mut MediaTables, room: RoomKey, id: SessionId) {
    let Ok(session) = rooms.session(room, id) else { return };
    let event = Event::ParticipantState {
        user: session.user.clone(),
        session: id,
        muted: session.muted,
        deafened: session.deafened,
        speaking: session.speaking,
        reconnecting: session.silent_since.is_some(),
    };
    media.output.tell(room, Audience::Except(id), event);
}

/// Somebody took a seat up again, or joined in it anew.
pub(super) fn speaks_again(rooms: &mut RoomTable, media: &mut MediaTables, room: RoomKey, id: SessionId) {
    let Ok(session) = rooms.session_mut(room, id) else { return };
    if session.silent_since.take().is_some() {
        tell_state(rooms, media, room, id);
    }
}
