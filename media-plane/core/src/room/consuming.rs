//! Consumers: created, paused, resumed, closed.

use super::consumer::{Asked, Consumer, ConsumerExtensions, RtxStream, Sent};
use super::refusal;
use crate::arena::{ConsumerKey, ProducerKey, RoomKey, TransportKey};
use crate::codec::vp8::rewriter::Vp8Rewriter;
use crate::engine::Engine;
use crate::feedback::delivery::Delivery;
use crate::feedback::score::StreamScore;
use crate::packet_path::select::{Layers, Selection};
use crate::packet_path::sequence::SequenceMap;
use railgun_shared::ids::{ConsumerId, ProducerId, SessionId, TransportId};
use railgun_shared::limits;
use railgun_shared::media_rpc::{Audience, ConsumerDescription, Event, Reply};
use railgun_shared::ortc::{self, ConsumerStream};
use railgun_shared::rtp_parameters::{MediaKind, RtpCapabilities};
use railgun_shared::signal::{ConsumerLayers, ErrorBody};
use railgun_shared::transport_parameters::TransportDirection;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Instant;

impl Engine {
    pub(super) fn consume(
        &mut self,
        room: RoomKey,
        session: SessionId,
        transport: Option<TransportId>,
        producer: ProducerId,
        capabilities: Option<RtpCapabilities>,
        now: Instant,
    ) -> Result<Reply, ErrorBody> {
        let transport = self.receiving_transport(room, session, transport)?;
        let producer_key = self.producer_in(room, producer)?;
        let seat = self.session(room, session)?;
        let capabilities = match capabilities {
            Some(capabilities) => {
                ortc::validate_capabilities(&capabilities).map_err(ErrorBody::from)?;
                Arc::new(capabilities)
            }
            // Checked at the join.
            None => seat
                .rtp_capabilities
                .clone()
                .ok_or_else(|| refusal::invalid_payload("rtpCapabilities were never given"))?,
        };
        let Some(source) = self.producers.get(producer_key) else { return Err(refusal::not_found()) };
        let is_diagnostics = self.rooms.get(room).is_some_and(|room| room.ends_at.is_some());
        if source.session == session && !is_diagnostics {
            return Err(refusal::invalid_state("this is the session's own producer"));
        }
        let stream = self.new_stream(transport, producer_key)?;
        let Some(source) = self.producers.get(producer_key) else { return Err(refusal::not_found()) };
        let (ssrc, rtx_ssrc, cname) = (stream.ssrc, stream.rtx_ssrc, source.cname.clone());
        let parameters =
            ortc::consumer_parameters(&source.consumable, &capabilities, stream, source.stream_type)
                .map_err(ErrorBody::from)?;
        let (kind, is_video) = (source.kind, source.kind == MediaKind::Video);
        self.replace_consumer_of(room, session, producer_key)?;
        let id = ConsumerId::from_bits(self.random_bits());
        let [a, b, c, d, ..] = self.random_bits().to_be_bytes();
        let rtx = RtxStream::new(&parameters, rtx_ssrc, u16::from_be_bytes([a, b]), now);
        let key = self.consumers.insert(Consumer {
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
            told_score: None,
            told_layers: None,
            ssrc,
            cname,
            clock_rate: parameters.codecs.first().map_or(0, |codec| codec.clock_rate),
            extensions: ConsumerExtensions::new(&parameters),
            selection: Selection::new(is_video),
            sequence: SequenceMap::new(u16::from_be_bytes([c, d])),
            vp8: Vp8Rewriter::default(),
            rtx,
            sent: Sent::default(),
        });
        if let Some(transport) = self.transports.get_mut(transport) {
            transport.next_mid += 1;
            transport.consumers.push(key);
        }
        self.session_mut(room, session)?.consumers.push(key);
        let Some(source) = self.producers.get_mut(producer_key) else { return Err(refusal::not_found()) };
        source.consumers.push(key);
        let (sender, stream_type) = (source.session, source.stream_type);
        let (source_name, producer_paused) = (source.source, source.paused);
        Ok(Reply::Consumed(Box::new(ConsumerDescription {
            consumer: id,
            producer,
            user: self.session(room, sender)?.user.clone(),
            session: sender,
            kind,
            source: source_name,
            stream_type,
            rtp_parameters: parameters,
            producer_paused,
        })))
    }

    fn receiving_transport(
        &self,
        room: RoomKey,
        session: SessionId,
        id: Option<TransportId>,
    ) -> Result<TransportKey, ErrorBody> {
        let key = match id {
            Some(id) => self.owned_transport(room, session, id)?,
            None => self
                .session(room, session)?
                .recv
                .ok_or_else(|| refusal::invalid_state("there is no receiving transport"))?,
        };
        let Some(transport) = self.transports.get(key) else { return Err(refusal::not_found()) };
        if transport.direction != TransportDirection::Recv {
            return Err(refusal::invalid_state("the transport is not a receiving one"));
        }
        // One that only lost its path may get it back.
        if transport.is_over() { Err(refusal::transport_failed()) } else { Ok(key) }
    }

