//! Whether parameters and capabilities from outside are well formed and within bounds.
//!
//! Header extension ids may be 1 to 255 except 15: that is the range of the two-byte form, and 15
//! is reserved in the one-byte form, which a sender may use in any packet (RFC 8285 §4.2, §4.3).

use super::codec_match::{apt, is_rtx, kind_of_mime_type};
use super::error::OrtcError;
use super::scalability::ScalabilityMode;
use crate::limits;
use crate::rtp_parameters::{
    CodecParameters, MediaKind, RtcpFeedback, RtpCapabilities, RtpCodecParameters, RtpEncodingParameters,
    RtpHeaderExtensionParameters, RtpParameters,
};
use serde_json::Value;

/// A mid longer than this does not fit the header extension beside the others.
const MID_BYTES_MAX: usize = 8;
/// What the one-byte form of a header extension holds (RFC 8285 §4.2).
const RID_BYTES_MAX: usize = 16;
/// The length of an SDES item is one byte (RFC 3550 §6.5).
const CNAME_BYTES_MAX: usize = 255;

/// Checks what a receiver says it can take. RTX for a codec that is not listed is legal and unused.
pub fn validate_capabilities(capabilities: &RtpCapabilities) -> Result<(), OrtcError> {
    at_most("codecs", limits::CODECS_MAX, capabilities.codecs.len())?;
    at_most("headerExtensions", limits::HEADER_EXTENSIONS_MAX, capabilities.header_extensions.len())?;
    for codec in &capabilities.codecs {
        check_mime_type(&codec.mime_type, codec.kind)?;
        codec.preferred_payload_type.map_or(Ok(()), check_payload_type)?;
        check_rates(codec.clock_rate, codec.channels)?;
        check_format(&codec.mime_type, &codec.parameters, &codec.rtcp_feedback)?;
    }
    let payload_types = capabilities.codecs.iter().filter_map(|codec| codec.preferred_payload_type);
    no_repetition(payload_types, OrtcError::DuplicatePayloadType)?;
    for extension in &capabilities.header_extensions {
        check_string("uri", &extension.uri)?;
        check_extension_id(extension.preferred_id)?;
    }
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let of_kind = capabilities.header_extensions.iter().filter(|extension| extension.kind == kind);
        no_repetition(of_kind.map(|extension| extension.preferred_id), OrtcError::DuplicateExtensionId)?;
    }
    Ok(())
}

/// Checks what a sender says it sends. Whether the router takes it, the mapping tells.
pub fn validate_producer_parameters(kind: MediaKind, parameters: &RtpParameters) -> Result<(), OrtcError> {
    validate_parameters(parameters)?;
    parameters.codecs.iter().try_for_each(|codec| check_mime_type(&codec.mime_type, kind))?;
    match kind {
        MediaKind::Audio => at_most("encodings", 1, parameters.encodings.len()),
        MediaKind::Video => Ok(()),
    }
}

/// Everything but the kind.
pub(super) fn validate_parameters(parameters: &RtpParameters) -> Result<(), OrtcError> {
    parameters.mid.as_deref().map_or(Ok(()), check_mid)?;
    check_codecs(&parameters.codecs)?;
    check_extensions(&parameters.header_extensions)?;
    check_encodings(&parameters.encodings, &parameters.codecs)?;
    match &parameters.rtcp.cname {
        Some(cname) => check_text("cname", cname, CNAME_BYTES_MAX),
        None => Ok(()),
    }
}

fn check_codecs(codecs: &[RtpCodecParameters]) -> Result<(), OrtcError> {
    at_most("codecs", limits::CODECS_MAX, codecs.len())?;
    for codec in codecs {
        check_payload_type(codec.payload_type)?;
        check_rates(codec.clock_rate, codec.channels)?;
        check_format(&codec.mime_type, &codec.parameters, &codec.rtcp_feedback)?;
    }
    no_repetition(codecs.iter().map(|codec| codec.payload_type), OrtcError::DuplicatePayloadType)?;
    if codecs.iter().all(|codec| is_rtx(&codec.mime_type)) {
        return Err(OrtcError::NoMediaCodec);
    }
    for rtx in codecs.iter().filter(|codec| is_rtx(&codec.mime_type)) {
        let apt = apt(&rtx.parameters).ok_or(OrtcError::RtxWithoutApt)?;
        if !is_media_payload_type(codecs, apt) {
            return Err(OrtcError::RtxForNothing(apt));
        }
    }
    Ok(())
}

fn is_media_payload_type(codecs: &[RtpCodecParameters], payload_type: u8) -> bool {
    codecs.iter().any(|codec| codec.payload_type == payload_type && !is_rtx(&codec.mime_type))
}

fn check_extensions(extensions: &[RtpHeaderExtensionParameters]) -> Result<(), OrtcError> {
    at_most("headerExtensions", limits::HEADER_EXTENSIONS_MAX, extensions.len())?;
    for extension in extensions {
        check_string("uri", &extension.uri)?;
        check_extension_id(extension.id)?;
        check_parameters(&extension.parameters)?;
    }
    no_repetition(extensions.iter().map(|extension| extension.id), OrtcError::DuplicateExtensionId)?;
    no_repetition(extensions.iter().map(|extension| extension.uri.as_str()), |_| {
        OrtcError::DuplicateExtensionUri
    })
}

