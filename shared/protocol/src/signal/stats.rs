//! What `voice:rtc:getStats` answers: a session's own transports, producers and consumers as the node
//! sees them.
//!
//! Counts are of the object's whole life. Bitrates are of the last full second, in bits per second. The
//! bytes of a transport are whole datagrams; of a producer or consumer, payloads alone. Fractions go from 0 to 1, scores from 0 to 10. What was not measured yet
//! is absent.

use super::client_event::ConsumerLayers;
use super::source::Source;
use crate::ids::{ConsumerId, ProducerId, TransportId};
use crate::rtp_parameters::{MediaKind, StreamType};
use crate::transport_parameters::{DtlsState, IceState, TransportDirection};
use serde::{Deserialize, Serialize};

/// Everything that one session owns, or one transport and what runs over it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Stats {
    /// The session's transports.
    pub transports: Vec<TransportStats>,
    /// The session's producers.
    pub producers: Vec<ProducerStats>,
    /// The session's consumers.
    pub consumers: Vec<ConsumerStats>,
}

/// A transport and its traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct TransportStats {
    /// The transport's id.
    pub transport_id: TransportId,
    /// `send` or `recv`, as the client sees it.
    pub direction: TransportDirection,
    /// State of the ICE connection.
    pub ice: IceState,
    /// State of the DTLS association.
    pub dtls: DtlsState,
    /// RTP and RTCP from the client that was authentic.
    pub received: TrafficStats,
    /// RTP and RTCP to the client.
    pub sent: TrafficStats,
    /// By the client's reports, or by how soon it answers a NACK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// What the client's link is held to take, while it takes less than it is to get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_bitrate: Option<u64>,
}

/// Packets, and the bytes in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct TrafficStats {
    /// How many packets.
    pub packets: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Bits per second over the last full second.
    pub bitrate: u64,
}

/// What the node receives of a producer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ProducerStats {
    /// The producer's id.
    pub producer_id: ProducerId,
    /// `audio` or `video`.
    pub kind: MediaKind,
    /// What is captured: microphone, camera, screen or the screen's sound.
    pub source: Source,
    /// `simple`, `simulcast` or `svc`.
    #[serde(rename = "type")]
    pub stream_type: StreamType,
    /// True while nothing of it is forwarded.
    pub paused: bool,
    /// Score of the producer's best stream, 0 to 10.
    pub score: u8,
    /// The highest spatial layer that anyone receives or wants; absent: nobody, or it is audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_spatial_layer: Option<u8>,
    /// Packets dropped because it sent more than it may.
    pub policed_packets: u64,
    /// Simulcast layers that came so far, lowest first; one stream otherwise.
    pub streams: Vec<ProducerStreamStats>,
}

/// One RTP stream of a producer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ProducerStreamStats {
    /// SSRC of the media (RFC 3550 section 8).
    pub ssrc: u32,
    /// SSRC of its retransmissions (RFC 4588); absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtx_ssrc: Option<u32>,
    /// RTP stream id of a simulcast layer (RFC 8852); absent without simulcast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Index among the producer's encodings, the lowest 0.
    pub encoding: u8,
    /// Media alone, without what was sent again.
    pub received: TrafficStats,
    /// How well it comes through, from 0 (not at all) to 10.
    pub score: u8,
    /// Before repair; negative if more came twice than was lost (RFC 3550 section 6.4.1).
    pub packets_lost: i32,
    /// Part of the packets lost in the last second, 0 to 1.
    pub fraction_lost: f64,
    /// Interarrival jitter (RFC 3550 section 6.4.1), in milliseconds.
    pub jitter_ms: f64,
    /// How much later packets come than the soonest of the last minutes, the mean in milliseconds: queues on the way up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<f64>,
    /// Packets that the sender was asked for again, each time counted.
    pub nacked_packets: u64,
    /// Packets that were missing and came by retransmission.
    pub repaired_packets: u64,
    /// Key frames that the sender was asked for.
    pub plis: u64,
    /// The highest layers inside the stream that were seen.
    pub highest_spatial_layer: u8,
    /// The highest temporal layer inside the stream that was seen.
    pub highest_temporal_layer: u8,
}

/// What the node sends of a consumer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ConsumerStats {
    /// The consumer's id.
    pub consumer_id: ConsumerId,
    /// The producer's id.
    pub producer_id: ProducerId,
    /// `audio` or `video`.
    pub kind: MediaKind,
    /// SSRC of the media, chosen by the node.
    pub ssrc: u32,
    /// SSRC of its retransmissions (RFC 4588); absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtx_ssrc: Option<u32>,
    /// True while its client has it paused.
    pub paused: bool,
    /// True while the producer is paused, so that nothing comes whatever the consumer does.
    pub producer_paused: bool,
    /// 1 (first to lose its layers) to 255 (last).
    pub priority: u8,
    /// How well it comes through, from 0 (not at all) to 10.
    pub score: u8,
    /// Media alone, without what was sent again.
    pub sent: TrafficStats,
    /// Retransmissions; no bitrate is measured.
    pub resent: TrafficStats,
    /// Packets that the client asked for again, each time counted, whether or not it got them.
    pub nacked_packets: u64,
    /// Key frames that the client asked for, by PLI, FIR or request.
    pub plis: u64,
    /// By the client's last report; of audio with what was sent again, which a report counts as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets_lost: Option<i32>,
    /// Sequence numbers without a packet, because none came from the producer's client; clients take them for lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped_packets: Option<u64>,
    /// Part of the packets that was lost by the client's last report, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction_lost: Option<f64>,
    /// Interarrival jitter by the client's last report, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<f64>,
    /// Layers that the consumer gets; absent for audio, and for video before the next key frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_layers: Option<ConsumerLayers>,
    /// Layers that the client asked for; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_layers: Option<ConsumerLayers>,
}
