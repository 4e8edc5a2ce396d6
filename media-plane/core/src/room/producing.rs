//! Producers: created, paused, resumed, closed.

use super::refusal::Refusal;
use super::table::RoomTable;
use super::{accounts, bitrate_limits, consuming, owned, video_slots};
use crate::arena::{ProducerKey, RoomKey, TransportKey};
use crate::audio::audio_level::LevelMeter;
use crate::feedback_path::key_frames;
use crate::packet_path::encoding::Encoding;
use crate::packet_path::extension_ids::ExtensionIds;
use crate::packet_path::payload_types::PayloadTypes;
use crate::packet_path::producer::Producer;
use crate::packet_path::tables::MediaTables;
use crate::packet_path::wanted_layers::WantedLayers;
use crate::random;
use railgun_protocol::ids::{ProducerId, SessionId, TransportId};
use railgun_protocol::limits;
use railgun_protocol::media_rpc::{Audience, Event, Reply};
use railgun_protocol::ortc;
use railgun_protocol::rtp_parameters::{MediaKind, RtcpFeedback, RtpParameters};
use railgun_protocol::signal::{ConsumerCloseReason, Encryption, ProducerCloseReason, Source, VideoSource};
use railgun_protocol::transport_parameters::TransportDirection;
use rand::RngExt;
use std::time::Instant;

/// Why a consumer was closed without its owner asking.
/// CNAME characters for a producer that names none.
const RANDOM_CNAME_LEN: usize = 8;

/// What a client wants to send.
pub(super) struct Request<'a> {
    pub(super) transport: TransportId,
    pub(super) kind: MediaKind,
    pub(super) source: Source,
    pub(super) parameters: &'a RtpParameters,
}

pub(super) fn produce(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    request: &Request<'_>,
    now: Instant,
) -> Result<Reply, Refusal> {
    let &Request { transport, kind, source, parameters } = request;
    let transport = owned::transport(rooms, media, room, session, transport)?;
    may_produce(rooms, media, room, session, transport, (kind, source), now)?;
    ortc::validate_producer_parameters(kind, parameters)?;
    let router = ortc::router_rtp_capabilities(&ortc::DEFAULT_CODECS, u32::MAX);
    let mapping = ortc::producer_mapping(parameters, &router)?;
    let payload_types = PayloadTypes::new(parameters, &mapping).ok_or(Refusal::UnsupportedCodec)?;
    let encodings: Vec<Encoding> = mapping.encodings.iter().map(Encoding::new).collect();
    accounts::charge_follow_ups(rooms, room, session, limits::FOLLOW_UPS_PER_PRODUCER, now)?;
    claim_streams(media, transport, parameters.mid.as_deref(), &encodings)?;
    let id = ProducerId::from_bits(rooms.rng.random());
    let cname = cname_of(rooms, media, transport, parameters);
    let account = rooms.session(room, session)?.account;
    let policer = rooms.accounts.live(account).ok_or(Refusal::Internal)?.policer;
    let mut producer = Producer {
        id,
        kind,
        source,
        session,
        transport,
        paused: false,
        is_speakers: rooms.get(room).is_some_and(|room| room.speakers.latest() == Some(session)),
        is_encrypted: rooms.get(room).is_some_and(|room| room.encryption.encryption == Encryption::EndToEnd),
        last_notified_score: None,
        wanted_layers: WantedLayers::all(0),
        account,
        policer,
        allowed: bitrate_limits::allowed_bitrate(rooms, room, session, source),
        policed_packets: 0,
        stream_type: mapping.stream_type,
        consumable: ortc::consumable_parameters(kind, parameters, &router, &mapping),
        cname,
        mid: parameters.mid.clone(),
        payload_types,
        extensions: ExtensionIds::new(parameters, &mapping),
        answers_nacks: answers_nacks(parameters),
        encodings,
        meter: (source == Source::Mic).then(LevelMeter::default),
        consumers: Vec::new(),
    };
    producer.wanted_layers = WantedLayers::all(producer.spatial_layers());
    let key = media.producers.insert(producer);
    if let (Some(transport), Some(producer)) =
        (media.transports.live_mut(transport), media.producers.live(key))
    {
        transport.choose_feedback(takes_ccfb(parameters));
        transport.producers.push(key);
        transport.bind_declared(producer.declared_streams(key));
    }
    video_slots::use_slot(rooms, room, session, source);
    let seat = rooms.session_mut(room, session)?;
    seat.producers.push(key);
    let user = seat.user.clone();
    accounts::set_allowed_bitrate(rooms, media, room, account, source, now);
    let event = Event::NewProducer { producer: id, user, session, kind, source, paused: false };
    media.output.tell(room, Audience::Except(session), event);
    Ok(Reply::Produced { producer: id, kind, source })
}

/// Checks the grant again on the node, independently of the control-plane's check.
fn may_produce(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    transport: TransportKey,
    (kind, source): (MediaKind, Source),
    now: Instant,
) -> Result<(), Refusal> {
    if kind != source.kind() {
        return Err(Refusal::InvalidPayload("kind does not fit the source".into()));
    }
    rooms.session(room, session)?.may_send(source, now)?;
    let Some(transport) = media.transports.live(transport) else { return Err(Refusal::NotFound) };
    if transport.is_failed() {
        return Err(Refusal::TransportFailed);
    }
    if transport.direction != TransportDirection::Send || transport.connect.is_none() {
        return Err(Refusal::InvalidState("the transport is not a connected sending one"));
    }
    if owned::producer_of(rooms, media, room, session, source).is_some() {
        return Err(Refusal::InvalidState("this source is already being sent"));
    }
    if let Some(source) = VideoSource::of(source) {
        video_slots::no_other_device_sends(rooms, room, session, source)?;
        video_slots::may_use_slot(rooms, room, session, source, now)?;
    }
    Ok(())
}

