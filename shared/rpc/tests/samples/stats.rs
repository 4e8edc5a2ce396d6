//! Statistics in which no field is absent, nor at its default.

use super::ids::{consumer, layers, producer, transport};
use railgun_protocol::rtp_parameters::{MediaKind, StreamType};
use railgun_protocol::signal::{
    ConsumerStats, ProducerStats, ProducerStreamStats, Source, Stats, TrafficStats, TransportStats,
};
use railgun_protocol::transport_parameters::{DtlsState, IceState, TransportDirection};

fn traffic(packets: u64) -> TrafficStats {
    TrafficStats { packets, bytes: u64::MAX, bitrate: 64_000 }
}

pub(super) fn full() -> Stats {
    Stats {
        transports: vec![TransportStats {
            transport_id: transport(),
            direction: TransportDirection::Recv,
            ice: IceState::Completed,
            dtls: DtlsState::Connected,
            received: traffic(1),
            sent: traffic(2),
            round_trip_ms: Some(12.5),
            available_bitrate: Some(300_000),
        }],
        producers: vec![ProducerStats {
            producer_id: producer(),
            kind: MediaKind::Video,
            source: Source::Screen,
            stream_type: StreamType::Simulcast,
            paused: true,
            score: 7,
            max_spatial_layer: Some(1),
            policed_packets: 3,
            streams: vec![ProducerStreamStats {
                ssrc: u32::MAX,
                rtx_ssrc: Some(5),
                rid: Some("r1".into()),
                encoding: 1,
                received: traffic(4),
                score: 8,
                packets_lost: -2,
                fraction_lost: 0.25,
                jitter_ms: 1.5,
                delay_ms: Some(3.5),
                nacked_packets: 9,
                repaired_packets: 8,
                plis: 7,
                highest_spatial_layer: 2,
                highest_temporal_layer: 1,
            }],
        }],
        consumers: vec![ConsumerStats {
            consumer_id: consumer(),
            producer_id: producer(),
            kind: MediaKind::Video,
            ssrc: 1,
            rtx_ssrc: Some(2),
            paused: true,
            producer_paused: true,
            priority: 255,
            score: 3,
            sent: traffic(5),
            resent: traffic(6),
            nacked_packets: 11,
            plis: 12,
            packets_lost: Some(13),
            skipped_packets: Some(14),
            fraction_lost: Some(0.5),
            jitter_ms: Some(2.0),
            current_layers: Some(layers()),
            preferred_layers: Some(layers()),
        }],
    }
}