    /// A client that asks again has dropped what it had: the contract has no request to close one.
    fn replace_consumer_of(
        &mut self,
        room: RoomKey,
        session: SessionId,
        producer: ProducerKey,
    ) -> Result<(), ErrorBody> {
        let seat = self.session(room, session)?;
        let consumes =
            |key: &&ConsumerKey| self.consumers.get(**key).is_some_and(|it| it.producer == producer);
        let older = seat.consumers.iter().find(consumes).copied();
        if older.is_none() && seat.consumers.len() >= limits::CONSUMERS_PER_SESSION {
            return Err(refusal::invalid_state("too many consumers"));
        }
        if let Some(older) = older
            && let Some(consumer) = self.consumers.get(older).map(|consumer| consumer.id)
        {
            let reason = "replaced".into();
            self.tell(room, Audience::Only(session), Event::ConsumerClosed { consumer, reason });
            self.remove_consumer(older);
        }
        Ok(())
    }

    /// Names that nothing on the transport ever had.
    fn new_stream(
        &mut self,
        transport: TransportKey,
        producer: ProducerKey,
    ) -> Result<ConsumerStream, ErrorBody> {
        let Some(entry) = self.transports.get_mut(transport) else { return Err(refusal::not_found()) };
        let mid = entry.next_mid.to_string();
        let cname = self.producers.get(producer).map(|producer| producer.cname.clone());
        let cname = cname.ok_or_else(refusal::not_found)?;
        // Only a new transport, with a new key, can have more.
        let ssrc = entry.next_consumer_ssrc().ok_or_else(refusal::transport_failed)?;
        Ok(ConsumerStream { mid, ssrc, rtx_ssrc: ssrc + 1, cname })
    }

    pub(super) fn pause_consumer(
        &mut self,
        room: RoomKey,
        session: SessionId,
        id: ConsumerId,
    ) -> Result<Reply, ErrorBody> {
        let key = self.owned_consumer(room, session, id)?;
        if let Some(consumer) = self.consumers.get_mut(key) {
            consumer.paused = true;
            consumer.interrupt();
        }
        Ok(Reply::ConsumerPaused { consumer: id })
    }

    pub(super) fn resume_consumer(
        &mut self,
        room: RoomKey,
        session: SessionId,
        id: ConsumerId,
        now: Instant,
    ) -> Result<Reply, ErrorBody> {
        let key = self.owned_consumer(room, session, id)?;
        if let Some(consumer) = self.consumers.get_mut(key)
            && consumer.paused
        {
            consumer.paused = false;
            let producer = consumer.producer;
            self.want_key_frame_for(key, now);
            self.follow_demand(producer, now);
        }
        Ok(Reply::ConsumerResumed { consumer: id })
    }

    /// The highest layers to forward; what does not exist counts as the highest that does.
    pub(super) fn set_preferred_layers(
        &mut self,
        room: RoomKey,
        session: SessionId,
        id: ConsumerId,
        layers: ConsumerLayers,
        now: Instant,
    ) -> Result<Reply, ErrorBody> {
        let key = self.owned_consumer(room, session, id)?;
        let Some(consumer) = self.consumers.get_mut(key) else { return Err(refusal::not_found()) };
        consumer.selection.prefer(Layers {
            spatial: layers.spatial_layer,
            temporal: layers.temporal_layer.unwrap_or(u8::MAX),
        });
        consumer.preferred_layers = Some(layers);
        let producer = consumer.producer;
        self.follow_layers_of(key, now);
        self.follow_demand(producer, now);
        Ok(Reply::PreferredLayersSet { consumer: id, layers })
    }

    pub(super) fn set_priority(
        &mut self,
        room: RoomKey,
        session: SessionId,
        id: ConsumerId,
        priority: NonZeroU8,
    ) -> Result<Reply, ErrorBody> {
        let key = self.owned_consumer(room, session, id)?;
        let Some(consumer) = self.consumers.get_mut(key) else { return Err(refusal::not_found()) };
        consumer.priority = priority;
        Ok(Reply::PrioritySet { consumer: id, priority })
    }

    pub(super) fn request_key_frame(
        &mut self,
        room: RoomKey,
        session: SessionId,
        id: ConsumerId,
        now: Instant,
    ) -> Result<Reply, ErrorBody> {
        let key = self.owned_consumer(room, session, id)?;
        if let Some(consumer) = self.consumers.get_mut(key) {
            consumer.asked.key_frames += 1;
        }
        self.want_key_frame_for(key, now);
        Ok(Reply::KeyFrameRequested { consumer: id })
    }

    fn owned_consumer(
        &self,
        room: RoomKey,
        session: SessionId,
        id: ConsumerId,
    ) -> Result<ConsumerKey, ErrorBody> {
        let seat = self.session(room, session)?;
        let is_it = |key: &&ConsumerKey| self.consumers.get(**key).is_some_and(|it| it.id == id);
        seat.consumers.iter().find(is_it).copied().ok_or_else(refusal::not_found)
    }

    /// Takes a consumer out of every table.
    pub(crate) fn remove_consumer(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.remove(key) else { return };
        if let Some(producer) = self.producers.get_mut(consumer.producer) {
            producer.consumers.retain(|other| *other != key);
        }
        if let Some(transport) = self.transports.get_mut(consumer.transport) {
            transport.consumers.retain(|other| *other != key);
        }
        if let Ok(seat) = self.session_mut(consumer.room, consumer.session) {
            seat.consumers.retain(|other| *other != key);
        }
    }
}
