//! What of a sender's stream a router takes, and under which of its own numbers.

use super::codec_match::{apt, is_rtx, kind_of_mime_type, same_codec};
use super::error::OrtcError;
use super::h264_profile;
use super::scalability::ScalabilityMode;
use super::validate::validate_parameters;
use crate::rtp_parameters::{
    CodecParameters, Direction, MediaKind, RtcpParameters, RtpCapabilities, RtpCodecCapability,
    RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters, RtpParameters, StreamType,
};

/// From a sender's numbers to the router's. No `from` appears twice in its list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerMapping {
    /// Payload types of media and of retransmission.
    pub codecs: Vec<PayloadTypeMapping>,
    /// Ids of the extensions that the router knows; the others are not forwarded.
    pub header_extensions: Vec<ExtensionMapping>,
    /// At least one, at most [`crate::limits::ENCODINGS_MAX`], lowest quality first.
    pub encodings: Vec<EncodingMapping>,
    /// Whether layers can be chosen from, and how they are sent.
    pub stream_type: StreamType,
}

/// RTP payload types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadTypeMapping {
    /// As the sender numbers it.
    pub from: u8,
    /// As the router does, and a consumer with it.
    pub to: u8,
}

/// Header extension ids (RFC 8285).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionMapping {
    /// As the sender numbers it.
    pub from: u8,
    /// As the router does.
    pub to: u8,
}

/// How to recognise one encoding. Without SSRC it is learned from the rid's extension, or, if
/// there is no rid either, from the first packet with the producer's mid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodingMapping {
    /// SSRC of its media packets, if it was signaled.
    pub ssrc: Option<u32>,
    /// SSRC of its retransmissions (RFC 4588), if it was signaled.
    pub rtx_ssrc: Option<u32>,
    /// RTP stream id (RFC 8852).
    pub rid: Option<String>,
    /// Layers inside this encoding.
    pub scalability: ScalabilityMode,
}

/// How `sent` becomes what `router` offers. Checks `sent` first.
pub fn producer_mapping(
    sent: &RtpParameters,
    router: &RtpCapabilities,
) -> Result<ProducerMapping, OrtcError> {
    validate_parameters(sent)?;
    let encodings = encoding_mappings(&sent.encodings)?;
    Ok(ProducerMapping {
        codecs: payload_type_mappings(sent, router)?,
        header_extensions: extension_mappings(sent, router),
        stream_type: stream_type(sent, &encodings),
        encodings,
    })
}

fn payload_type_mappings(
    sent: &RtpParameters,
    router: &RtpCapabilities,
) -> Result<Vec<PayloadTypeMapping>, OrtcError> {
    let unsupported = |codec: &RtpCodecParameters| OrtcError::Unsupported(codec.mime_type.clone());
    let mut mappings = Vec::with_capacity(sent.codecs.len());
    for codec in sent.codecs.iter().filter(|codec| !is_rtx(&codec.mime_type)) {
        let to = media_codec(codec, router)
            .and_then(|offered| offered.preferred_payload_type)
            .ok_or_else(|| unsupported(codec))?;
        mappings.push(PayloadTypeMapping { from: codec.payload_type, to });
    }
    for codec in sent.codecs.iter().filter(|codec| is_rtx(&codec.mime_type)) {
        let apt = apt(&codec.parameters).ok_or(OrtcError::RtxWithoutApt)?;
        let media = mapped(&mappings, apt).ok_or(OrtcError::RtxForNothing(apt))?;
        let to = rtx_codec(media, router)
            .and_then(|offered| offered.preferred_payload_type)
            .ok_or_else(|| unsupported(codec))?;
        mappings.push(PayloadTypeMapping { from: codec.payload_type, to });
    }
    Ok(mappings)
}

fn media_codec<'a>(
    codec: &RtpCodecParameters,
    router: &'a RtpCapabilities,
) -> Option<&'a RtpCodecCapability> {
    router.codecs.iter().find(|offered| same_codec(*offered, codec))
}

fn rtx_codec(media_payload_type: u8, router: &RtpCapabilities) -> Option<&RtpCodecCapability> {
    router
        .codecs
        .iter()
        .find(|offered| is_rtx(&offered.mime_type) && apt(&offered.parameters) == Some(media_payload_type))
}

fn mapped(mappings: &[PayloadTypeMapping], from: u8) -> Option<u8> {
    mappings.iter().find(|mapping| mapping.from == from).map(|mapping| mapping.to)
}

fn extension_mappings(sent: &RtpParameters, router: &RtpCapabilities) -> Vec<ExtensionMapping> {
    let kind = kind_of(&sent.codecs);
    let id_of = |uri: &str| {
        let known =
            router.header_extensions.iter().find(|known| Some(known.kind) == kind && known.uri == uri);
        known.map(|known| known.preferred_id)
    };
    sent.header_extensions
        .iter()
        .filter_map(|extension| Some(ExtensionMapping { from: extension.id, to: id_of(&extension.uri)? }))
        .collect()
}

pub(super) fn kind_of(codecs: &[RtpCodecParameters]) -> Option<MediaKind> {
    codecs.first().and_then(|codec| kind_of_mime_type(&codec.mime_type))
}

