//! RTP capabilities and parameters as mediasoup-client sends and reads them (the ORTC dictionaries).
//!
//! Unknown fields are ignored at every depth. Lists and strings are bounded by [`crate::limits`];
//! `ortc` refuses what exceeds them.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a track is, and with it its codecs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Speech, and the sound of a shared screen.
    Audio,
    /// Camera and screen.
    Video,
}

/// What a router or a client can receive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCapabilities {
    /// In the order of preference.
    #[serde(default)]
    pub codecs: Vec<RtpCodecCapability>,
    /// Which can be asked for; an id is a proposal.
    #[serde(default)]
    pub header_extensions: Vec<RtpHeaderExtensionCapability>,
}

/// One codec of one side's capabilities, `rtx` among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCodecCapability {
    /// Which part of the session it belongs to.
    pub kind: MediaKind,
    /// Type and name as SDP has them, such as `video/VP8`; compared without case.
    pub mime_type: String,
    /// Absent: the other side chooses. RTX names this number in its `apt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_payload_type: Option<u8>,
    /// Clock rate of RTP timestamps, in Hz.
    pub clock_rate: u32,
    /// Audio only; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// What narrows it, such as H264's `profile-level-id`.
    #[serde(default)]
    pub parameters: CodecParameters,
    /// Which RTCP messages may be sent about it.
    #[serde(default)]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// The `a=fmtp` of a codec: numbers and strings as the client wrote them.
pub type CodecParameters = BTreeMap<String, Value>;

/// One `a=rtcp-fb` of SDP (RFC 4585), such as `nack pli`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtcpFeedback {
    /// The first word: `nack`, `ccm`, `transport-cc`, `goog-remb`, `ack`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The second; empty if there is none.
    #[serde(default)]
    pub parameter: String,
}

impl RtcpFeedback {
    /// `ack ccfb`: congestion control feedback by SSRC and sequence number (RFC 8888 section 6).
    pub fn ccfb() -> Self {
        Self { kind: "ack".into(), parameter: "ccfb".into() }
    }

    /// Whether it is [`Self::ccfb`].
    pub fn is_ccfb(&self) -> bool {
        self.kind == "ack" && self.parameter == "ccfb"
    }
}

/// Which ways an extension goes, as seen from whose capabilities these are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Written and read.
    #[default]
    SendRecv,
    /// Written only: what is received is not looked at.
    SendOnly,
    /// Read only: never sent on to a consumer.
    RecvOnly,
    /// Neither.
    Inactive,
}

/// A header extension (RFC 8285) that one side can handle for one kind of media.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpHeaderExtensionCapability {
    /// Audio and video list it apart.
    pub kind: MediaKind,
    /// Which extension; [`extension_uri`] has those that the node knows.
    pub uri: String,
    /// 1 to 14, or to 255 with two-byte headers.
    pub preferred_id: u8,
    /// Whether RFC 6904 is wanted; the node never encrypts elements.
    #[serde(default)]
    pub preferred_encrypt: bool,
    /// Absent: both ways.
    #[serde(default)]
    pub direction: Direction,
}

/// How one producer sends, or how one consumer is sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpParameters {
    /// Media id (RFC 9143), which packets carry in a header extension. Unique on its transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid: Option<String>,
    /// Media codecs, and after each its `rtx`, if it is repaired by one.
    #[serde(default)]
    pub codecs: Vec<RtpCodecParameters>,
    /// With their ids on this transport.
    #[serde(default)]
    pub header_extensions: Vec<RtpHeaderExtensionParameters>,
    /// One; several for simulcast, the lowest quality first.
    #[serde(default)]
    pub encodings: Vec<RtpEncodingParameters>,
    /// CNAME and form of its RTCP.
    #[serde(default)]
    pub rtcp: RtcpParameters,
}

