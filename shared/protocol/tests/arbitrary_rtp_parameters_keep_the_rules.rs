//! Whatever a client sends that still reads as RTP parameters: nothing panics, a mapping sends no
//! number to two others, and a consumer is sent exactly one encoding.

use proptest::prelude::*;
use proptest::sample::select;
use railgun_protocol::ortc::{
    ConsumerStream, MediaCodec, can_consume, consumable_parameters, consumer_parameters, narrow_capabilities,
    producer_mapping, router_rtp_capabilities, validate_capabilities, validate_producer_parameters,
};
use railgun_protocol::rtp_parameters::{
    MediaKind, RtpCapabilities, RtpParameters, StreamType, extension_uri,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ALL_CODECS: [MediaCodec; 5] =
    [MediaCodec::Opus, MediaCodec::Vp8, MediaCodec::Vp9, MediaCodec::H264, MediaCodec::Av1];

fn mime_type() -> impl Strategy<Value = String> {
    let known = ["audio/opus", "video/VP8", "video/vp9", "video/H264", "video/AV1", "video/rtx"];
    prop_oneof![9 => select(known.to_vec()).prop_map(String::from), 1 => "[a-z/é]{0,9}"]
}

fn format_parameters() -> impl Strategy<Value = Value> {
    let name = select(vec!["apt", "profile-id", "packetization-mode", "profile-level-id", "profile"]);
    let value = prop_oneof![
        (95..100u8).prop_map(Value::from),
        select(vec![json!("42e01f"), json!("42e034"), json!("640c1f"), json!(1), json!("0"), json!(null)]),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!([[]])),
    ];
    prop::collection::btree_map(name, value, 0..3).prop_map(|entries| json!(entries))
}

/// Fields that parameters and capabilities have under the same names.
fn codec() -> impl Strategy<Value = Value> {
    let feedback = select(vec!["nack", "transport-cc", "goog-remb", "ccm", ""]);
    let feedback = prop::collection::vec(feedback.prop_map(|kind| json!({"type": kind})), 0..4);
    let clock_rate = select(vec![90_000, 90_000, 90_000, 48_000, 0]);
    let channels = select(vec![json!(2), json!(2), json!(1), json!(0), json!(null)]);
    (mime_type(), 94..104u8, clock_rate, channels, format_parameters(), feedback, any::<bool>()).prop_map(
        |(mime_type, payload_type, clock_rate, channels, parameters, feedback, video)| {
            json!({
                "mimeType": mime_type, "kind": if video { "video" } else { "audio" },
                "payloadType": payload_type, "preferredPayloadType": payload_type,
                "clockRate": if mime_type == "audio/opus" { 48_000 } else { clock_rate },
                "channels": channels, "parameters": parameters, "rtcpFeedback": feedback,
            })
        },
    )
}

fn extension() -> impl Strategy<Value = Value> {
    let uris = [
        extension_uri::MID,
        extension_uri::ABS_SEND_TIME,
        extension_uri::TRANSPORT_WIDE_CC,
        extension_uri::RTP_STREAM_ID,
        "urn:other",
    ];
    (select(uris.to_vec()), prop_oneof![0..16u8, any::<u8>()], any::<bool>()).prop_map(|(uri, id, video)| {
        json!({"uri": uri, "id": id, "preferredId": id, "kind": if video { "video" } else { "audio" }})
    })
}

fn encoding() -> impl Strategy<Value = Value> {
    let number =
        prop_oneof![(0..4u32).prop_map(Value::from), any::<u32>().prop_map(Value::from), Just(json!(null))];
    let rid =
        prop_oneof![select(vec![json!("r0"), json!("r1"), json!(null)]), ".{0,3}".prop_map(Value::from)];
    let mode = prop_oneof![
        4 => select(vec![json!("L1T3"), json!("L3T3_KEY"), json!(null)]),
        1 => "[LS][0-9é]T[0-9é](_KEY)?".prop_map(Value::from)
    ];
    (number.clone(), number, rid, mode, any::<Option<u64>>()).prop_map(|(ssrc, rtx, rid, mode, bitrate)| {
        let rtx = if rtx.is_null() { json!(null) } else { json!({"ssrc": rtx}) };
        json!({"ssrc": ssrc, "rtx": rtx, "rid": rid, "scalabilityMode": mode, "maxBitrate": bitrate})
    })
}

fn parameters() -> impl Strategy<Value = RtpParameters> {
    let list = |item, most| prop::collection::vec(item, 0..most);
    (
        prop_oneof![Just(json!("0")), ".{0,9}".prop_map(Value::from)],
        prop::collection::vec(codec(), 0..4),
        list(extension().boxed(), 4),
        list(encoding().boxed(), 4),
    )
        .prop_map(|(mid, codecs, extensions, encodings)| {
            let value = json!({
                "mid": mid, "codecs": codecs, "headerExtensions": extensions, "encodings": encodings,
            });
            serde_json::from_value(value).unwrap()
        })
}

