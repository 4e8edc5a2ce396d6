//! Congestion control feedback (RFC 8888): a receiver that lists `ack ccfb` with each of its codecs gets streams with it,
//! and without transport-cc and its header extension. Others get what they always got.

use railgun_protocol::ortc::{
    ConsumerStream, DEFAULT_CODECS, consumable_parameters, consumer_parameters, narrow_capabilities,
    offer_ccfb, producer_mapping, router_rtp_capabilities,
};
use railgun_protocol::rtp_parameters::{
    MediaKind, RtcpFeedback, RtpCapabilities, RtpParameters, StreamType, extension_uri,
};
use serde_json::json;

fn router() -> RtpCapabilities {
    router_rtp_capabilities(&DEFAULT_CODECS, 64_000)
}

/// What a receiver of `capabilities` gets of a VP8 camera or a microphone.
fn gets(kind: MediaKind, capabilities: &RtpCapabilities) -> RtpParameters {
    let codecs = match kind {
        MediaKind::Audio => {
            json!([{"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2}])
        }
        MediaKind::Video => json!([{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000},
            {"mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000, "parameters": {"apt": 96}}]),
    };
    let encoding = match kind {
        MediaKind::Audio => json!({"ssrc": 1}),
        MediaKind::Video => json!({"ssrc": 1, "rtx": {"ssrc": 2}}),
    };
    let sent = json!({"mid": "0", "codecs": codecs, "encodings": [encoding], "rtcp": {"cname": "c"},
        "headerExtensions": [{"uri": extension_uri::MID, "id": 1}]});
    let sent: RtpParameters = serde_json::from_value(sent).unwrap();
    let mapping = producer_mapping(&sent, &router()).unwrap();
    let consumable = consumable_parameters(kind, &sent, &router(), &mapping);
    let stream = ConsumerStream { mid: "1".into(), ssrc: 3, rtx_ssrc: 4, cname: "c".into() };
    let narrowed = narrow_capabilities(capabilities).unwrap();
    consumer_parameters(&consumable, &narrowed, stream, StreamType::Simple).unwrap()
}

fn has(parameters: &RtpParameters, kind: &str) -> Vec<bool> {
    parameters.codecs.iter().map(|codec| codec.rtcp_feedback.iter().any(|it| it.kind == kind)).collect()
}

fn is_numbered(parameters: &RtpParameters) -> bool {
    parameters.header_extensions.iter().any(|it| it.uri == extension_uri::TRANSPORT_WIDE_CC)
}

/// As mediasoup-client says it: RTX has no feedback.
fn without_rtx_feedback(mut capabilities: RtpCapabilities) -> RtpCapabilities {
    let rtx = capabilities.codecs.iter_mut().filter(|codec| codec.mime_type == "video/rtx");
    rtx.for_each(|codec| codec.rtcp_feedback.clear());
    capabilities
}

#[test]
fn a_receiver_with_ccfb_gets_it_in_place_of_transport_cc() {
    let mut offered = router();
    offer_ccfb(&mut offered);
    for capabilities in [offered.clone(), without_rtx_feedback(offered)] {
        let video = gets(MediaKind::Video, &capabilities);
        assert_eq!(has(&video, "ack"), [true, true], "its RTX as well, or Chromium takes it for none");
        assert_eq!((has(&video, "transport-cc"), is_numbered(&video)), (vec![false, false], false));
        assert_eq!(has(&gets(MediaKind::Audio, &capabilities), "ack"), [true]);
    }
}

#[test]
fn a_receiver_without_ccfb_gets_what_it_always_got() {
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let stock = gets(kind, &router());
        assert!(!has(&stock, "ack").contains(&true));
        assert_eq!(is_numbered(&stock), kind == MediaKind::Video);
        assert_eq!(has(&stock, "transport-cc")[0], kind == MediaKind::Video);
    }
    // A browser that has it, behind a router that does not offer it: mediasoup-client lists what both have.
    let said = |router: &RtpCapabilities| serde_json::to_string(router).unwrap();
    assert!(!said(&router()).contains("ccfb"));
}

#[test]
fn ccfb_is_narrowed_to_one_and_other_acks_to_none() {
    let mut capabilities = router();
    let rpsi = RtcpFeedback { kind: "ack".into(), parameter: "rpsi".into() };
    for codec in &mut capabilities.codecs {
        codec.rtcp_feedback.extend([RtcpFeedback::ccfb(), rpsi.clone(), RtcpFeedback::ccfb()]);
    }
    let narrowed = narrow_capabilities(&capabilities).unwrap();
    let acks =
        narrowed.codecs.iter().filter(|codec| codec.mime_type != "video/rtx").map(|codec| {
            codec.rtcp_feedback.iter().filter(|it| it.kind == "ack").cloned().collect::<Vec<_>>()
        });
    assert!(acks.into_iter().all(|acks| acks == [RtcpFeedback::ccfb()]));
}