fn check_encodings(
    encodings: &[RtpEncodingParameters],
    codecs: &[RtpCodecParameters],
) -> Result<(), OrtcError> {
    at_most("encodings", limits::ENCODINGS_MAX, encodings.len())?;
    for encoding in encodings {
        encoding.rid.as_deref().map_or(Ok(()), check_rid)?;
        if let Some(mode) = &encoding.scalability_mode {
            mode.parse::<ScalabilityMode>()?;
        }
        match encoding.codec_payload_type {
            Some(wanted) if !is_media_payload_type(codecs, wanted) => {
                return Err(OrtcError::EncodingPayloadType(wanted));
            }
            _ => {}
        }
        if encodings.len() > 1 && encoding.ssrc.is_none() && encoding.rid.is_none() {
            return Err(OrtcError::AnonymousEncoding);
        }
    }
    let media = encodings.iter().filter_map(|encoding| encoding.ssrc);
    let rtx = encodings.iter().filter_map(|encoding| encoding.rtx.map(|rtx| rtx.ssrc));
    no_repetition(media.chain(rtx), OrtcError::DuplicateSsrc)?;
    let rids = encodings.iter().filter_map(|encoding| encoding.rid.as_deref());
    no_repetition(rids, |_| OrtcError::DuplicateRid)
}

/// RFC 5761 §4: beside RTCP on one port, 64 to 95 could be taken for it.
fn check_payload_type(payload_type: u8) -> Result<(), OrtcError> {
    match payload_type {
        0..=63 | 96..=127 => Ok(()),
        _ => Err(OrtcError::PayloadType(payload_type)),
    }
}

fn check_rates(clock_rate: u32, channels: Option<u8>) -> Result<(), OrtcError> {
    match (clock_rate, channels) {
        (0, _) => Err(OrtcError::ClockRate),
        (_, Some(0)) => Err(OrtcError::Channels),
        _ => Ok(()),
    }
}

fn check_mime_type(mime_type: &str, kind: MediaKind) -> Result<(), OrtcError> {
    if kind_of_mime_type(mime_type) == Some(kind) { Ok(()) } else { Err(OrtcError::WrongKind) }
}

fn check_format(
    mime_type: &str,
    parameters: &CodecParameters,
    feedback: &[RtcpFeedback],
) -> Result<(), OrtcError> {
    check_string("mimeType", mime_type)?;
    check_parameters(parameters)?;
    if is_rtx(mime_type) && apt(parameters).is_none() {
        return Err(OrtcError::RtxWithoutApt);
    }
    at_most("rtcpFeedback", limits::FEEDBACKS_MAX, feedback.len())?;
    feedback.iter().try_for_each(|feedback| {
        check_string("rtcpFeedback.type", &feedback.kind)?;
        match feedback.parameter.as_str() {
            "" => Ok(()),
            parameter => check_string("rtcpFeedback.parameter", parameter),
        }
    })
}

fn check_parameters(parameters: &CodecParameters) -> Result<(), OrtcError> {
    at_most("parameters", limits::CODEC_PARAMETERS_MAX, parameters.len())?;
    parameters.iter().try_for_each(|(name, value)| {
        check_string("parameters", name)?;
        match value {
            Value::String(text) if text.is_empty() => Ok(()),
            Value::String(text) => check_string("parameters", text),
            Value::Number(_) | Value::Bool(_) | Value::Null => Ok(()),
            Value::Array(_) | Value::Object(_) => Err(OrtcError::ParameterType),
        }
    })
}

fn check_extension_id(id: u8) -> Result<(), OrtcError> {
    match id {
        0 | 15 => Err(OrtcError::ExtensionId(id)),
        _ => Ok(()),
    }
}

/// A token of RFC 4566 §9, as RFC 5888 §4 asks.
fn check_mid(mid: &str) -> Result<(), OrtcError> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte);
    if (1..=MID_BYTES_MAX).contains(&mid.len()) && mid.bytes().all(token) {
        Ok(())
    } else {
        Err(OrtcError::BadMid)
    }
}

/// RFC 8851 §10.
fn check_rid(rid: &str) -> Result<(), OrtcError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=RID_BYTES_MAX).contains(&rid.len()) && rid.bytes().all(allowed) {
        Ok(())
    } else {
        Err(OrtcError::BadRid)
    }
}

fn check_string(field: &'static str, text: &str) -> Result<(), OrtcError> {
    check_text(field, text, limits::PARAMETER_STRING_MAX)
}

fn check_text(field: &'static str, text: &str, max: usize) -> Result<(), OrtcError> {
    if text.is_empty() || text.len() > max || text.chars().any(char::is_control) {
        return Err(OrtcError::BadString { field, max });
    }
    Ok(())
}

fn at_most(list: &'static str, max: usize, length: usize) -> Result<(), OrtcError> {
    if length > max { Err(OrtcError::TooMany { list, max }) } else { Ok(()) }
}

/// The first item that comes a second time becomes an error. Lists are short here: each has a cap.
fn no_repetition<T: PartialEq + Copy>(
    items: impl Iterator<Item = T> + Clone,
    error: fn(T) -> OrtcError,
) -> Result<(), OrtcError> {
    for (index, item) in items.clone().enumerate() {
        if items.clone().take(index).any(|earlier| earlier == item) {
            return Err(error(item));
        }
    }
    Ok(())
}
