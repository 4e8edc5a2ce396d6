//! Consumers: created, paused, resumed, closed.

use super::owned;
use super::refusal::Refusal;
use super::table::RoomTable;
use crate::arena::{ConsumerKey, ProducerKey, RoomKey, TransportKey};
use crate::codec::vp8::rewriter::Vp8Rewriter;
use crate::feedback::delivery::Delivery;
use crate::feedback::score::StreamScore;
use crate::feedback_path::{allocation, key_frames, wanted_layers};
use crate::packet_path::consumer::{Asked, Consumer, RtxStream, Sent};
use crate::packet_path::consumer_extensions::ConsumerExtensions;
use crate::packet_path::select::{Layers, Selection};
use crate::packet_path::sequence::SequenceMap;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::{ConsumerId, ProducerId, SessionId, TransportId};
use railgun_protocol::limits;
use railgun_protocol::media_rpc::{Audience, ConsumerDescription, Event, Reply};
use railgun_protocol::ortc::{self, ConsumerStream};
use railgun_protocol::rtp_parameters::{MediaKind, RtpCapabilities};
use railgun_protocol::signal::{ConsumerCloseReason, ConsumerLayers};
use railgun_protocol::transport_parameters::TransportDirection;
use rand::RngExt;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Instant;

/// What a client wants to get.
pub(super) struct Request {
    /// The session's receiving transport, if not named.
    pub(super) transport: Option<TransportId>,
    pub(super) producer: ProducerId,
    /// Capabilities of the receiver; none: those given at joining.
    pub(super) capabilities: Option<RtpCapabilities>,
}

pub(super) fn consume(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    request: Request,
    now: Instant,
) -> Result<Reply, Refusal> {
    let Request { transport, producer, capabilities } = request;
    let transport = receiving_transport(rooms, media, room, session, transport)?;
    let producer_key = owned::producer_in(rooms, media, room, producer)?;
    let seat = rooms.session(room, session)?;
    let capabilities = match capabilities {
        Some(capabilities) => {
            ortc::validate_capabilities(&capabilities)?;
            Arc::new(capabilities)
        }
        // Checked at the join.
        None => seat
            .rtp_capabilities
            .clone()
            .ok_or_else(|| Refusal::InvalidPayload("rtpCapabilities were never given".into()))?,
    };
    let Some(source) = media.producers.live(producer_key) else { return Err(Refusal::NotFound) };
    let is_diagnostics = rooms.get(room).is_some_and(|room| room.ends_at.is_some());
    if source.session == session && !is_diagnostics {
        return Err(Refusal::InvalidState("this is the session's own producer"));
    }
    let stream = new_stream(media, transport, producer_key)?;
    let Some(source) = media.producers.live(producer_key) else { return Err(Refusal::NotFound) };
    let (ssrc, rtx_ssrc, cname) = (stream.ssrc, stream.rtx_ssrc, source.cname.clone());
    let parameters =
        ortc::consumer_parameters(&source.consumable, &capabilities, stream, source.stream_type)?;
    let (kind, is_video) = (source.kind, source.kind == MediaKind::Video);
    replace_consumer_of(rooms, media, room, session, producer_key)?;
    let id = ConsumerId::from_bits(rooms.rng.random());
    let [a, b, c, d, ..] = rooms.rng.random::<u128>().to_be_bytes();
    let rtx = RtxStream::new(&parameters, rtx_ssrc, u16::from_be_bytes([a, b]), now);
    let key = media.consumers.insert(Consumer {
        id,
        room,
        session,
        transport,
        producer: producer_key,
        paused: is_video,
        priority: NonZeroU8::MIN,
        preferred_layers: None,
        asked: Asked::default(),
        last_report: None,
        delivery: Delivery::default(),
        score: StreamScore::new(kind, !is_video),
        last_notified_score: None,
        last_notified_layers: None,
        ssrc,
        cname,
        clock_rate: parameters.codecs.first().map_or(0, |codec| codec.clock_rate),
        extensions: ConsumerExtensions::new(&parameters),
        selection: Selection::new(is_video),
        sequence: SequenceMap::new(u16::from_be_bytes([c, d])),
        vp8: Vp8Rewriter::default(),
        rtx,
        sent_speech: None,
        sent: Sent::default(),
        key_frame_at: None,
    });
    if let Some(transport) = media.transports.live_mut(transport) {
        transport.next_mid += 1;
        transport.consumers.push(key);
    }
    rooms.session_mut(room, session)?.consumers.push(key);
    let Some(source) = media.producers.live_mut(producer_key) else { return Err(Refusal::NotFound) };
    source.consumers.push(key);
    let (sender, stream_type) = (source.session, source.stream_type);
    let (source_name, producer_paused) = (source.source, source.paused);
    Ok(Reply::Consumed(Box::new(ConsumerDescription {
        consumer: id,
        producer,
        user: rooms.session(room, sender)?.user.clone(),
        session: sender,
        kind,
        source: source_name,
        stream_type,
        rtp_parameters: parameters,
        producer_paused,
    })))
}

