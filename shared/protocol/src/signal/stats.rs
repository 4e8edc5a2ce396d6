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

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Stats {
    pub transports: Vec<TransportStats>,
    pub producers: Vec<ProducerStats>,
    pub consumers: Vec<ConsumerStats>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct TransportStats {
    pub transport_id: TransportId,
    pub direction: TransportDirection,
    pub ice: IceState,
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
    pub packets: u64,
    pub bytes: u64,
    pub bitrate: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ProducerStats {
    pub producer_id: ProducerId,
    pub kind: MediaKind,
    pub source: Source,
    #[serde(rename = "type")]
    pub stream_type: StreamType,
    pub paused: bool,
    /// Of its best stream.
    pub score: u8,
    /// The highest spatial layer that anyone receives or wants; absent: nobody, or it is audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_spatial_layer: Option<u8>,
    /// Packets dropped because it sent more than it may.
    pub policed_packets: u64,
    /// Simulcast layers that came so far, lowest first; one stream otherwise.
    pub streams: Vec<ProducerStreamStats>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ProducerStreamStats {
    pub ssrc: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtx_ssrc: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Its place among the producer's encodings, the lowest 0.
    pub encoding: u8,
    pub received: TrafficStats,
    pub score: u8,
    /// Before repair; negative if more came twice than was lost (RFC 3550 section 6.4.1).
    pub packets_lost: i32,
    /// Of the last second.
    pub fraction_lost: f64,
    pub jitter_ms: f64,
    /// Packets that the sender was asked for again, each time counted.
    pub nacked_packets: u64,
    /// Packets that were missing and came by retransmission.
    pub repaired_packets: u64,
    /// Key frames that the sender was asked for.
    pub plis: u64,
    /// The highest layers inside the stream that were seen.
    pub highest_spatial_layer: u8,
    pub highest_temporal_layer: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ConsumerStats {
    pub consumer_id: ConsumerId,
    pub producer_id: ProducerId,
    pub kind: MediaKind,
    pub ssrc: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtx_ssrc: Option<u32>,
    pub paused: bool,
    pub producer_paused: bool,
    pub priority: u8,
    pub score: u8,
    /// Media alone, without what was sent again.
    pub sent: TrafficStats,
    /// Retransmissions; no bitrate is measured.
    pub resent: TrafficStats,
    /// Packets that the client asked for again, each time counted, whether or not it got them.
    pub nacked_packets: u64,
    /// Key frames that the client asked for, by PLI, FIR or request.
    pub plis: u64,
    /// By the client's last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets_lost: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction_lost: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<f64>,
    /// What it gets; absent for audio, and for video before the next key frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_layers: Option<ConsumerLayers>,
    /// What it asked for; absent: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_layers: Option<ConsumerLayers>,
}