/// Reserves the producer's MID and SSRCs on its transport, on which no other producer, alive or
/// closed, may have used that MID.
fn claim_streams(
    media: &mut MediaTables,
    transport: TransportKey,
    mid: Option<&str>,
    encodings: &[Encoding],
) -> Result<(), Refusal> {
    let Some(transport) = media.transports.live_mut(transport) else { return Err(Refusal::NotFound) };
    let ssrcs = encodings.iter().flat_map(|encoding| [encoding.ssrc, encoding.rtx_ssrc]).flatten();
    if ssrcs.clone().any(|ssrc| transport.has_stream(ssrc)) {
        return Err(Refusal::InvalidPayload("an SSRC is already in use on this transport".into()));
    }
    if !transport.has_room_for(ssrcs.count()) {
        return Err(Refusal::InvalidState("too many streams on this transport"));
    }
    if mid.is_some_and(|mid| !transport.claim_mid(mid)) {
        return Err(Refusal::InvalidPayload("this MID was already used on this transport".into()));
    }
    Ok(())
}

/// One CNAME for all producers of a transport (RFC 8834 section 4.9): the first it names.
fn cname_of(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    transport: TransportKey,
    parameters: &RtpParameters,
) -> String {
    let random = || random::text(&mut rooms.rng, RANDOM_CNAME_LEN);
    let given = parameters.rtcp.cname.clone().unwrap_or_else(random);
    match media.transports.live_mut(transport) {
        Some(transport) => transport.cname.get_or_insert(given).clone(),
        None => given,
    }
}

pub(super) fn pause_producer(
    rooms: &RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    id: ProducerId,
) -> Result<Reply, Refusal> {
    let key = owned::producer(rooms, media, room, session, id)?;
    if pause(media, key, true) {
        let user = rooms.session(room, session)?.user.clone();
        let event = Event::ProducerPaused { producer: id, user, session };
        media.output.tell(room, Audience::Except(session), event);
    }
    Ok(Reply::ProducerPaused { producer: id })
}

pub(super) fn resume_producer(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    id: ProducerId,
    now: Instant,
) -> Result<Reply, Refusal> {
    let key = owned::producer(rooms, media, room, session, id)?;
    if media.producers.live(key).is_some_and(|producer| producer.paused) {
        accounts::charge_follow_ups(rooms, room, session, limits::FOLLOW_UPS_PER_RESUME, now)?;
    }
    if pause(media, key, false) {
        let user = rooms.session(room, session)?.user.clone();
        let event = Event::ProducerResumed { producer: id, user, session };
        media.output.tell(room, Audience::Except(session), event);
        key_frames::want_for_producer(media, key, now);
    }
    Ok(Reply::ProducerResumed { producer: id })
}

/// Pauses or resumes a producer; false if it was so already.
pub(super) fn pause(media: &mut MediaTables, key: ProducerKey, paused: bool) -> bool {
    let Some(producer) = media.producers.live_mut(key).filter(|it| it.paused != paused) else {
        return false;
    };
    producer.paused = paused;
    producer.meter = producer.meter.is_some().then(LevelMeter::default);
    for consumer in &producer.consumers {
        if let Some(consumer) = media.consumers.live_mut(*consumer) {
            consumer.interrupt();
        }
    }
    true
}

pub(super) fn close_producer(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    id: ProducerId,
) -> Result<Reply, Refusal> {
    let key = owned::producer(rooms, media, room, session, id)?;
    remove_producer(rooms, media, room, key, Audience::Except(session));
    Ok(Reply::ProducerClosed { producer: id })
}

/// Takes a producer and its consumers out of every table, and tells about it.
pub(crate) fn remove_producer(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    key: ProducerKey,
    audience: Audience,
) {
    remove_producer_because(rooms, media, room, key, audience, None);
}

pub(crate) fn remove_producer_because(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    key: ProducerKey,
    audience: Audience,
    reason: Option<ProducerCloseReason>,
) {
    let Some(producer) = media.producers.remove(key) else { return };
    for consumer in &producer.consumers {
        let closed = media.consumers.live(*consumer).map(|consumer| (consumer.session, consumer.id));
        if let Some((session, consumer)) = closed {
            let reason = ConsumerCloseReason::ProducerClosed;
            media.output.tell(room, Audience::Only(session), Event::ConsumerClosed { consumer, reason });
        }
        consuming::remove_consumer(rooms, media, *consumer);
    }
    if let Some(transport) = media.transports.get_mut(producer.transport) {
        transport.forget_producer(key);
    }
    let Ok(seat) = rooms.session_mut(room, producer.session) else { return };
    seat.producers.retain(|other| *other != key);
    let (id, user, session) = (producer.id, seat.user.clone(), producer.session);
    video_slots::free_slot_of(rooms, room, session, producer.source);
    media.output.tell(room, audience, Event::ProducerClosed { producer: id, user, session, reason });
}

/// Whether each codec lists congestion control feedback (RFC 8888), RTX among them. Chromium turns it on only then, by the first
/// answer that it gets, and never off.
fn takes_ccfb(parameters: &RtpParameters) -> bool {
    parameters.codecs.iter().all(|codec| codec.rtcp_feedback.iter().any(RtcpFeedback::is_ccfb))
}

fn answers_nacks(parameters: &RtpParameters) -> bool {
    let mut feedback = parameters.codecs.iter().flat_map(|codec| &codec.rtcp_feedback);
    feedback.any(|feedback| feedback.kind == "nack" && feedback.parameter.is_empty())
}