fn receiving_transport(
    rooms: &RoomTable,
    media: &MediaTables,
    room: RoomKey,
    session: SessionId,
    id: Option<TransportId>,
) -> Result<TransportKey, Refusal> {
    let key = match id {
        Some(id) => owned::transport(rooms, media, room, session, id)?,
        None => rooms
            .session(room, session)?
            .recv
            .ok_or(Refusal::InvalidState("there is no receiving transport"))?,
    };
    let Some(transport) = media.transports.live(key) else { return Err(Refusal::NotFound) };
    if transport.direction != TransportDirection::Recv {
        return Err(Refusal::InvalidState("the transport is not a receiving one"));
    }
    // One that only lost its path may get it back.
    if transport.is_over() { Err(Refusal::TransportFailed) } else { Ok(key) }
}

/// A client that asks again has dropped what it had: the contract has no request to close one.
fn replace_consumer_of(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    producer: ProducerKey,
) -> Result<(), Refusal> {
    let seat = rooms.session(room, session)?;
    let consumes = |key: &&ConsumerKey| media.consumers.live(**key).is_some_and(|it| it.producer == producer);
    let older = seat.consumers.iter().find(consumes).copied();
    if older.is_none() && seat.consumers.len() >= limits::CONSUMERS_PER_SESSION {
        return Err(Refusal::InvalidState("too many consumers"));
    }
    if let Some(older) = older
        && let Some(consumer) = media.consumers.live(older).map(|consumer| consumer.id)
    {
        let reason = ConsumerCloseReason::Replaced;
        media.output.tell(room, Audience::Only(session), Event::ConsumerClosed { consumer, reason });
        remove_consumer(rooms, media, older);
    }
    Ok(())
}

/// Names that nothing on the transport ever had.
fn new_stream(
    media: &mut MediaTables,
    transport: TransportKey,
    producer: ProducerKey,
) -> Result<ConsumerStream, Refusal> {
    let Some(entry) = media.transports.live_mut(transport) else { return Err(Refusal::NotFound) };
    let mid = entry.next_mid.to_string();
    let cname = media.producers.live(producer).map(|producer| producer.cname.clone());
    let cname = cname.ok_or(Refusal::NotFound)?;
    // Only a new transport, with a new key, can have more.
    let ssrc = entry.next_consumer_ssrc().ok_or(Refusal::TransportFailed)?;
    Ok(ConsumerStream { mid, ssrc, rtx_ssrc: ssrc + 1, cname })
}

pub(super) fn pause_consumer(
    rooms: &RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    id: ConsumerId,
) -> Result<Reply, Refusal> {
    let key = owned::consumer(rooms, media, room, session, id)?;
    if let Some(consumer) = media.consumers.live_mut(key) {
        consumer.paused = true;
        consumer.interrupt();
    }
    Ok(Reply::ConsumerPaused { consumer: id })
}

pub(super) fn resume_consumer(
    rooms: &RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    id: ConsumerId,
    now: Instant,
) -> Result<Reply, Refusal> {
    let key = owned::consumer(rooms, media, room, session, id)?;
    if let Some(consumer) = media.consumers.live_mut(key)
        && consumer.paused
    {
        consumer.paused = false;
        let producer = consumer.producer;
        allocation::on_wish(media, key, now);
        key_frames::want_for_consumer(media, key, now);
        wanted_layers::follow(media, producer, now);
    }
    Ok(Reply::ConsumerResumed { consumer: id })
}

/// The highest layers to forward; what does not exist counts as the highest that does.
pub(super) fn set_preferred_layers(
    rooms: &RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    id: ConsumerId,
    layers: ConsumerLayers,
    now: Instant,
) -> Result<Reply, Refusal> {
    let key = owned::consumer(rooms, media, room, session, id)?;
    let Some(consumer) = media.consumers.live_mut(key) else { return Err(Refusal::NotFound) };
    consumer
        .selection
        .prefer(Layers { spatial: layers.spatial_layer, temporal: layers.temporal_layer.unwrap_or(u8::MAX) });
    consumer.preferred_layers = Some(layers);
    let producer = consumer.producer;
    allocation::on_wish(media, key, now);
    key_frames::want_for_layers(media, key, now);
    wanted_layers::follow(media, producer, now);
    Ok(Reply::PreferredLayersSet { consumer: id, layers })
}

pub(super) fn set_priority(
    rooms: &RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    id: ConsumerId,
    priority: NonZeroU8,
) -> Result<Reply, Refusal> {
    let key = owned::consumer(rooms, media, room, session, id)?;
    let Some(consumer) = media.consumers.live_mut(key) else { return Err(Refusal::NotFound) };
    consumer.priority = priority;
    Ok(Reply::PrioritySet { consumer: id, priority })
}

pub(super) fn request_key_frame(
    rooms: &RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    id: ConsumerId,
    now: Instant,
) -> Result<Reply, Refusal> {
    let key = owned::consumer(rooms, media, room, session, id)?;
    if let Some(consumer) = media.consumers.live_mut(key) {
        consumer.asked.key_frames += 1;
    }
    key_frames::want_for_consumer(media, key, now);
    Ok(Reply::KeyFrameRequested { consumer: id })
}

/// Takes a consumer out of every table.
pub(crate) fn remove_consumer(rooms: &mut RoomTable, media: &mut MediaTables, key: ConsumerKey) {
    let Some(consumer) = media.consumers.remove(key) else { return };
    if let Some(producer) = media.producers.get_mut(consumer.producer) {
        producer.consumers.retain(|other| *other != key);
    }
    if let Some(transport) = media.transports.get_mut(consumer.transport) {
        transport.consumers.retain(|other| *other != key);
    }
    if let Ok(seat) = rooms.session_mut(consumer.room, consumer.session) {
        seat.consumers.retain(|other| *other != key);
    }
}
