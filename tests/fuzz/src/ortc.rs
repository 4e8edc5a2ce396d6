//! RTP parameters through the ORTC rules. The input chooses among what browsers send and what they
//! do not, so that it need not guess names.

use crate::input::Input;
use railgun_protocol::ortc::{
    ConsumerStream, MediaCodec, can_consume, consumable_parameters, consumer_parameters, producer_mapping,
    router_rtp_capabilities, validate_capabilities, validate_producer_parameters,
};
use railgun_protocol::rtp_parameters::{
    CodecParameters, MediaKind, RtcpFeedback, RtpCapabilities, RtpCodecCapability, RtpCodecParameters,
    RtpEncodingParameters, RtpHeaderExtensionCapability, RtpHeaderExtensionParameters, RtpParameters,
    RtxParameters, StreamType, extension_uri,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CODECS: [MediaCodec; 5] =
    [MediaCodec::Opus, MediaCodec::Vp8, MediaCodec::Vp9, MediaCodec::H264, MediaCodec::Av1];
const MIME_TYPES: [&str; 9] = [
    "video/VP8",
    "video/vp9",
    "video/H264",
    "video/AV1",
    "video/rtx",
    "audio/opus",
    "audio/red",
    "video/",
    "é",
];
const PARAMETERS: [&str; 6] =
    ["apt", "profile-id", "packetization-mode", "profile-level-id", "profile", "level-asymmetry-allowed"];
const FEEDBACKS: [(&str, &str); 6] =
    [("nack", ""), ("nack", "pli"), ("ccm", "fir"), ("transport-cc", ""), ("goog-remb", ""), ("", "x")];
const URIS: [&str; 7] = [
    extension_uri::MID,
    extension_uri::ABS_SEND_TIME,
    extension_uri::TRANSPORT_WIDE_CC,
    extension_uri::RTP_STREAM_ID,
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "urn:other",
];
const MODES: [&str; 8] = ["L1T1", "L1T3", "L3T3_KEY", "L3T3", "S3T3", "L9T9", "L1Té", "T3"];

/// No number is mapped to two others, a consumer gets exactly one encoding with its own SSRC, what it
/// gets is sound if both sides were, and the parameters survive JSON.
pub fn rtp_parameters(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = if input.flag() { MediaKind::Audio } else { MediaKind::Video };
    let router = router_rtp_capabilities(&CODECS, 64_000);
    let receiver = if input.flag() { capabilities(&mut input) } else { router.clone() };
    let sent = parameters(&mut input);
    let text = serde_json::to_string(&sent).expect("parameters have a JSON form");
    assert_eq!(serde_json::from_str::<RtpParameters>(&text).expect("it reads back"), sent);

    let is_sound = validate_producer_parameters(kind, &sent).is_ok();
    let receiver_is_sound = validate_capabilities(&receiver).is_ok();
    let stream = || ConsumerStream { mid: "0".into(), ssrc: 1, rtx_ssrc: 2, cname: "c".into() };
    // As if nobody had checked: an error at worst.
    let _ = consumer_parameters(&sent, &receiver, stream(), StreamType::Simulcast);
    let Ok(mapping) = producer_mapping(&sent, &router) else { return };
    let payload_types: BTreeSet<u8> = mapping.codecs.iter().map(|codec| codec.from).collect();
    assert_eq!(payload_types.len(), mapping.codecs.len());
    for side in [|it: (u8, u8)| it.0, |it: (u8, u8)| it.1] {
        let ids = mapping.header_extensions.iter().map(|it| side((it.from, it.to)));
        assert_eq!(ids.collect::<BTreeSet<u8>>().len(), mapping.header_extensions.len());
    }
    assert!((1..=4).contains(&mapping.encodings.len()));
    if !is_sound {
        return;
    }
    let consumable = consumable_parameters(kind, &sent, &router, &mapping);
    assert_eq!(consumable.encodings.len(), mapping.encodings.len());
    let consumer = consumer_parameters(&consumable, &receiver, stream(), mapping.stream_type);
    assert_eq!(consumer.is_ok(), can_consume(&consumable, &receiver));
    let Ok(consumer) = consumer else { return };
    assert_eq!((consumer.encodings.len(), consumer.encodings[0].ssrc), (1, Some(1)));
    if receiver_is_sound {
        assert_eq!(validate_producer_parameters(kind, &consumer), Ok(()));
    }
}

fn parameters(input: &mut Input<'_>) -> RtpParameters {
    let mid = if input.flag() { None } else { Some(text(input)) };
    let codecs = (0..input.u8() % 6).map(|_| codec(input)).collect();
    let header_extensions = (0..input.u8() % 6).map(|_| extension(input)).collect();
    let encodings = (0..input.u8() % 6).map(|_| encoding(input)).collect();
    RtpParameters { mid, codecs, header_extensions, encodings, ..RtpParameters::default() }
}

fn capabilities(input: &mut Input<'_>) -> RtpCapabilities {
    let codecs = (0..input.u8() % 6).map(|_| {
        let kind = if input.flag() { MediaKind::Audio } else { MediaKind::Video };
        let preferred_payload_type = Some(payload_type(input)).filter(|_| input.u8() % 8 != 7);
        let RtpCodecParameters { mime_type, clock_rate, channels, parameters, rtcp_feedback, .. } =
            codec(input);
        RtpCodecCapability {
            kind,
            mime_type,
            preferred_payload_type,
            clock_rate,
            channels,
            parameters,
            rtcp_feedback,
        }
    });
    let codecs = codecs.collect();
    let extensions = (0..input.u8() % 6).map(|_| {
        let kind = if input.flag() { MediaKind::Audio } else { MediaKind::Video };
        let RtpHeaderExtensionParameters { uri, id, encrypt, .. } = extension(input);
        RtpHeaderExtensionCapability {
            kind,
            uri,
            preferred_id: id,
            preferred_encrypt: encrypt,
            direction: Default::default(),
        }
    });
    RtpCapabilities { codecs, header_extensions: extensions.collect() }
}

fn codec(input: &mut Input<'_>) -> RtpCodecParameters {
    let mime_type = input.choose(&MIME_TYPES).to_owned();
    let clock_rate = input.choose(&[90_000, 90_000, 48_000, 0]);
    RtpCodecParameters {
        clock_rate: if mime_type == "audio/opus" { 48_000 } else { clock_rate },
        mime_type,
        payload_type: payload_type(input),
        channels: input.choose(&[None, Some(2), Some(1), Some(0)]),
        parameters: codec_parameters(input),
        rtcp_feedback: feedback(input),
    }
}

fn payload_type(input: &mut Input<'_>) -> u8 {
    let byte = input.u8();
    if byte < 200 { 96 + byte % 8 } else { byte }
}

fn codec_parameters(input: &mut Input<'_>) -> CodecParameters {
    (0..input.u8() % 4).map(|_| (input.choose(&PARAMETERS).to_owned(), value(input))).collect()
}

fn value(input: &mut Input<'_>) -> Value {
    match input.u8() % 8 {
        0..=2 => json!(96 + input.u8() % 8),
        3 => json!(input.choose(&["42e01f", "42e034", "640c1f", "1", "0", "4D0032"])),
        4 => json!(input.u8() % 3),
        5 => json!(text(input)),
        // One that decimals can say: what they cannot changes by a last bit on the way.
        6 => json!(f64::from(input.u32()) / 8.0),
        _ => json!([[], null]),
    }
}

fn feedback(input: &mut Input<'_>) -> Vec<RtcpFeedback> {
    let feedback = |(kind, parameter): (&str, &str)| RtcpFeedback {
        kind: kind.to_owned(),
        parameter: parameter.to_owned(),
    };
    (0..input.u8() % 5).map(|_| feedback(input.choose(&FEEDBACKS))).collect()
}

fn extension(input: &mut Input<'_>) -> RtpHeaderExtensionParameters {
    RtpHeaderExtensionParameters {
        uri: input.choose(&URIS).to_owned(),
        id: input.u8(),
        encrypt: input.u8() % 16 == 15,
        parameters: CodecParameters::default(),
    }
}

fn encoding(input: &mut Input<'_>) -> RtpEncodingParameters {
    let flags = input.u8();
    let ssrc = |input: &mut Input<'_>| if flags & 64 == 0 { u32::from(input.u8() % 5) } else { input.u32() };
    RtpEncodingParameters {
        ssrc: (flags & 1 != 0).then(|| ssrc(input)),
        rtx: (flags & 2 != 0).then(|| RtxParameters { ssrc: ssrc(input) }),
        rid: (flags & 4 != 0).then(|| text(input)),
        scalability_mode: (flags & 8 != 0).then(|| input.choose(&MODES).to_owned()),
        max_bitrate: (flags & 16 != 0).then(|| u64::from(input.u32()) << (input.u8() & 31)),
        codec_payload_type: (flags & 32 != 0).then(|| payload_type(input)),
        ..RtpEncodingParameters::default()
    }
}

fn text(input: &mut Input<'_>) -> String {
    let len = input.u8() % 12;
    // Now and then longer than anything may be.
    let len = if len == 11 { 300 } else { usize::from(len) };
    String::from_utf8_lossy(input.take(len)).into_owned()
}
