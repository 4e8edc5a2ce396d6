//! Producers: created, paused, resumed, closed.

use super::demand::Demand;
use super::loudness::LevelMeter;
use super::producer::{Encoding, ExtensionIds, PayloadTypes, Producer};
use super::{membership, refusal};
use crate::arena::{ProducerKey, RoomKey, TransportKey};
use crate::engine::Engine;
use railgun_shared::ids::{ProducerId, SessionId, TransportId};
use railgun_shared::limits;
use railgun_shared::media_rpc::{Audience, Event, Reply};
use railgun_shared::ortc;
use railgun_shared::rtp_parameters::{MediaKind, RtpParameters};
use railgun_shared::signal::{ErrorBody, ErrorCode, Source, VideoSource};
use railgun_shared::transport_parameters::TransportDirection;
use std::time::Instant;

/// CNAME characters for a producer that names none.
const RANDOM_CNAME_LEN: usize = 8;

impl Engine {
    pub(super) fn produce(
        &mut self,
        room: RoomKey,
        session: SessionId,
        transport: TransportId,
        (kind, source): (MediaKind, Source),
        parameters: &RtpParameters,
        now: Instant,
    ) -> Result<Reply, ErrorBody> {
        let transport = self.owned_transport(room, session, transport)?;
        self.may_produce(room, session, transport, (kind, source), now)?;
        ortc::validate_producer_parameters(kind, parameters).map_err(ErrorBody::from)?;
        let router = ortc::router_rtp_capabilities(&ortc::DEFAULT_CODECS, u32::MAX);
        let mapping = ortc::producer_mapping(parameters, &router).map_err(ErrorBody::from)?;
        let payload_types = PayloadTypes::new(parameters, &mapping).ok_or_else(|| {
            ErrorBody::new(ErrorCode::UnsupportedCodec, "this node does not forward that codec")
        })?;
        let encodings: Vec<Encoding> = mapping.encodings.iter().map(Encoding::new).collect();
        self.charge_follow_ups(room, session, limits::FOLLOW_UPS_PER_PRODUCER, now)?;
        self.claim_streams(transport, parameters.mid.as_deref(), &encodings)?;
        let id = ProducerId::from_bits(self.random_bits());
        let cname = self.cname_of(transport, parameters);
        let mut producer = Producer {
            id,
            kind,
            source,
            session,
            transport,
            paused: false,
            told_score: None,
            demand: Demand::all(0),
            account: self.session(room, session)?.account,
            allowed: self.allowed_bitrate(room, session, source),
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
        producer.demand = Demand::all(producer.spatial_layers());
        let key = self.producers.insert(producer);
        if let (Some(transport), Some(producer)) =
            (self.transports.get_mut(transport), self.producers.get(key))
        {
            transport.producers.push(key);
            transport.bind_declared(key, producer);
        }
        self.use_slot(room, session, source);
        let seat = self.session_mut(room, session)?;
        seat.producers.push(key);
        let (user, account) = (seat.user.clone(), seat.account);
        self.set_allowed_bitrate(room, account, source, now);
        let event = Event::NewProducer { producer: id, user, session, kind, source, paused: false };
        self.tell(room, Audience::Except(session), event);
        Ok(Reply::Produced { producer: id, kind, source })
    }

    /// The node's own gate; signaling has one before it, which nothing here relies on.
    fn may_produce(
        &mut self,
        room: RoomKey,
        session: SessionId,
        transport: TransportKey,
        (kind, source): (MediaKind, Source),
        now: Instant,
    ) -> Result<(), ErrorBody> {
        if kind != source.kind() {
            return Err(refusal::invalid_payload("kind does not fit the source"));
        }
        self.may_send(room, session, source, now)?;
        let Some(transport) = self.transports.get(transport) else { return Err(refusal::not_found()) };
        if transport.is_failed() {
            return Err(refusal::transport_failed());
        }
        if transport.direction != TransportDirection::Send || transport.connect.is_none() {
            return Err(refusal::invalid_state("the transport is not a connected sending one"));
        }
        if self.producer_of(room, session, source).is_some() {
            return Err(refusal::invalid_state("this source is already being sent"));
        }
        if let Some(source) = VideoSource::of(source) {
            self.no_other_device_sends(room, session, source)?;
            self.may_use_slot(room, session, source, now)?;
        }
        Ok(())
    }

    /// Whether the session's grant allows the source now.
    pub(super) fn may_send(
        &self,
        room: RoomKey,
        session: SessionId,
        source: Source,
        now: Instant,
    ) -> Result<(), ErrorBody> {
        let seat = self.session(room, session)?;
        let ended = seat.video_until.is_some_and(|until| until <= now);
        if !seat.grant.permissions.allow(source) || (source != Source::Mic && ended) {
            return Err(refusal::capability_required(source));
        }
        Ok(())
    }

    /// Reserves the producer's MID and SSRCs on its transport, on which no other producer, alive or
    /// closed, may have used that MID.
    fn claim_streams(
        &mut self,
        transport: TransportKey,
        mid: Option<&str>,
        encodings: &[Encoding],
    ) -> Result<(), ErrorBody> {
        let Some(transport) = self.transports.get_mut(transport) else { return Err(refusal::not_found()) };
        let ssrcs = encodings.iter().flat_map(|encoding| [encoding.ssrc, encoding.rtx_ssrc]).flatten();
        if ssrcs.clone().any(|ssrc| transport.has_stream(ssrc)) {
            return Err(refusal::invalid_payload("an SSRC is already in use on this transport"));
        }
        if !transport.has_room_for(ssrcs.count()) {
            return Err(refusal::invalid_state("too many streams on this transport"));
        }
        if mid.is_some_and(|mid| !transport.claim_mid(mid)) {
            return Err(refusal::invalid_payload("this MID was already used on this transport"));
        }
        Ok(())
    }

    /// One CNAME for all producers of a transport (RFC 8834 section 4.9): the first it names.
    fn cname_of(&mut self, transport: TransportKey, parameters: &RtpParameters) -> String {
        let random = || self.random_text(RANDOM_CNAME_LEN);
        let given = parameters.rtcp.cname.clone().unwrap_or_else(random);
        match self.transports.get_mut(transport) {
            Some(transport) => transport.cname.get_or_insert(given).clone(),
            None => given,
        }
    }

    pub(super) fn pause_producer(
        &mut self,
        room: RoomKey,
        session: SessionId,
        id: ProducerId,
    ) -> Result<Reply, ErrorBody> {
        if let Some(user) = self.set_producer_paused(room, session, id, true)? {
            let event = Event::ProducerPaused { producer: id, user, session };
            self.tell(room, Audience::Except(session), event);
        }
        Ok(Reply::ProducerPaused { producer: id })
    }

    pub(super) fn resume_producer(
        &mut self,
        room: RoomKey,
        session: SessionId,
        id: ProducerId,
        now: Instant,
    ) -> Result<Reply, ErrorBody> {
        let key = self.owned_producer(room, session, id)?;
        if self.producers.get(key).is_some_and(|producer| producer.paused) {
            self.charge_follow_ups(room, session, limits::FOLLOW_UPS_PER_RESUME, now)?;
        }
        if let Some(user) = self.set_producer_paused(room, session, id, false)? {
            let event = Event::ProducerResumed { producer: id, user, session };
            self.tell(room, Audience::Except(session), event);
            self.want_key_frames_of_all(key, now);
        }
        Ok(Reply::ProducerResumed { producer: id })
    }

    /// The owner's user id if this changed anything.
    fn set_producer_paused(
        &mut self,
        room: RoomKey,
        session: SessionId,
        id: ProducerId,
        paused: bool,
    ) -> Result<Option<railgun_shared::ids::UserId>, ErrorBody> {
        let key = self.owned_producer(room, session, id)?;
        if !self.pause(key, paused) {
            return Ok(None);
        }
        Ok(Some(self.session(room, session)?.user.clone()))
    }

    /// Whether this changed anything.
    pub(super) fn pause(&mut self, key: ProducerKey, paused: bool) -> bool {
        let Some(producer) = self.producers.get_mut(key).filter(|it| it.paused != paused) else {
            return false;
        };
        producer.paused = paused;
        producer.meter = producer.meter.is_some().then(LevelMeter::default);
        for consumer in &producer.consumers {
            if let Some(consumer) = self.consumers.get_mut(*consumer) {
                consumer.interrupt();
            }
        }
        true
    }

    pub(super) fn close_producer(
        &mut self,
        room: RoomKey,
        session: SessionId,
        id: ProducerId,
    ) -> Result<Reply, ErrorBody> {
        let key = self.owned_producer(room, session, id)?;
        self.remove_producer(room, key, Audience::Except(session));
        Ok(Reply::ProducerClosed { producer: id })
    }

    fn owned_producer(
        &self,
        room: RoomKey,
        session: SessionId,
        id: ProducerId,
    ) -> Result<ProducerKey, ErrorBody> {
        let seat = self.session(room, session)?;
        let is_it = |key: &&ProducerKey| self.producers.get(**key).is_some_and(|it| it.id == id);
        seat.producers.iter().find(is_it).copied().ok_or_else(refusal::not_found)
    }

    /// Takes a producer and its consumers out of every table, and tells about it.
    pub(crate) fn remove_producer(&mut self, room: RoomKey, key: ProducerKey, audience: Audience) {
        self.remove_producer_because(room, key, audience, None);
    }

    pub(crate) fn remove_producer_because(
        &mut self,
        room: RoomKey,
        key: ProducerKey,
        audience: Audience,
        reason: Option<&str>,
    ) {
        let Some(producer) = self.producers.remove(key) else { return };
        for consumer in &producer.consumers {
            let closed = self.consumers.get(*consumer).map(|consumer| (consumer.session, consumer.id));
            if let Some((session, consumer)) = closed {
                let reason = membership::PRODUCER_CLOSED.into();
                self.tell(room, Audience::Only(session), Event::ConsumerClosed { consumer, reason });
            }
            self.remove_consumer(*consumer);
        }
        if let Some(transport) = self.transports.get_mut(producer.transport) {
            transport.forget_producer(key);
        }
        let Ok(seat) = self.session_mut(room, producer.session) else { return };
        seat.producers.retain(|other| *other != key);
        let (id, user, session) = (producer.id, seat.user.clone(), producer.session);
        self.free_slot_of(room, session, producer.source);
        let reason = reason.map(str::to_owned);
        self.tell(room, audience, Event::ProducerClosed { producer: id, user, session, reason });
    }
}

fn answers_nacks(parameters: &RtpParameters) -> bool {
    let mut feedback = parameters.codecs.iter().flat_map(|codec| &codec.rtcp_feedback);
    feedback.any(|feedback| feedback.kind == "nack" && feedback.parameter.is_empty())
}
