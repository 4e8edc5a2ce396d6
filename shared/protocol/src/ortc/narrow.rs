//! What of a receiver's capabilities can meet a router's streams.

use super::capabilities::router_rtp_capabilities;
use super::codec_match::{apt, is_rtx, same_codec};
use super::error::OrtcError;
use super::supported::DEFAULT_CODECS;
use super::validate::validate_capabilities;
use crate::rtp_parameters::{RtcpFeedback, RtpCapabilities, RtpCodecCapability};
use std::sync::LazyLock;

static ROUTER: LazyLock<RtpCapabilities> =
    LazyLock::new(|| router_rtp_capabilities(&DEFAULT_CODECS, u32::MAX));

/// Checks what a receiver says it can take, and gives what [`super::consumer_parameters`] can find a use for:
/// under the receiver's payload types, at most the router's codecs with the router's format parameters and
/// those of the router's feedback that the receiver has, their RTX, and the router's header extensions. A
/// message can hold 96 codecs of 32 parameters; this is nine of a few, whatever the message held.
///
/// # Errors
/// Those of [`validate_capabilities`].
pub fn narrow_capabilities(receiver: &RtpCapabilities) -> Result<RtpCapabilities, OrtcError> {
    validate_capabilities(receiver)?;
    let mut codecs = Vec::new();
    for offered in ROUTER.codecs.iter().filter(|offered| !is_rtx(&offered.mime_type)) {
        // The first, as `consumer_parameters` takes it.
        let Some(known) = receiver.codecs.iter().find(|known| same_codec(*known, offered)) else { continue };
        codecs.push(RtpCodecCapability {
            preferred_payload_type: known.preferred_payload_type,
            rtcp_feedback: shared_feedback(known, offered),
            ..offered.clone()
        });
        let rtx = receiver.codecs.iter().find(|rtx| {
            let for_codec = apt(&rtx.parameters).filter(|apt| Some(*apt) == known.preferred_payload_type);
            is_rtx(&rtx.mime_type) && for_codec.is_some()
        });
        if let Some(rtx) = rtx {
            let parameters = rtx.parameters.iter().filter(|(name, _)| *name == "apt");
            codecs.push(RtpCodecCapability {
                parameters: parameters.map(|(name, value)| (name.clone(), value.clone())).collect(),
                rtcp_feedback: Vec::new(),
                ..rtx.clone()
            });
        }
    }
    let is_the_routers = |uri: &str, id: u8| {
        ROUTER.header_extensions.iter().any(|offered| offered.uri == uri && offered.preferred_id == id)
    };
    let extensions = receiver.header_extensions.iter();
    let header_extensions =
        extensions.filter(|known| is_the_routers(&known.uri, known.preferred_id)).cloned().collect();
    Ok(RtpCapabilities { codecs, header_extensions })
}

/// In the receiver's order, each once. Congestion control feedback counts as the router's, which offers it where a setting
/// says so: no client has it that was not offered it.
fn shared_feedback(known: &RtpCodecCapability, offered: &RtpCodecCapability) -> Vec<RtcpFeedback> {
    let mut shared: Vec<RtcpFeedback> = Vec::new();
    for feedback in known.rtcp_feedback.iter().filter(|it| it.is_ccfb() || offered.rtcp_feedback.contains(it))
    {
        if !shared.contains(feedback) {
            shared.push(feedback.clone());
        }
    }
    shared
}
