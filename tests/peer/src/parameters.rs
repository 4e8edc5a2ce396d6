//! What a client offers: payload types and extension ids of its own, unlike the router's.

use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_protocol::ortc::{self, MediaCodec};
use railgun_protocol::rtp_parameters::{
    MediaKind, RtcpFeedback, RtpCapabilities, RtpEncodingParameters, RtpParameters,
};
use railgun_protocol::signal::Source;
use serde_json::json;

/// One source as a client sends it.
#[derive(Clone, Debug)]
pub struct Offer {
    pub source: Source,
    pub mid: String,
    pub ssrc: u32,
    pub payload_type: u8,
    pub parameters: RtpParameters,
}

/// Header extension ids of the client's choice.
pub const MID_ID: u8 = 9;
pub const AUDIO_LEVEL_ID: u8 = 3;
pub const TRANSPORT_CC_ID: u8 = 6;
pub const RID_ID: u8 = 7;
pub const REPAIRED_RID_ID: u8 = 8;

const TRANSPORT_CC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

impl Offer {
    /// `number` makes MID and SSRC its own.
    pub fn new(source: Source, number: u32) -> Self {
        let (ssrc, mid) = (0x1000_0000 + number * 2, number.to_string());
        let (payload_type, codecs, extensions) = match source.kind() {
            MediaKind::Audio => (
                111,
                json!([{"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2,
                    "parameters": {"useinbandfec": 1, "usedtx": 1}, "rtcpFeedback": []}]),
                json!([{"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": MID_ID},
                    {"uri": "urn:ietf:params:rtp-hdrext:ssrc-audio-level", "id": AUDIO_LEVEL_ID},
                    {"uri": TRANSPORT_CC, "id": TRANSPORT_CC_ID}]),
            ),
            MediaKind::Video => (
                96,
                json!([{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000, "parameters": {},
                    "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"},
                    {"type": "transport-cc"}]},
                    {"mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000,
                    "parameters": {"apt": 96}, "rtcpFeedback": []}]),
                json!([{"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": MID_ID},
                    {"uri": "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "id": RID_ID},
                    {"uri": "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id", "id": REPAIRED_RID_ID},
                    {"uri": TRANSPORT_CC, "id": TRANSPORT_CC_ID}]),
            ),
        };
        let encoding = match source.kind() {
            MediaKind::Audio => json!({"ssrc": ssrc}),
            MediaKind::Video => json!({"ssrc": ssrc, "rtx": {"ssrc": ssrc + 1}}),
        };
        let parameters = json!({"mid": mid, "codecs": codecs, "headerExtensions": extensions,
            "encodings": [encoding], "rtcp": {"cname": "peer"}});
        let parameters = serde_json::from_value(parameters).expect("the offer's own JSON");
        Self { source, mid, ssrc, payload_type, parameters }
    }

    /// The header of its packet with this index: roll-over counter and sequence number.
    pub fn header(&self, index: u64, timestamp: u32, marker: bool) -> HeaderWriter {
        let [.., high, low] = index.to_be_bytes();
        HeaderWriter {
            marker,
            payload_type: self.payload_type,
            sequence: u16::from_be_bytes([high, low]),
            timestamp,
            ssrc: self.ssrc,
        }
    }

    /// The same of a client that negotiated congestion control feedback (RFC 8888): each codec lists it, RTX among them.
    pub fn with_ccfb(mut self) -> Self {
        self.parameters.codecs.iter_mut().for_each(|codec| codec.rtcp_feedback.push(RtcpFeedback::ccfb()));
        self
    }

    /// A camera in so many layers, r0 the lowest, whose SSRCs are learnt from their RIDs.
    pub fn simulcast(number: u32, layers: u8) -> Self {
        let mut offer = Self::new(Source::Camera, number);
        let layer = |layer| RtpEncodingParameters {
            rid: Some(format!("r{layer}")),
            scalability_mode: Some("L1T1".into()),
            ..RtpEncodingParameters::default()
        };
        offer.parameters.encodings = (0..layers).map(layer).collect();
        offer
    }
}

/// What a browser can receive, as far as this node forwards it.
pub fn capabilities() -> RtpCapabilities {
    capabilities_of(&[MediaCodec::Opus, MediaCodec::Vp8])
}

/// The same with each codec that this node forwards.
pub fn all_capabilities() -> RtpCapabilities {
    capabilities_of(&ortc::DEFAULT_CODECS)
}

/// [`capabilities`] of a browser that reports by SSRC (RFC 8888).
pub fn ccfb_capabilities() -> RtpCapabilities {
    let mut capabilities = capabilities();
    ortc::offer_ccfb(&mut capabilities);
    capabilities
}

fn capabilities_of(codecs: &[MediaCodec]) -> RtpCapabilities {
    let mut capabilities = ortc::router_rtp_capabilities(codecs, 64_000);
    for extension in &mut capabilities.header_extensions {
        extension.direction = Default::default();
    }
    capabilities
}
