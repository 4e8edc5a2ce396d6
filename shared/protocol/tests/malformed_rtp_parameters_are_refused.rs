//! Each way in which a client can get its RTP parameters or capabilities wrong has its own error,
//! and what is only unsupported is told from what is malformed.

use railgun_protocol::limits;
use railgun_protocol::ortc::{
    DEFAULT_CODECS, OrtcError, can_consume, consumable_parameters, consumer_parameters, producer_mapping,
    router_rtp_capabilities, validate_capabilities, validate_producer_parameters,
};
use railgun_protocol::rtp_parameters::{MediaKind, RtpCapabilities, RtpParameters, StreamType};
use railgun_protocol::signal::{ErrorBody, ErrorCode};
use serde_json::{Value, json};

fn video() -> Value {
    json!({
        "mid": "0",
        "codecs": [
            {"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90_000,
             "parameters": {"x-google-start-bitrate": 1000}, "rtcpFeedback": [{"type": "nack"}]},
            {"mimeType": "video/rtx", "payloadType": 97, "clockRate": 90_000, "parameters": {"apt": 96}}
        ],
        "headerExtensions": [
            {"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4},
            {"uri": "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "id": 10}
        ],
        "encodings": [{"rid": "r0", "ssrc": 1, "rtx": {"ssrc": 2}}, {"rid": "r1", "ssrc": 3}],
        "rtcp": {"cname": "c"}
    })
}

fn parameters(value: Value) -> RtpParameters {
    serde_json::from_value(value).unwrap()
}

/// What is said of the sound parameters with `value` put at `pointer`.
fn with(pointer: &str, value: Value) -> Result<(), OrtcError> {
    let mut changed = video();
    *changed.pointer_mut(pointer).unwrap() = value;
    validate_producer_parameters(MediaKind::Video, &parameters(changed))
}

#[test]
fn each_fault_has_its_error() {
    use OrtcError as E;
    assert_eq!(with("/mid", json!("0")), Ok(()));
    let long = "x".repeat(limits::PARAMETER_STRING_MAX + 1);
    let max = limits::PARAMETER_STRING_MAX;
    let cases = [
        ("/mid", json!("123456789"), E::BadMid),
        ("/mid", json!(""), E::BadMid),
        ("/mid", json!("a b"), E::BadMid),
        ("/codecs/0/payloadType", json!(128), E::PayloadType(128)),
        ("/codecs/0/payloadType", json!(72), E::PayloadType(72)),
        ("/codecs/0/payloadType", json!(97), E::DuplicatePayloadType(97)),
        ("/codecs/0/clockRate", json!(0), E::ClockRate),
        ("/codecs/0/mimeType", json!("audio/opus"), E::WrongKind),
        ("/codecs/0/mimeType", json!("video/rtx"), E::RtxWithoutApt),
        ("/codecs/0/mimeType", json!(long), E::BadString { field: "mimeType", max }),
        ("/codecs/0/parameters", json!({"a": long}), E::BadString { field: "parameters", max }),
        ("/codecs/0/parameters", json!({"a": "\u{0}"}), E::BadString { field: "parameters", max }),
        ("/codecs/0/parameters", json!({"a": [1]}), E::ParameterType),
        ("/codecs/0/rtcpFeedback", json!([{"type": ""}]), E::BadString { field: "rtcpFeedback.type", max }),
        ("/codecs/1/parameters", json!({}), E::RtxWithoutApt),
        ("/codecs/1/parameters/apt", json!(-1), E::RtxWithoutApt),
        ("/codecs/1/parameters/apt", json!(98), E::RtxForNothing(98)),
        ("/codecs/1/parameters/apt", json!(97), E::RtxForNothing(97)),
        ("/codecs", json!([]), E::NoMediaCodec),
        ("/headerExtensions/0/id", json!(0), E::ExtensionId(0)),
        ("/headerExtensions/0/id", json!(15), E::ExtensionId(15)),
        ("/headerExtensions/0/id", json!(10), E::DuplicateExtensionId(10)),
        (
            "/headerExtensions/0/uri",
            json!("urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"),
            E::DuplicateExtensionUri,
        ),
        ("/encodings/1/ssrc", json!(1), E::DuplicateSsrc(1)),
        ("/encodings/1/ssrc", json!(2), E::DuplicateSsrc(2)),
        ("/encodings/1/rid", json!("r0"), E::DuplicateRid),
        ("/encodings/1/rid", json!("a b"), E::BadRid),
        ("/encodings/1/rid", json!("seventeen-letters"), E::BadRid),
        ("/encodings/1", json!({}), E::AnonymousEncoding),
        ("/encodings/1", json!({"rid": "r1", "codecPayloadType": 97}), E::EncodingPayloadType(97)),
        ("/encodings/1", json!({"rid": "r1", "scalabilityMode": "L9T9"}), E::ScalabilityMode),
        ("/rtcp/cname", json!("c".repeat(256)), E::BadString { field: "cname", max: 255 }),
    ];
    for (pointer, value, error) in cases {
        assert_eq!(with(pointer, value.clone()), Err(error), "{pointer} {value}");
    }
}

#[test]
fn lists_are_bounded() {
    let many = |count: usize, item: fn(usize) -> Value| Value::from_iter((0..count).map(item));
    let too_many = |list, max| Err(OrtcError::TooMany { list, max });
    let codec = |_| json!({"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90_000});
    let refused = with("/codecs", many(limits::CODECS_MAX + 1, codec));
    assert_eq!(refused, too_many("codecs", limits::CODECS_MAX));
    let extension = |index| json!({"uri": format!("urn:{index}"), "id": 20 + index});
    assert_eq!(with("/headerExtensions", many(limits::HEADER_EXTENSIONS_MAX, extension)), Ok(()));
    let refused = with("/headerExtensions", many(limits::HEADER_EXTENSIONS_MAX + 1, extension));
    assert_eq!(refused, too_many("headerExtensions", limits::HEADER_EXTENSIONS_MAX));
    let encoding = |index| json!({"ssrc": index});
    assert_eq!(with("/encodings", many(limits::ENCODINGS_MAX, encoding)), Ok(()));
    let refused = with("/encodings", many(limits::ENCODINGS_MAX + 1, encoding));
    assert_eq!(refused, too_many("encodings", limits::ENCODINGS_MAX));
    let refused =
        with("/codecs/0/rtcpFeedback", many(limits::FEEDBACKS_MAX + 1, |_| json!({"type": "nack"})));
    assert_eq!(refused, too_many("rtcpFeedback", limits::FEEDBACKS_MAX));

    let audio = json!({
        "codecs": [{"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48_000, "channels": 2}],
        "encodings": [{"ssrc": 1}, {"ssrc": 2}]
    });
    let refused = validate_producer_parameters(MediaKind::Audio, &parameters(audio));
    assert_eq!(refused, too_many("encodings", 1));
}

#[test]
fn capabilities_are_checked_the_same_way() {
    let sound = router_rtp_capabilities(&DEFAULT_CODECS, 32_000);
    assert_eq!(validate_capabilities(&sound), Ok(()));
    let with = |change: fn(&mut RtpCapabilities)| {
        let mut capabilities = sound.clone();
        change(&mut capabilities);
        validate_capabilities(&capabilities).unwrap_err()
    };
    let again = with(|given| given.codecs.push(given.codecs[0].clone()));
    assert_eq!(again, OrtcError::DuplicatePayloadType(100));
    let again = with(|given| given.header_extensions.push(given.header_extensions[0].clone()));
    assert_eq!(again, OrtcError::DuplicateExtensionId(1));
    assert_eq!(with(|given| given.codecs[0].kind = MediaKind::Video), OrtcError::WrongKind);
    assert_eq!(with(|given| given.codecs[0].channels = Some(0)), OrtcError::Channels);
    assert_eq!(with(|given| given.codecs[2].parameters.clear()), OrtcError::RtxWithoutApt);
}

#[test]
fn an_unsupported_codec_is_not_a_malformed_one() {
    let router = router_rtp_capabilities(&DEFAULT_CODECS, 32_000);
    let mut vp9 = parameters(video());
    vp9.codecs[0].mime_type = "video/H265".into();
    let refused = ErrorBody::from(producer_mapping(&vp9, &router).unwrap_err());
    assert_eq!(refused.code, ErrorCode::UnsupportedCodec);
    assert_eq!(refused.details["mimeType"], "video/H265");

    let malformed = ErrorBody::from(with("/mid", json!("")).unwrap_err());
    assert_eq!(malformed.code, ErrorCode::InvalidPayload);

    let vp8 = parameters(video());
    let mapping = producer_mapping(&vp8, &router).unwrap();
    let consumable = consumable_parameters(MediaKind::Video, &vp8, &router, &mapping);
    let deaf = RtpCapabilities::default();
    assert!(!can_consume(&consumable, &deaf));
    let stream =
        railgun_protocol::ortc::ConsumerStream { mid: "0".into(), ssrc: 1, rtx_ssrc: 2, cname: "c".into() };
    let refused = consumer_parameters(&consumable, &deaf, stream, StreamType::Simulcast).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::UnsupportedCodec);
}
