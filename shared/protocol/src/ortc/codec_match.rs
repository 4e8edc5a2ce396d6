//! When two descriptions name the same codec.

use super::h264_profile::ProfileLevelId;
use crate::rtp_parameters::{CodecParameters, MediaKind, RtpCodecCapability, RtpCodecParameters};
use serde_json::Value;

/// The part of a codec's description that tells it from others.
#[derive(Clone, Copy)]
pub(super) struct Codec<'a> {
    mime_type: &'a str,
    clock_rate: u32,
    channels: Option<u8>,
    parameters: &'a CodecParameters,
}

impl<'a> From<&'a RtpCodecCapability> for Codec<'a> {
    fn from(codec: &'a RtpCodecCapability) -> Self {
        Self {
            mime_type: &codec.mime_type,
            clock_rate: codec.clock_rate,
            channels: codec.channels,
            parameters: &codec.parameters,
        }
    }
}

impl<'a> From<&'a RtpCodecParameters> for Codec<'a> {
    fn from(codec: &'a RtpCodecParameters) -> Self {
        Self {
            mime_type: &codec.mime_type,
            clock_rate: codec.clock_rate,
            channels: codec.channels,
            parameters: &codec.parameters,
        }
    }
}

/// Audio or video, by what stands before the slash.
pub fn kind_of_mime_type(mime_type: &str) -> Option<MediaKind> {
    let (kind, _) = mime_type.split_once('/')?;
    if kind.eq_ignore_ascii_case("audio") {
        Some(MediaKind::Audio)
    } else if kind.eq_ignore_ascii_case("video") {
        Some(MediaKind::Video)
    } else {
        None
    }
}

/// Whether this is the retransmission format of RFC 4588.
pub fn is_rtx(mime_type: &str) -> bool {
    mime_type.split_once('/').is_some_and(|(_, format)| format.eq_ignore_ascii_case("rtx"))
}

/// Which payload type a retransmission is for (RFC 4588 §8.1).
pub(super) fn apt(parameters: &CodecParameters) -> Option<u8> {
    integer(parameters, "apt").and_then(|apt| u8::try_from(apt).ok())
}

/// Whether both are the same media codec in the same flavour. RTX never matches: it belongs to
/// the codec that its `apt` names.
pub(super) fn same_codec<'a>(one: impl Into<Codec<'a>>, other: impl Into<Codec<'a>>) -> bool {
    let (one, other): (Codec<'a>, Codec<'a>) = (one.into(), other.into());
    let same_name = one.mime_type.eq_ignore_ascii_case(other.mime_type);
    if !same_name || is_rtx(one.mime_type) || one.clock_rate != other.clock_rate {
        return false;
    }
    if kind_of_mime_type(one.mime_type) == Some(MediaKind::Audio)
        && one.channels.unwrap_or(1) != other.channels.unwrap_or(1)
    {
        return false;
    }
    let same = |name| same_integer(one.parameters, other.parameters, name);
    match one.mime_type.to_ascii_lowercase().as_str() {
        // RFC 6184 §8.1
        "video/h264" => same("packetization-mode") && same_profile(one.parameters, other.parameters),
        // RFC 9628 §6
        "video/vp9" => same("profile-id"),
        // AV1 RTP payload format §7.2
        "video/av1" => same("profile"),
        _ => true,
    }
}

fn same_profile(one: &CodecParameters, other: &CodecParameters) -> bool {
    match (ProfileLevelId::of(one), ProfileLevelId::of(other)) {
        (Some(one), Some(other)) => one.profile == other.profile,
        _ => false,
    }
}

/// A format parameter that is a whole number, written as one or as a string.
fn integer(parameters: &CodecParameters, name: &str) -> Option<u64> {
    match parameters.get(name)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Whether both have the same whole number under this name. Absent counts as 0; what is no number
/// equals nothing, itself included.
fn same_integer(one: &CodecParameters, other: &CodecParameters, name: &str) -> bool {
    let read = |parameters: &CodecParameters| match parameters.contains_key(name) {
        true => integer(parameters, name),
        false => Some(0),
    };
    read(one).is_some_and(|number| read(other) == Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn codec(
        mime_type: &str,
        clock_rate: u32,
        channels: Option<u8>,
        parameters: Value,
    ) -> RtpCodecParameters {
        RtpCodecParameters {
            mime_type: mime_type.into(),
            payload_type: 96,
            clock_rate,
            channels,
            parameters: serde_json::from_value(parameters).unwrap(),
            rtcp_feedback: Vec::new(),
        }
    }

    #[test]
    fn opus_needs_the_same_channels_and_any_case_of_the_name() {
        let stereo = codec("audio/opus", 48_000, Some(2), json!({}));
        assert!(same_codec(&stereo, &codec("audio/OPUS", 48_000, Some(2), json!({"usedtx": 1}))));
        assert!(!same_codec(&stereo, &codec("audio/opus", 48_000, None, json!({}))));
        assert!(!same_codec(&stereo, &codec("audio/opus", 16_000, Some(2), json!({}))));
    }

    #[test]
    fn vp9_needs_the_same_profile_and_absent_is_profile_0() {
        let plain = codec("video/VP9", 90_000, None, json!({}));
        assert!(same_codec(&plain, &codec("video/VP9", 90_000, None, json!({"profile-id": "0"}))));
        assert!(!same_codec(&plain, &codec("video/VP9", 90_000, None, json!({"profile-id": 2}))));
        let odd = codec("video/VP9", 90_000, None, json!({"profile-id": true}));
        assert!(!same_codec(&odd, &odd));
    }

    #[test]
    fn h264_needs_the_same_packetization_mode_and_profile_whatever_the_level() {
        let h264 = |mode: u8, profile: &str| {
            codec(
                "video/H264",
                90_000,
                None,
                json!({"packetization-mode": mode, "profile-level-id": profile}),
            )
        };
        assert!(same_codec(&h264(1, "42e01f"), &h264(1, "42e034")));
        assert!(!same_codec(&h264(1, "42e01f"), &h264(0, "42e01f")));
        assert!(!same_codec(&h264(1, "42e01f"), &h264(1, "640c1f")));
        assert!(!same_codec(&h264(1, "nonsense"), &h264(1, "nonsense")));
    }

    #[test]
    fn rtx_is_never_matched_by_itself() {
        let rtx = codec("video/rtx", 90_000, None, json!({"apt": 96}));
        assert!(!same_codec(&rtx, &rtx));
        assert_eq!(apt(&rtx.parameters), Some(96));
    }
}
