//! `golden_ortc.json` holds what a server and a client of this contract computed from each other's
//! capabilities for single streams, simulcast and SVC. Everything but SSRCs, which are drawn, has
//! to come out the same here.
//!
//! Set aside as well: `stereo` and `sprop-stereo` of opus, which this router adds; the `mid` of a
//! consumer, which the vectors were written without; `active` of an encoding, which is not kept; and `nack` of a consumer's
//! audio, which this router adds.

use railgun_protocol::ortc::{
    ConsumerStream, MediaCodec, ProducerMapping, can_consume, consumable_parameters, consumer_parameters,
    producer_mapping, router_rtp_capabilities, validate_capabilities, validate_producer_parameters,
};
use railgun_protocol::rtp_parameters::{
    MediaKind, RtcpFeedback, RtpCapabilities, RtpEncodingParameters, RtpParameters, RtxParameters, StreamType,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

const ALL_CODECS: [MediaCodec; 5] =
    [MediaCodec::Opus, MediaCodec::Vp8, MediaCodec::Vp9, MediaCodec::H264, MediaCodec::Av1];

fn vectors() -> Value {
    serde_json::from_str(include_str!("../fixtures/golden_ortc.json")).unwrap()
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// The same with every SSRC that is there set to 0.
fn without_ssrcs(mut parameters: RtpParameters) -> RtpParameters {
    for encoding in &mut parameters.encodings {
        encoding.ssrc = encoding.ssrc.map(|_| 0);
        encoding.rtx = encoding.rtx.map(|_| RtxParameters { ssrc: 0 });
    }
    parameters
}

struct Outcome {
    sent: RtpParameters,
    mapping: ProducerMapping,
    consumer: RtpParameters,
}

/// Runs a scenario against the vector and gives back what came out.
fn agree(scenario: &str, kind: MediaKind, stream_type: StreamType) -> Outcome {
    let vectors = vectors();
    let vector = &vectors["scenarios"][scenario];
    let router = router_rtp_capabilities(&ALL_CODECS, 64_000);
    let receiver: RtpCapabilities = read(&vectors["deviceRecvRtpCapabilities"]);
    validate_capabilities(&receiver).unwrap();

    let sent: RtpParameters = read(&vector["producerRtpParameters"]);
    validate_producer_parameters(kind, &sent).unwrap();
    let mapping = producer_mapping(&sent, &router).unwrap();
    assert_eq!(mapping.stream_type, stream_type);
    assert_mapping(&mapping, &vector["rtpMapping"]);

    let consumable = consumable_parameters(kind, &sent, &router, &mapping);
    let mut expected: RtpParameters = read(&vector["consumableRtpParameters"]);
    for encoding in &mut expected.encodings {
        encoding.ssrc = None;
    }
    assert_eq!(consumable, expected);

    assert_eq!(can_consume(&consumable, &receiver), vector["clientCanReceive"] == true);
    let stream = ConsumerStream { mid: "7".into(), ssrc: 5, rtx_ssrc: 6, cname: "c1".into() };
    let consumer = consumer_parameters(&consumable, &receiver, stream, mapping.stream_type).unwrap();
    assert_eq!(consumer.mid.as_deref(), Some("7"));
    let mut expected: RtpParameters = read(&vector["consumerRtpParameters"]);
    expected.mid = consumer.mid.clone();
    if kind == MediaKind::Audio {
        let nack = RtcpFeedback { kind: "nack".into(), parameter: String::new() };
        expected.codecs.iter_mut().for_each(|codec| codec.rtcp_feedback.push(nack.clone()));
    }
    assert_eq!(without_ssrcs(consumer.clone()), without_ssrcs(expected));
    Outcome { sent, mapping, consumer }
}

fn assert_mapping(mapping: &ProducerMapping, expected: &Value) {
    let codecs: Vec<(u64, u64)> =
        mapping.codecs.iter().map(|codec| (codec.from.into(), codec.to.into())).collect();
    let expected_codecs: Vec<(u64, u64)> = expected["codecs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|codec| (codec["payloadType"].as_u64().unwrap(), codec["mappedPayloadType"].as_u64().unwrap()))
        .collect();
    assert_eq!(codecs, expected_codecs);

    let expected_encodings = expected["encodings"].as_array().unwrap();
    assert_eq!(mapping.encodings.len(), expected_encodings.len());
    for (encoding, expected) in mapping.encodings.iter().zip(expected_encodings) {
        let expected: RtpEncodingParameters = read(expected);
        assert_eq!((encoding.ssrc, &encoding.rid), (expected.ssrc, &expected.rid));
        let mode = expected.scalability_mode.as_deref().unwrap_or("L1T1");
        assert_eq!(encoding.scalability, mode.parse().unwrap());
    }
}

#[test]
fn the_router_offers_the_same() {
    let expected: RtpCapabilities = read(&vectors()["routerRtpCapabilities"]);
    let mut offered = router_rtp_capabilities(&ALL_CODECS, 64_000);
    let opus = &mut offered.codecs[0].parameters;
    assert_eq!(opus.remove("stereo"), Some(0.into()));
    assert_eq!(opus.remove("sprop-stereo"), Some(0.into()));
    assert_eq!(offered, expected);
    validate_capabilities(&offered).unwrap();
}

#[test]
fn audio() {
    let Outcome { mapping, consumer, .. } = agree("audio", MediaKind::Audio, StreamType::Simple);
    assert_eq!(consumer.encodings.len(), 1);
    assert_eq!(consumer.encodings[0].rtx, None);
    let extensions: Vec<(u8, u8)> =
        mapping.header_extensions.iter().map(|extension| (extension.from, extension.to)).collect();
    assert_eq!(extensions, [(4, 1), (2, 4), (3, 5), (1, 10)]);
}

#[test]
fn one_vp8_stream() {
    let Outcome { sent, mapping, consumer } = agree("vp8_single", MediaKind::Video, StreamType::Simple);
    assert_eq!(mapping.encodings[0].rtx_ssrc, sent.encodings[0].rtx.map(|rtx| rtx.ssrc));
    assert_eq!(consumer.encodings[0].ssrc, Some(5));
    assert_eq!(consumer.encodings[0].rtx, Some(RtxParameters { ssrc: 6 }));
    let extensions: Vec<(u8, u8)> =
        mapping.header_extensions.iter().map(|extension| (extension.from, extension.to)).collect();
    assert_eq!(extensions, [(4, 1), (10, 2), (11, 3), (2, 4), (3, 5), (13, 11), (14, 12), (5, 14)]);
}

#[test]
fn three_vp8_layers() {
    let outcome = agree("vp8_simulcast3", MediaKind::Video, StreamType::Simulcast);
    assert_eq!(outcome.consumer.encodings[0].scalability_mode.as_deref(), Some("L3T3"));
}

#[test]
fn vp9_with_layers_in_one_stream() {
    agree("vp9_ksvc", MediaKind::Video, StreamType::Svc);
}

#[test]
fn one_h264_stream() {
    agree("h264_single", MediaKind::Video, StreamType::Simple);
}

#[test]
fn no_scenario_is_left_out() {
    let vectors = vectors();
    let names: Vec<&String> = vectors["scenarios"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["audio", "h264_single", "vp8_simulcast3", "vp8_single", "vp9_ksvc"]);
}
