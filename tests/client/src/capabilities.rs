//! Codecs and header extensions as this client would negotiate them, written by hand.
//!
//! What it sends carries payload types and extension ids of its own, which collide with other
//! meanings of a mediasoup router's: a server that forwards them unmapped is caught.

use crate::error::ClientError;
use railgun_protocol::rtp_parameters::{
    CodecParameters, MediaKind, RtcpFeedback, RtcpParameters, RtpCapabilities, RtpCodecCapability,
    RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters, RtpParameters, RtxParameters,
    extension_uri,
};
use serde_json::{Value, json};

/// Payload types of what this client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentPayloadTypes {
    pub opus: u8,
    pub vp8: u8,
    pub vp8_rtx: u8,
}

pub const SENT_PAYLOAD_TYPES: SentPayloadTypes = SentPayloadTypes { opus: 111, vp8: 96, vp8_rtx: 97 };

/// Header extension ids of what this client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentExtensions {
    pub mid: u8,
    pub audio_level: u8,
    pub transport_wide_cc: u8,
}

pub const SENT_EXTENSIONS: SentExtensions = SentExtensions { mid: 4, audio_level: 1, transport_wide_cc: 10 };

const OPUS: &str = "audio/opus";
const VP8: &str = "video/VP8";
const VP8_RTX: &str = "video/rtx";

/// What one producer is going to send.
pub(crate) struct Sending {
    pub(crate) kind: MediaKind,
    pub(crate) mid: String,
    pub(crate) ssrc: u32,
    pub(crate) rtx_ssrc: u32,
    pub(crate) cname: String,
}

fn is(codec: &RtpCodecCapability, mime_type: &str) -> bool {
    codec.mime_type.eq_ignore_ascii_case(mime_type)
}

/// What this client can receive of a router's codecs, under the router's numbers: Opus, VP8 and
/// its retransmission.
pub(crate) fn receivable(router: &RtpCapabilities) -> RtpCapabilities {
    let vp8 =
        router.codecs.iter().find(|codec| is(codec, VP8)).and_then(|codec| codec.preferred_payload_type);
    let codecs = router.codecs.iter().filter(|codec| {
        let apt = codec.parameters.get("apt").and_then(Value::as_u64);
        let repairs_vp8 = is(codec, VP8_RTX) && apt.is_some() && apt == vp8.map(u64::from);
        is(codec, OPUS) || is(codec, VP8) || repairs_vp8
    });
    RtpCapabilities { codecs: codecs.cloned().collect(), header_extensions: router.header_extensions.clone() }
}

/// The parameters of a producer, if the router takes its codec.
pub(crate) fn producer_parameters(
    router: &RtpCapabilities,
    sending: &Sending,
) -> Result<RtpParameters, ClientError> {
    let mime_type = if sending.kind == MediaKind::Audio { OPUS } else { VP8 };
    let taken = |codec: &RtpCodecCapability| is(codec, mime_type) && codec.kind == sending.kind;
    if !router.codecs.iter().any(taken) {
        return Err(ClientError::NoCodec(mime_type));
    }
    let (codecs, rtx, extensions) = match sending.kind {
        MediaKind::Audio => (vec![opus()], None, audio_extensions()),
        MediaKind::Video => {
            (vec![vp8(), vp8_rtx()], Some(RtxParameters { ssrc: sending.rtx_ssrc }), video_extensions())
        }
    };
    let encoding =
        RtpEncodingParameters { ssrc: Some(sending.ssrc), rtx, ..RtpEncodingParameters::default() };
    Ok(RtpParameters {
        mid: Some(sending.mid.clone()),
        codecs,
        header_extensions: extensions,
        encodings: vec![encoding],
        rtcp: RtcpParameters { cname: Some(sending.cname.clone()), reduced_size: true },
    })
}

