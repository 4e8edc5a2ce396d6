//! What a router offers.

use super::supported::{MediaCodec, header_extensions};
use crate::rtp_parameters::{CodecParameters, MediaKind, RtcpFeedback, RtpCapabilities, RtpCodecCapability};
use serde_json::json;

/// The router's capabilities with these codecs, each taken once and in this order, and RTX after
/// each video codec. `audio_max_bitrate` in bits per second is the caller's own ceiling: a client
/// puts it into its answer and so keeps to it.
///
/// Payload types go out in the order 100 to 127, 96 to 99.
pub fn router_rtp_capabilities(codecs: &[MediaCodec], audio_max_bitrate: u32) -> RtpCapabilities {
    let mut free = (100..=127).chain(96..=99);
    let mut offered: Vec<RtpCodecCapability> = Vec::new();
    for (index, codec) in codecs.iter().enumerate() {
        if codecs.iter().take(index).any(|earlier| earlier == codec) {
            continue;
        }
        let Some(payload_type) = free.next() else { break };
        offered.push(RtpCodecCapability {
            kind: codec.kind(),
            mime_type: codec.mime_type().into(),
            preferred_payload_type: Some(payload_type),
            clock_rate: codec.clock_rate(),
            channels: codec.channels(),
            parameters: codec.parameters(audio_max_bitrate),
            rtcp_feedback: codec.feedback(),
        });
        if codec.kind() == MediaKind::Video {
            offered.extend(free.next().map(|rtx| rtx_for(payload_type, rtx, codec.clock_rate())));
        }
    }
    RtpCapabilities { codecs: offered, header_extensions: header_extensions() }
}

/// Adds congestion control feedback (RFC 8888) to what a router offers of each codec, RTX among them: Chromium takes it for
/// a media section of which every codec has it.
pub fn offer_ccfb(capabilities: &mut RtpCapabilities) {
    capabilities.codecs.iter_mut().for_each(|codec| codec.rtcp_feedback.push(RtcpFeedback::ccfb()));
}

fn rtx_for(apt: u8, payload_type: u8, clock_rate: u32) -> RtpCodecCapability {
    RtpCodecCapability {
        kind: MediaKind::Video,
        mime_type: "video/rtx".into(),
        preferred_payload_type: Some(payload_type),
        clock_rate,
        channels: None,
        parameters: CodecParameters::from([("apt".to_owned(), json!(apt))]),
        rtcp_feedback: Vec::new(),
    }
}