fn encoding_mappings(encodings: &[RtpEncodingParameters]) -> Result<Vec<EncodingMapping>, OrtcError> {
    if encodings.is_empty() {
        let scalability = ScalabilityMode::NONE;
        return Ok(vec![EncodingMapping { ssrc: None, rtx_ssrc: None, rid: None, scalability }]);
    }
    encodings
        .iter()
        .map(|encoding| {
            Ok(EncodingMapping {
                ssrc: encoding.ssrc,
                rtx_ssrc: encoding.rtx.map(|rtx| rtx.ssrc),
                rid: encoding.rid.clone(),
                scalability: scalability(encoding)?,
            })
        })
        .collect()
}

pub(super) fn scalability(encoding: &RtpEncodingParameters) -> Result<ScalabilityMode, OrtcError> {
    encoding.scalability_mode.as_deref().map_or(Ok(ScalabilityMode::NONE), str::parse)
}

/// Layers inside one encoding can be taken apart only where the codec says in each packet which
/// layer it is of; a layered encoding of another codec is forwarded whole.
fn stream_type(sent: &RtpParameters, encodings: &[EncodingMapping]) -> StreamType {
    let is_svc_codec = sent.codecs.iter().any(|codec| {
        ["video/VP9", "video/AV1"].iter().any(|name| codec.mime_type.eq_ignore_ascii_case(name))
    });
    match encodings {
        [only] if is_svc_codec && only.scalability.is_layered() => StreamType::Svc,
        [_] => StreamType::Simple,
        _ => StreamType::Simulcast,
    }
}

/// The producer's stream as the router could send it on: the router's numbers and feedback, the
/// producer's codec parameters, no SSRCs.
pub fn consumable_parameters(
    kind: MediaKind,
    sent: &RtpParameters,
    router: &RtpCapabilities,
    mapping: &ProducerMapping,
) -> RtpParameters {
    RtpParameters {
        mid: None,
        codecs: consumable_codecs(sent, router, mapping),
        header_extensions: router
            .header_extensions
            .iter()
            .filter(|offered| offered.kind == kind)
            .filter(|offered| matches!(offered.direction, Direction::SendRecv | Direction::SendOnly))
            .map(|offered| RtpHeaderExtensionParameters {
                uri: offered.uri.clone(),
                id: offered.preferred_id,
                encrypt: false,
                parameters: CodecParameters::new(),
            })
            .collect(),
        encodings: consumable_encodings(&sent.encodings),
        rtcp: RtcpParameters { cname: sent.rtcp.cname.clone(), reduced_size: true },
    }
}

/// Retransmission is between router and receiver, so it is there whether or not the producer has it.
fn consumable_codecs(
    sent: &RtpParameters,
    router: &RtpCapabilities,
    mapping: &ProducerMapping,
) -> Vec<RtpCodecParameters> {
    let mut codecs: Vec<RtpCodecParameters> = Vec::new();
    for codec in sent.codecs.iter().filter(|codec| !is_rtx(&codec.mime_type)) {
        let Some(to) = mapped(&mapping.codecs, codec.payload_type) else { continue };
        let taken = codecs.iter().any(|earlier| earlier.payload_type == to);
        let offered = router.codecs.iter().find(|offered| offered.preferred_payload_type == Some(to));
        let Some(offered) = offered.filter(|_| !taken) else { continue };
        codecs.push(RtpCodecParameters {
            mime_type: offered.mime_type.clone(),
            payload_type: to,
            clock_rate: offered.clock_rate,
            channels: offered.channels,
            parameters: consumable_codec_parameters(codec, offered),
            rtcp_feedback: offered.rtcp_feedback.clone(),
        });
        let Some(rtx) = rtx_codec(to, router) else { continue };
        codecs.extend(rtx.preferred_payload_type.map(|payload_type| RtpCodecParameters {
            mime_type: rtx.mime_type.clone(),
            payload_type,
            clock_rate: rtx.clock_rate,
            channels: None,
            parameters: rtx.parameters.clone(),
            rtcp_feedback: rtx.rtcp_feedback.clone(),
        }));
    }
    codecs
}

fn consumable_codec_parameters(codec: &RtpCodecParameters, offered: &RtpCodecCapability) -> CodecParameters {
    let mut parameters = codec.parameters.clone();
    if codec.mime_type.eq_ignore_ascii_case("video/H264")
        && let Some(answer) = h264_profile::answer(&codec.parameters, &offered.parameters)
    {
        parameters.insert(h264_profile::PROFILE_LEVEL_ID.into(), answer.clone());
    }
    parameters
}

fn consumable_encodings(encodings: &[RtpEncodingParameters]) -> Vec<RtpEncodingParameters> {
    let consumable = |encoding: &RtpEncodingParameters| RtpEncodingParameters {
        dtx: Some(encoding.dtx.unwrap_or(false)),
        scalability_mode: encoding.scalability_mode.clone(),
        scale_resolution_down_by: encoding.scale_resolution_down_by,
        max_bitrate: encoding.max_bitrate,
        ..RtpEncodingParameters::default()
    };
    match encodings {
        [] => vec![consumable(&RtpEncodingParameters::default())],
        encodings => encodings.iter().map(consumable).collect(),
    }
}