/// Parameters that are usually sound: what a browser sends, a few fields replaced.
fn nearly_sound() -> impl Strategy<Value = RtpParameters> {
    let encodings = prop::collection::vec(encoding(), 0..3);
    (any::<bool>(), any::<Option<u8>>(), 96..100u8, prop::option::of(encodings)).prop_map(
        |(simulcast, payload_type, apt, encodings)| {
            let sound = if simulcast {
                json!([{"rid": "r0", "scalabilityMode": "L1T3"}, {"rid": "r1", "maxBitrate": 9}])
            } else {
                json!([{"ssrc": 1, "rtx": {"ssrc": 2}}])
            };
            let value = json!({
                "codecs": [
                    {"mimeType": "video/VP8", "payloadType": payload_type.unwrap_or(96), "clockRate": 90_000},
                    {"mimeType": "video/VP8", "payloadType": 98, "clockRate": 90_000},
                    {"mimeType": "video/rtx", "payloadType": 97, "clockRate": 90_000, "parameters": {"apt": apt}},
                ],
                "headerExtensions": [{"uri": extension_uri::MID, "id": 4}],
                "encodings": encodings.map_or(sound, Value::from),
            });
            serde_json::from_value(value).unwrap()
        },
    )
}

fn receiver() -> impl Strategy<Value = RtpCapabilities> {
    let router = router_rtp_capabilities(&ALL_CODECS, 64_000);
    let arbitrary = (prop::collection::vec(codec(), 0..5), prop::collection::vec(extension(), 0..5))
        .prop_map(|(codecs, extensions)| {
            serde_json::from_value(json!({"codecs": codecs, "headerExtensions": extensions})).unwrap()
        });
    let subset = prop::sample::subsequence(router.codecs.clone(), 0..=router.codecs.len())
        .prop_map(move |codecs| RtpCapabilities { codecs, ..router.clone() });
    prop_oneof![arbitrary, subset]
}

/// Without feedback that the router does not know, or that is listed again.
fn known_feedback(mut parameters: RtpParameters) -> RtpParameters {
    let router = router_rtp_capabilities(&ALL_CODECS, 64_000);
    for codec in &mut parameters.codecs {
        let offered = router.codecs.iter().find(|it| it.preferred_payload_type == Some(codec.payload_type));
        let mut seen = Vec::new();
        codec.rtcp_feedback.retain(|feedback| {
            let is_known = offered.is_some_and(|it| it.rtcp_feedback.contains(feedback));
            let is_first = !seen.contains(feedback);
            seen.push(feedback.clone());
            is_known && is_first
        });
    }
    parameters
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_parameters(
        sent in prop_oneof![parameters(), nearly_sound()],
        receiver in receiver(),
        audio in any::<bool>(),
    ) {
        let kind = if audio { MediaKind::Audio } else { MediaKind::Video };
        let router = router_rtp_capabilities(&ALL_CODECS, 64_000);
        let sound = validate_producer_parameters(kind, &sent);
        let receiver_is_sound = validate_capabilities(&receiver).is_ok();
        let stream = || ConsumerStream { mid: "0".into(), ssrc: 1, rtx_ssrc: 2, cname: "c".into() };

        // As if somebody forgot the check: still no panic, at worst an error.
        let _ = consumer_parameters(&sent, &receiver, stream(), StreamType::Simulcast);

        let Ok(mapping) = producer_mapping(&sent, &router) else { return Ok(()) };
        let payload_types: BTreeSet<u8> = mapping.codecs.iter().map(|codec| codec.from).collect();
        prop_assert_eq!(payload_types.len(), mapping.codecs.len());
        let ids: BTreeSet<u8> = mapping.header_extensions.iter().map(|extension| extension.from).collect();
        prop_assert_eq!(ids.len(), mapping.header_extensions.len());
        let targets: BTreeSet<u8> = mapping.header_extensions.iter().map(|extension| extension.to).collect();
        prop_assert_eq!(targets.len(), mapping.header_extensions.len());
        prop_assert!((1..=4).contains(&mapping.encodings.len()));

        if sound.is_err() {
            return Ok(());
        }
        let consumable = consumable_parameters(kind, &sent, &router, &mapping);
        prop_assert_eq!(consumable.encodings.len(), mapping.encodings.len());
        let consumer = consumer_parameters(&consumable, &receiver, stream(), mapping.stream_type);
        prop_assert_eq!(consumer.is_ok(), can_consume(&consumable, &receiver));
        let narrowed = narrow_capabilities(&receiver);
        prop_assert_eq!(narrowed.is_ok(), receiver_is_sound);
        if let Ok(narrowed) = narrowed {
            prop_assert!(validate_capabilities(&narrowed).is_ok());
            let of_narrowed = consumer_parameters(&consumable, &narrowed, stream(), mapping.stream_type);
            prop_assert_eq!(of_narrowed.map(known_feedback), consumer.clone().map(known_feedback));
        }
        if let Ok(consumer) = consumer {
            prop_assert_eq!(consumer.encodings.len(), 1);
            prop_assert_eq!(consumer.encodings[0].ssrc, Some(1));
            if receiver_is_sound {
                prop_assert_eq!(validate_producer_parameters(kind, &consumer), Ok(()));
            }
        }
    }
}
