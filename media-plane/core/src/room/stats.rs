//! `getStats`: a session's own transports, producers and consumers in numbers.

use super::owned;
use super::refusal::Refusal;
use super::table::RoomTable;
use crate::arena::{ConsumerKey, ProducerKey, RoomKey, TransportKey};
use crate::feedback_path::wanted_layers;
use crate::packet::rtcp::ReportBlock;
use crate::packet_path::consumer::Consumer;
use crate::packet_path::encoding::Encoding;
use crate::packet_path::producer::Producer;
use crate::packet_path::tables::MediaTables;
use crate::transport::stream::Stream;
use crate::transport::webrtc_transport::WebRtcTransport;
use railgun_protocol::ids::{SessionId, TransportId};
use railgun_protocol::media_rpc::Reply;
use railgun_protocol::rtp_parameters::MediaKind;
use railgun_protocol::signal::{
    ConsumerLayers, ConsumerStats, ProducerStats, ProducerStreamStats, Stats, TransportStats,
};
use std::time::Instant;

/// Statistics of one transport and what runs over it, or of everything that the session owns.
pub(super) fn get_stats(
    rooms: &RoomTable,
    media: &MediaTables,
    room: RoomKey,
    session: SessionId,
    transport: Option<TransportId>,
    now: Instant,
) -> Result<Reply, Refusal> {
    let seat = rooms.session(room, session)?;
    let only = transport.map(|id| owned::transport(rooms, media, room, session, id)).transpose()?;
    let is_asked = |key: TransportKey| only.is_none_or(|only| only == key);
    let transports = seat.transports().filter(|key| is_asked(*key));
    let producers = seat.producers.iter().filter_map(|key| producer_stats(media, *key, is_asked, now));
    let consumers = seat.consumers.iter().filter_map(|key| consumer_stats(media, *key, is_asked, now));
    Ok(Reply::Stats(Box::new(Stats {
        transports: transports.filter_map(|key| media.transports.live(key)).map(transport_stats).collect(),
        producers: producers.collect(),
        consumers: consumers.collect(),
    })))
}

fn producer_stats(
    media: &MediaTables,
    key: ProducerKey,
    is_asked: impl Fn(TransportKey) -> bool,
    now: Instant,
) -> Option<ProducerStats> {
    let producer = media.producers.live(key).filter(|it| is_asked(it.transport))?;
    let transport = media.transports.live(producer.transport)?;
    let own = transport.streams.iter().filter(|stream| stream.producer == key && !stream.is_rtx);
    let streams: Vec<_> = own.filter_map(|stream| stream_stats(stream, producer, now)).collect();
    Some(ProducerStats {
        producer_id: producer.id,
        kind: producer.kind,
        source: producer.source,
        stream_type: producer.stream_type,
        paused: producer.paused,
        score: streams.iter().map(|stream| stream.score).max().unwrap_or(0),
        max_spatial_layer: wanted_layers::highest_wanted(media, key),
        policed_packets: producer.policed_packets,
        streams,
    })
}

fn consumer_stats(
    media: &MediaTables,
    key: ConsumerKey,
    is_asked: impl Fn(TransportKey) -> bool,
    now: Instant,
) -> Option<ConsumerStats> {
    let consumer = media.consumers.live(key).filter(|it| is_asked(it.transport))?;
    let producer = media.producers.live(consumer.producer)?;
    let reported = consumer.last_report;
    let repeated = i32::try_from(consumer.repeated_packets()).unwrap_or(i32::MAX);
    Some(ConsumerStats {
        consumer_id: consumer.id,
        producer_id: producer.id,
        kind: producer.kind,
        ssrc: consumer.ssrc,
        rtx_ssrc: consumer.rtx.as_ref().map(|rtx| rtx.ssrc),
        paused: consumer.paused,
        producer_paused: producer.paused,
        priority: consumer.priority.get(),
        score: consumer.score.score(now),
        sent: consumer.sent.traffic.stats(),
        resent: consumer.asked.resent.stats(),
        nacked_packets: consumer.asked.packets,
        plis: consumer.asked.key_frames,
        packets_lost: reported.map(|block| block.total_lost.saturating_add(repeated)),
        skipped_packets: Some(consumer.skipped_packets()),
        fraction_lost: reported.map(|block| fraction_lost(&block)),
        jitter_ms: reported.map(|block| jitter_ms(&block, consumer.clock_rate)),
        current_layers: current_layers(consumer, producer),
        preferred_layers: consumer.preferred_layers,
    })
}

fn transport_stats(transport: &WebRtcTransport) -> TransportStats {
    TransportStats {
        transport_id: transport.id,
        direction: transport.direction,
        ice: transport.ice_state,
        dtls: transport.dtls_state,
        received: transport.received.stats(),
        sent: transport.sent.stats(),
        round_trip_ms: transport.round_trip.mean().map(|time| time.as_secs_f64() * 1_000.0),
        available_bitrate: match transport.receiver_link.as_deref().filter(|link| link.is_heard()) {
            // Of a link that takes everything the estimate says how much that is, and no more.
            Some(link) => link.is_more_wanted.then(|| link.estimator.estimate()),
            None => transport.link.limit(),
        },
    }
}

fn stream_stats(stream: &Stream, producer: &Producer, now: Instant) -> Option<ProducerStreamStats> {
    let encoding: &Encoding = producer.encoding(stream.encoding)?;
    let reported = stream.last_report.unwrap_or_default();
    Some(ProducerStreamStats {
        ssrc: stream.ssrc,
        rtx_ssrc: encoding.rtx_ssrc,
        rid: encoding.rid.clone(),
        encoding: stream.encoding,
        received: stream.received.stats(),
        score: stream.score.score(now),
        packets_lost: reported.total_lost,
        fraction_lost: fraction_lost(&reported),
        jitter_ms: jitter_ms(&reported, stream.clock_rate()),
        delay_ms: stream.reception.delay_ms(),
        nacked_packets: stream.nacked,
        repaired_packets: stream.repaired,
        plis: encoding.key_frames.sent(),
        highest_spatial_layer: encoding.highest_spatial(now),
        highest_temporal_layer: encoding.highest_temporal,
    })
}

fn current_layers(consumer: &Consumer, producer: &Producer) -> Option<ConsumerLayers> {
    let is_video = producer.kind == MediaKind::Video;
    consumer.selection.layers(producer).filter(|_| is_video).map(ConsumerLayers::from)
}

fn fraction_lost(block: &ReportBlock) -> f64 {
    f64::from(block.fraction_lost) / 256.0
}

fn jitter_ms(block: &ReportBlock, clock_rate: u32) -> f64 {
    f64::from(block.jitter) * 1_000.0 / f64::from(clock_rate.max(1))
}
