//! The codecs and header extensions a router can offer.

use crate::rtp_parameters::{
    CodecParameters, Direction, MediaKind, RtcpFeedback, RtpHeaderExtensionCapability, extension_uri,
};
use serde_json::{Value, json};

/// A codec the node can forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaCodec {
    /// RFC 7587.
    Opus,
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RFC 6184.
    H264,
    /// The RTP payload format of the Alliance for Open Media.
    Av1,
}

/// What this version advertises.
pub const DEFAULT_CODECS: [MediaCodec; 5] =
    [MediaCodec::Opus, MediaCodec::Vp8, MediaCodec::Vp9, MediaCodec::H264, MediaCodec::Av1];

impl MediaCodec {
    /// As SDP and mediasoup spell it.
    pub const fn mime_type(self) -> &'static str {
        match self {
            Self::Opus => "audio/opus",
            Self::Vp8 => "video/VP8",
            Self::Vp9 => "video/VP9",
            Self::H264 => "video/H264",
            Self::Av1 => "video/AV1",
        }
    }

    /// Audio or video.
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::Opus => MediaKind::Audio,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::Av1 => MediaKind::Video,
        }
    }

    /// In Hz.
    pub(super) const fn clock_rate(self) -> u32 {
        match self.kind() {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        }
    }

    /// RFC 7587 §7: opus is always offered with two channels, whatever is sent.
    pub(super) const fn channels(self) -> Option<u8> {
        match self.kind() {
            MediaKind::Audio => Some(2),
            MediaKind::Video => None,
        }
    }

    pub(super) fn parameters(self, audio_max_bitrate: u32) -> CodecParameters {
        match self {
            Self::Opus => parameters(&[
                ("stereo", json!(0)),
                ("sprop-stereo", json!(0)),
                ("useinbandfec", json!(1)),
                ("usedtx", json!(1)),
                ("maxaveragebitrate", json!(audio_max_bitrate)),
            ]),
            Self::Vp9 => parameters(&[("profile-id", json!(0))]),
            Self::H264 => parameters(&[
                ("packetization-mode", json!(1)),
                ("profile-level-id", json!("42e01f")),
                ("level-asymmetry-allowed", json!(1)),
            ]),
            Self::Vp8 | Self::Av1 => CodecParameters::new(),
        }
    }

    pub(super) fn feedback(self) -> Vec<RtcpFeedback> {
        let names: &[(&str, &str)] = match self.kind() {
            MediaKind::Audio => &[("nack", ""), ("transport-cc", "")],
            MediaKind::Video => {
                &[("nack", ""), ("nack", "pli"), ("ccm", "fir"), ("goog-remb", ""), ("transport-cc", "")]
            }
        };
        names
            .iter()
            .map(|(kind, parameter)| RtcpFeedback { kind: (*kind).into(), parameter: (*parameter).into() })
            .collect()
    }
}

fn parameters(pairs: &[(&str, Value)]) -> CodecParameters {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// The router's own header extension ids, the same in every room. 6, 7 and 9 stay free: older
/// routers of the same contract gave them to extensions that are gone.
pub mod extension_id {
    /// RFC 9143.
    pub const MID: u8 = 1;
    /// RFC 8852.
    pub const RTP_STREAM_ID: u8 = 2;
    /// RFC 8852: the stream that a retransmission repairs.
    pub const REPAIRED_RTP_STREAM_ID: u8 = 3;
    /// Send time in 1/64 s modulo 64 s, 24 bits.
    pub const ABS_SEND_TIME: u8 = 4;
    /// Transport-wide sequence number, 16 bits.
    pub const TRANSPORT_WIDE_CC: u8 = 5;
    /// AV1's, which names the layers of a frame outside the encrypted payload.
    pub const DEPENDENCY_DESCRIPTOR: u8 = 8;
    /// RFC 6464.
    pub const AUDIO_LEVEL: u8 = 10;
    /// 3GPP TS 26.114, coordination of video orientation.
    pub const VIDEO_ORIENTATION: u8 = 11;
    /// RFC 5450.
    pub const TRANSMISSION_OFFSET: u8 = 12;
    /// When the frame was captured, by the sender's clock.
    pub const ABS_CAPTURE_TIME: u8 = 13;
    /// The least and the most time that a receiver should buffer.
    pub const PLAYOUT_DELAY: u8 = 14;
}

/// Header extensions by the router's id: for audio, for video, or for both. Directions are the
/// router's: what it only receives is never sent on to a consumer.
pub(super) fn header_extensions() -> Vec<RtpHeaderExtensionCapability> {
    use Direction::{RecvOnly, SendRecv};
    const OFF: Option<Direction> = None;
    let table: [(u8, &str, Option<Direction>, Option<Direction>); 11] = [
        (extension_id::MID, extension_uri::MID, Some(SendRecv), Some(SendRecv)),
        (extension_id::RTP_STREAM_ID, extension_uri::RTP_STREAM_ID, OFF, Some(RecvOnly)),
        (extension_id::REPAIRED_RTP_STREAM_ID, extension_uri::REPAIRED_RTP_STREAM_ID, OFF, Some(RecvOnly)),
        (extension_id::ABS_SEND_TIME, extension_uri::ABS_SEND_TIME, Some(SendRecv), Some(SendRecv)),
        (extension_id::TRANSPORT_WIDE_CC, extension_uri::TRANSPORT_WIDE_CC, Some(RecvOnly), Some(SendRecv)),
        (extension_id::DEPENDENCY_DESCRIPTOR, extension_uri::DEPENDENCY_DESCRIPTOR, OFF, Some(RecvOnly)),
        (extension_id::AUDIO_LEVEL, extension_uri::AUDIO_LEVEL, Some(SendRecv), OFF),
        (extension_id::VIDEO_ORIENTATION, extension_uri::VIDEO_ORIENTATION, OFF, Some(SendRecv)),
        (extension_id::TRANSMISSION_OFFSET, extension_uri::TRANSMISSION_OFFSET, OFF, Some(SendRecv)),
        (extension_id::ABS_CAPTURE_TIME, extension_uri::ABS_CAPTURE_TIME, Some(SendRecv), Some(SendRecv)),
        (extension_id::PLAYOUT_DELAY, extension_uri::PLAYOUT_DELAY, Some(SendRecv), Some(SendRecv)),
    ];
    let mut extensions = Vec::new();
    for (id, uri, audio, video) in table {
        for (kind, direction) in [(MediaKind::Audio, audio), (MediaKind::Video, video)] {
            extensions.extend(direction.map(|direction| RtpHeaderExtensionCapability {
                kind,
                uri: uri.into(),
                preferred_id: id,
                preferred_encrypt: false,
                direction,
            }));
        }
    }
    extensions
}