fn opus() -> RtpCodecParameters {
    RtpCodecParameters {
        mime_type: OPUS.into(),
        payload_type: SENT_PAYLOAD_TYPES.opus,
        clock_rate: 48_000,
        channels: Some(2),
        parameters: parameters(&[("minptime", json!(10)), ("useinbandfec", json!(1))]),
        rtcp_feedback: vec![feedback("transport-cc", "")],
    }
}

fn vp8() -> RtpCodecParameters {
    RtpCodecParameters {
        mime_type: VP8.into(),
        payload_type: SENT_PAYLOAD_TYPES.vp8,
        clock_rate: 90_000,
        channels: None,
        parameters: CodecParameters::new(),
        rtcp_feedback: vec![
            feedback("goog-remb", ""),
            feedback("transport-cc", ""),
            feedback("ccm", "fir"),
            feedback("nack", ""),
            feedback("nack", "pli"),
        ],
    }
}

fn vp8_rtx() -> RtpCodecParameters {
    RtpCodecParameters {
        mime_type: VP8_RTX.into(),
        payload_type: SENT_PAYLOAD_TYPES.vp8_rtx,
        clock_rate: 90_000,
        channels: None,
        parameters: parameters(&[("apt", json!(SENT_PAYLOAD_TYPES.vp8))]),
        rtcp_feedback: Vec::new(),
    }
}

fn audio_extensions() -> Vec<RtpHeaderExtensionParameters> {
    vec![
        extension(extension_uri::MID, SENT_EXTENSIONS.mid),
        extension(extension_uri::AUDIO_LEVEL, SENT_EXTENSIONS.audio_level),
    ]
}

fn video_extensions() -> Vec<RtpHeaderExtensionParameters> {
    vec![
        extension(extension_uri::MID, SENT_EXTENSIONS.mid),
        extension(extension_uri::TRANSPORT_WIDE_CC, SENT_EXTENSIONS.transport_wide_cc),
    ]
}

fn extension(uri: &str, id: u8) -> RtpHeaderExtensionParameters {
    RtpHeaderExtensionParameters { uri: uri.into(), id, encrypt: false, parameters: CodecParameters::new() }
}

fn feedback(kind: &str, parameter: &str) -> RtcpFeedback {
    RtcpFeedback { kind: kind.into(), parameter: parameter.into() }
}

fn parameters(entries: &[(&str, Value)]) -> CodecParameters {
    entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> RtpCapabilities {
        let codec = |mime: &str, kind, payload_type, apt: Option<u8>| RtpCodecCapability {
            kind,
            mime_type: mime.into(),
            preferred_payload_type: Some(payload_type),
            clock_rate: 90_000,
            channels: None,
            parameters: apt.map(|apt| ("apt".to_owned(), json!(apt))).into_iter().collect(),
            rtcp_feedback: Vec::new(),
        };
        let codecs = vec![
            codec("audio/opus", MediaKind::Audio, 100, None),
            codec("video/VP8", MediaKind::Video, 101, None),
            codec("video/rtx", MediaKind::Video, 102, Some(101)),
            codec("video/VP9", MediaKind::Video, 103, None),
            codec("video/rtx", MediaKind::Video, 104, Some(103)),
        ];
        RtpCapabilities { codecs, header_extensions: Vec::new() }
    }

    #[test]
    fn only_vp8_opus_and_their_repair_are_received() {
        let types: Vec<_> =
            receivable(&router()).codecs.iter().filter_map(|c| c.preferred_payload_type).collect();
        assert_eq!(types, [100, 101, 102]);
    }

    #[test]
    fn a_router_without_the_codec_is_an_error() {
        let sending =
            Sending { kind: MediaKind::Video, mid: "0".into(), ssrc: 1, rtx_ssrc: 2, cname: "c".into() };
        assert!(producer_parameters(&router(), &sending).is_ok());
        let refused = producer_parameters(&RtpCapabilities::default(), &sending);
        assert!(matches!(refused, Err(ClientError::NoCodec("video/VP8"))));
    }
}