/// A codec as it is sent, with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCodecParameters {
    /// As in [`RtpCodecCapability::mime_type`].
    pub mime_type: String,
    /// RTP payload type, 0 to 127 but for those that would look like RTCP (RFC 5761).
    pub payload_type: u8,
    /// Clock rate of RTP timestamps, in Hz.
    pub clock_rate: u32,
    /// Audio only; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// As negotiated; `apt` of an `rtx` names the payload type that it repairs.
    #[serde(default)]
    pub parameters: CodecParameters,
    /// Which RTCP messages may be sent about it.
    #[serde(default)]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// A header extension as it is sent, with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpHeaderExtensionParameters {
    /// Which extension.
    pub uri: String,
    /// 1 to 14, or to 255 with two-byte headers.
    pub id: u8,
    /// RFC 6904, which the node does not do.
    #[serde(default)]
    pub encrypt: bool,
    /// Rarely anything.
    #[serde(default)]
    pub parameters: CodecParameters,
}

/// One stream of a producer or consumer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpEncodingParameters {
    /// Absent for a producer that is known by its `rid`, as in simulcast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<u32>,
    /// RTP stream id (RFC 8852), which packets carry in a header extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Absent: the first media codec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec_payload_type: Option<u8>,
    /// The stream of its retransmissions (RFC 4588).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtx: Option<RtxParameters>,
    /// Whether silence is not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtx: Option<bool>,
    /// W3C webrtc-svc, such as `L1T3`; absent: one layer. [`crate::ortc::ScalabilityMode`] reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scalability_mode: Option<String>,
    /// How many times smaller than the source each side of the picture is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_resolution_down_by: Option<f64>,
    /// The sender's own limit in bits per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bitrate: Option<u64>,
}

/// The retransmissions of one encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtxParameters {
    /// SSRC of the retransmissions, which no other stream of the transport has.
    pub ssrc: u32,
}

/// RTCP of a producer or consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtcpParameters {
    /// An empty one is none: mediasoup-client sends that for simulcast, whose SDP names no source.
    #[serde(default, deserialize_with = "non_empty", skip_serializing_if = "Option::is_none")]
    pub cname: Option<String>,
    /// RFC 5506: compounds need no report in front.
    #[serde(default = "yes")]
    pub reduced_size: bool,
}

impl Default for RtcpParameters {
    fn default() -> Self {
        Self { cname: None, reduced_size: true }
    }
}

fn yes() -> bool {
    true
}

fn non_empty<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// Header extensions the node reads or writes, by their URI.
pub mod extension_uri {
    /// Media id (RFC 9143).
    pub const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
    /// RTP stream id (RFC 8852).
    pub const RTP_STREAM_ID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
    /// The RTP stream id that a retransmission repairs (RFC 8852).
    pub const REPAIRED_RTP_STREAM_ID: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
    /// Send time in 1/64 s modulo 64 s, 24 bits.
    pub const ABS_SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
    /// Transport-wide sequence number, 16 bits.
    pub const TRANSPORT_WIDE_CC: &str =
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
    /// AV1's description of a frame's layers.
    pub const DEPENDENCY_DESCRIPTOR: &str =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
    /// Loudness of a packet of audio in -dBov (RFC 6464).
    pub const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
    /// By how many quarters a picture is to be turned.
    pub const VIDEO_ORIENTATION: &str = "urn:3gpp:video-orientation";
    /// RFC 5450.
    pub const TRANSMISSION_OFFSET: &str = "urn:ietf:params:rtp-hdrext:toffset";
    /// When a frame was captured, by the sender's clock.
    pub const ABS_CAPTURE_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
    /// The least and the most time that a receiver should buffer.
    pub const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
}

/// How a consumer of this producer is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum StreamType {
    /// One stream of one layer: audio, and video without `scalabilityMode`.
    Simple,
    /// A stream for each layer; a consumer gets one of them at a time.
    Simulcast,
    /// Layers inside one stream; packets of higher ones are left out.
    Svc,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_cname_is_none() {
        let read =
            |cname: &str| serde_json::from_value::<RtcpParameters>(serde_json::json!({ "cname": cname }));
        assert_eq!(read("").ok().map(|rtcp| rtcp.cname), Some(None));
        assert_eq!(read("c").ok().map(|rtcp| rtcp.cname), Some(Some("c".to_owned())));
    }
}
