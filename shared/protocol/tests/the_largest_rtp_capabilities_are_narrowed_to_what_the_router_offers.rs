//! A message full of rtpCapabilities costs each consume no more than a browser's own.

use railgun_protocol::limits::{
    CODEC_PARAMETERS_MAX, CODECS_MAX, FEEDBACKS_MAX, HEADER_EXTENSIONS_MAX, MESSAGE_BYTES_MAX,
};
use railgun_protocol::ortc::{
    DEFAULT_CODECS, OrtcError, narrow_capabilities, router_rtp_capabilities, validate_capabilities,
};
use railgun_protocol::rtp_parameters::{RtcpFeedback, RtpCapabilities};
use serde_json::json;

/// The router's own, among as many others of everything as a message holds.
fn largest() -> RtpCapabilities {
    let mut largest = router_rtp_capabilities(&DEFAULT_CODECS, 64_000);
    let mut payload_types = (0..=63).chain(96..=127).collect::<Vec<u8>>();
    payload_types.retain(|it| largest.codecs.iter().all(|codec| codec.preferred_payload_type != Some(*it)));
    let parameters = (0..4).map(|number| (format!("p{number}"), json!(number))).collect();
    let mut another = largest.codecs[1].clone();
    another.mime_type = "video/other".into();
    another.parameters = parameters;
    another.rtcp_feedback =
        vec![RtcpFeedback { kind: "nack".into(), parameter: String::new() }; FEEDBACKS_MAX];
    for payload_type in payload_types.into_iter().take(CODECS_MAX - largest.codecs.len()) {
        another.preferred_payload_type = Some(payload_type);
        largest.codecs.insert(0, another.clone());
    }
    for codec in &mut largest.codecs {
        let room = FEEDBACKS_MAX - codec.rtcp_feedback.len();
        let repeated: Vec<_> = codec.rtcp_feedback.iter().cycle().take(room).cloned().collect();
        codec.rtcp_feedback.extend(repeated);
    }
    assert!(largest.header_extensions.len() <= HEADER_EXTENSIONS_MAX);
    largest
}

#[test]
fn the_largest_capabilities_leave_the_routers_codecs_and_extensions() {
    let (largest, router) = (largest(), router_rtp_capabilities(&DEFAULT_CODECS, 64_000));
    assert_eq!(validate_capabilities(&largest), Ok(()));
    let bytes = |it: &RtpCapabilities| serde_json::to_vec(it).unwrap().len();
    assert!(bytes(&largest) > MESSAGE_BYTES_MAX / 2, "{} bytes", bytes(&largest));
    let narrowed = narrow_capabilities(&largest).unwrap();
    let (of_narrowed, of_router) = (bytes(&narrowed), bytes(&router));
    assert!(of_narrowed <= of_router + 64, "{of_narrowed} bytes of the router's {of_router}");
    let names = |it: &RtpCapabilities| {
        let codecs = it.codecs.iter().map(|codec| (codec.mime_type.clone(), codec.preferred_payload_type));
        codecs.collect::<Vec<_>>()
    };
    assert_eq!(names(&narrowed), names(&router));
    assert_eq!(narrowed.header_extensions, router.header_extensions);
    for (narrowed, router) in narrowed.codecs.iter().zip(&router.codecs) {
        assert_eq!(narrowed.rtcp_feedback, router.rtcp_feedback);
    }
    assert_eq!(narrow_capabilities(&narrowed), Ok(narrowed));
}

#[test]
fn what_is_out_of_bounds_is_refused_and_not_narrowed() {
    let mut capabilities = router_rtp_capabilities(&DEFAULT_CODECS, 64_000);
    capabilities.codecs[0].parameters =
        (0..=CODEC_PARAMETERS_MAX).map(|number| (format!("p{number}"), json!(1))).collect();
    assert!(matches!(narrow_capabilities(&capabilities), Err(OrtcError::TooMany { .. })));
}
