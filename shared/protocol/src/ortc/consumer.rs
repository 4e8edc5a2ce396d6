//! What one receiver gets of a stream.

use super::codec_match::{apt, is_rtx, same_codec};
use super::error::OrtcError;
use super::producer::{kind_of, scalability};
use super::supported::extension_id;
use crate::rtp_parameters::{
    CodecParameters, Direction, MediaKind, RtcpFeedback, RtcpParameters, RtpCapabilities, RtpCodecCapability,
    RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters, RtpParameters, RtxParameters,
    StreamType, extension_uri,
};

/// The numbers and names that the room gives to one consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerStream {
    /// Decimal, unique on its transport, at most 8 characters.
    pub mid: String,
    /// SSRC of the one encoding that the consumer gets.
    pub ssrc: u32,
    /// Used if the consumer gets retransmissions.
    pub rtx_ssrc: u32,
    /// RTCP's name of the producer's clock (RFC 3550 §6.5.1), by which audio and video are played in step.
    pub cname: String,
}

/// Whether the receiver has a codec for this stream.
pub fn can_consume(consumable: &RtpParameters, receiver: &RtpCapabilities) -> bool {
    consumable.codecs.iter().any(|codec| media_codec(codec, receiver).is_some())
}

/// The one stream that the receiver is sent: router's payload types and extension ids, narrowed to
/// what `receiver` has. Of audio what is lost is asked for by plain NACKs whatever the receiver lists: browsers list none
/// for Opus and send them all the same when they are offered.
pub fn consumer_parameters(
    consumable: &RtpParameters,
    receiver: &RtpCapabilities,
    stream: ConsumerStream,
    stream_type: StreamType,
) -> Result<RtpParameters, OrtcError> {
    let is_video = kind_of(&consumable.codecs) == Some(MediaKind::Video);
    let mut parameters = narrow(consumable, receiver, stream, stream_type, is_video)?;
    if !is_video {
        let nack = RtcpFeedback { kind: "nack".into(), parameter: String::new() };
        parameters.codecs.iter_mut().for_each(|codec| codec.rtcp_feedback.push(nack.clone()));
    }
    Ok(parameters)
}

fn narrow(
    consumable: &RtpParameters,
    receiver: &RtpCapabilities,
    stream: ConsumerStream,
    stream_type: StreamType,
    retransmit: bool,
) -> Result<RtpParameters, OrtcError> {
    let mut header_extensions = shared_extensions(consumable, receiver);
    header_extensions.extend(dependency_descriptor(consumable, receiver));
    let mut codecs = shared_codecs(consumable, receiver, retransmit);
    if codecs.is_empty() {
        return Err(OrtcError::NothingToReceive);
    }
    let estimation = BandwidthEstimation::by(&header_extensions, &codecs);
    if matches!(estimation, BandwidthEstimation::Ccfb) {
        header_extensions.retain(|extension| extension.uri != extension_uri::TRANSPORT_WIDE_CC);
        for rtx in codecs.iter_mut().filter(|codec| is_rtx(&codec.mime_type)) {
            rtx.rtcp_feedback.retain(|feedback| !feedback.is_ccfb());
            rtx.rtcp_feedback.push(RtcpFeedback::ccfb());
        }
    }
    for codec in &mut codecs {
        codec
            .rtcp_feedback
            .retain(|feedback| estimation.keeps(feedback) && (retransmit || !is_plain_nack(feedback)));
    }
    let has_rtx = codecs.iter().any(|codec| is_rtx(&codec.mime_type));
    let encoding = RtpEncodingParameters {
        ssrc: Some(stream.ssrc),
        rtx: has_rtx.then_some(RtxParameters { ssrc: stream.rtx_ssrc }),
        scalability_mode: scalability_mode(&consumable.encodings, stream_type)?,
        max_bitrate: consumable.encodings.iter().filter_map(|encoding| encoding.max_bitrate).max(),
        ..RtpEncodingParameters::default()
    };
    Ok(RtpParameters {
        mid: Some(stream.mid),
        codecs,
        header_extensions,
        encodings: vec![encoding],
        rtcp: RtcpParameters { cname: Some(stream.cname), reduced_size: true },
    })
}

fn media_codec<'a>(
    codec: &RtpCodecParameters,
    receiver: &'a RtpCapabilities,
) -> Option<&'a RtpCodecCapability> {
    receiver.codecs.iter().find(|candidate| same_codec(*candidate, codec))
}

/// Media codecs that the receiver has, with its feedback, each followed by its RTX if the receiver
/// has that too.
fn shared_codecs(
    consumable: &RtpParameters,
    receiver: &RtpCapabilities,
    retransmit: bool,
) -> Vec<RtpCodecParameters> {
    let mut codecs = Vec::new();
    for codec in &consumable.codecs {
        let Some(known) = media_codec(codec, receiver) else { continue };
        codecs.push(RtpCodecParameters { rtcp_feedback: known.rtcp_feedback.clone(), ..codec.clone() });
        let theirs = rtx_of(receiver, known.preferred_payload_type);
        let ours = consumable
            .codecs
            .iter()
            .find(|rtx| is_rtx(&rtx.mime_type) && apt(&rtx.parameters) == Some(codec.payload_type));
        if let (true, Some(theirs), Some(ours)) = (retransmit, theirs, ours) {
            codecs.push(RtpCodecParameters { rtcp_feedback: theirs.rtcp_feedback.clone(), ..ours.clone() });
        }
    }
    codecs
}

fn rtx_of(receiver: &RtpCapabilities, media_payload_type: Option<u8>) -> Option<&RtpCodecCapability> {
    let media_payload_type = media_payload_type?;
    receiver
        .codecs
        .iter()
        .find(|rtx| is_rtx(&rtx.mime_type) && apt(&rtx.parameters) == Some(media_payload_type))
}

/// Extensions under the same id and URI; a receiver's ids are one space over both kinds, so the kind does not
/// matter.
fn shared_extensions(
    consumable: &RtpParameters,
    receiver: &RtpCapabilities,
) -> Vec<RtpHeaderExtensionParameters> {
    consumable
        .header_extensions
        .iter()
        .filter(|extension| {
            receiver
                .header_extensions
                .iter()
                .any(|known| known.preferred_id == extension.id && known.uri == extension.uri)
        })
        .cloned()
        .collect()
}

/// The router offers the dependency descriptor to senders alone, and no browser asks for it. Whoever
/// lists it all the same, under the router's id, gets it: a receiver that follows chains, or that passes
/// encrypted frames on.
fn dependency_descriptor(
    consumable: &RtpParameters,
    receiver: &RtpCapabilities,
) -> Option<RtpHeaderExtensionParameters> {
    let (id, uri) = (extension_id::DEPENDENCY_DESCRIPTOR, extension_uri::DEPENDENCY_DESCRIPTOR);
    let is_video = kind_of(&consumable.codecs) == Some(MediaKind::Video);
    let mut known = receiver.header_extensions.iter();
    let is_asked = known.any(|known| {
        let receives = matches!(known.direction, Direction::SendRecv | Direction::RecvOnly);
        known.preferred_id == id && known.uri == uri && receives
    });
    (is_video && is_asked).then(|| RtpHeaderExtensionParameters {
        uri: uri.into(),
        id,
        encrypt: false,
        parameters: CodecParameters::new(),
    })
}

/// Which side's feedback can carry the bandwidth estimate; a receiver must not be told of two.
#[derive(Clone, Copy)]
enum BandwidthEstimation {
    /// RFC 8888, which comes before the others: Chromium answers an offer of both with this one alone, and without the
    /// transport-wide number.
    Ccfb,
    TransportCc,
    Remb,
    None,
}

impl BandwidthEstimation {
    fn by(extensions: &[RtpHeaderExtensionParameters], codecs: &[RtpCodecParameters]) -> Self {
        let has = |uri| extensions.iter().any(|extension| extension.uri == uri);
        let mut media = codecs.iter().filter(|codec| !is_rtx(&codec.mime_type));
        if media.all(|codec| codec.rtcp_feedback.iter().any(RtcpFeedback::is_ccfb)) {
            Self::Ccfb
        } else if has(extension_uri::TRANSPORT_WIDE_CC) {
            Self::TransportCc
        } else if has(extension_uri::ABS_SEND_TIME) {
            Self::Remb
        } else {
            Self::None
        }
    }

    fn keeps(self, feedback: &RtcpFeedback) -> bool {
        match feedback.kind.as_str() {
            "ack" if feedback.is_ccfb() => matches!(self, Self::Ccfb),
            "transport-cc" => matches!(self, Self::TransportCc),
            "goog-remb" => matches!(self, Self::Remb),
            _ => true,
        }
    }
}

fn is_plain_nack(feedback: &RtcpFeedback) -> bool {
    feedback.kind == "nack" && feedback.parameter.is_empty()
}

/// Simulcast looks to its receiver like one stream with a spatial layer per encoding.
fn scalability_mode(
    encodings: &[RtpEncodingParameters],
    stream_type: StreamType,
) -> Result<Option<String>, OrtcError> {
    let first = encodings.iter().find(|encoding| encoding.scalability_mode.is_some());
    if stream_type != StreamType::Simulcast {
        return Ok(first.and_then(|encoding| encoding.scalability_mode.clone()));
    }
    let temporal_layers = first.map_or(Ok(1), |first| scalability(first).map(|mode| mode.temporal_layers))?;
    Ok(Some(format!("L{}T{temporal_layers}", encodings.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp_parameters::RtpHeaderExtensionCapability;
    use serde_json::Value;

    /// The reference vectors also hold audio with retransmission, which no caller can ask for here.
    #[test]
    fn the_dependency_descriptor_is_for_those_who_ask() {
        let vectors: Value = serde_json::from_str(include_str!("../../fixtures/golden_ortc.json")).unwrap();
        let scenarios = vectors["scenarios"].as_object().unwrap();
        for (name, scenario) in scenarios {
            let consumable: RtpParameters =
                serde_json::from_value(scenario["consumableRtpParameters"].clone()).unwrap();
            let mut receiver: RtpCapabilities =
                serde_json::from_value(vectors["deviceRecvRtpCapabilities"].clone()).unwrap();
            let is_given = |receiver: &RtpCapabilities| {
                let stream = ConsumerStream { mid: "0".into(), ssrc: 1, rtx_ssrc: 2, cname: "c".into() };
                let consumer =
                    consumer_parameters(&consumable, receiver, stream, StreamType::Simple).unwrap();
                consumer.header_extensions.iter().any(|it| it.uri == extension_uri::DEPENDENCY_DESCRIPTOR)
            };
            assert!(!is_given(&receiver), "{name}: a browser");
            receiver.header_extensions.push(RtpHeaderExtensionCapability {
                kind: MediaKind::Video,
                uri: extension_uri::DEPENDENCY_DESCRIPTOR.into(),
                preferred_id: extension_id::DEPENDENCY_DESCRIPTOR,
                preferred_encrypt: false,
                direction: Direction::RecvOnly,
            });
            let is_video = kind_of(&consumable.codecs) == Some(MediaKind::Video);
            assert_eq!(is_given(&receiver), is_video, "{name}");
        }
    }

    #[test]
    fn with_retransmission_audio_keeps_its_nack() {
        let vectors: Value = serde_json::from_str(include_str!("../../fixtures/golden_ortc.json")).unwrap();
        let audio = &vectors["scenarios"]["audio"];
        let read = |name: &str| serde_json::from_value::<RtpParameters>(audio[name].clone()).unwrap();
        let receiver = serde_json::from_value(vectors["deviceRecvRtpCapabilities"].clone()).unwrap();
        let stream = ConsumerStream { mid: "0".into(), ssrc: 1, rtx_ssrc: 2, cname: "c1".into() };
        let consumer =
            narrow(&read("consumableRtpParameters"), &receiver, stream.clone(), StreamType::Simple, true)
                .unwrap();
        let mut expected = read("consumerRtpParametersWithEnableRtx");
        expected.mid = Some("0".into());
        expected.encodings[0].ssrc = Some(1);
        assert_eq!(consumer, expected);
        // What consumers get: the same, of receivers that list no NACK as of those that do.
        let mut browser: RtpCapabilities = receiver;
        for codec in &mut browser.codecs {
            codec.rtcp_feedback.retain(|feedback| !is_plain_nack(feedback));
        }
        let consumable = read("consumableRtpParameters");
        let ours = consumer_parameters(&consumable, &browser, stream, StreamType::Simple).unwrap();
        let feedback = |it: &RtpParameters| {
            let mut all: Vec<_> = it.codecs[0].rtcp_feedback.iter().map(|it| it.kind.clone()).collect();
            all.sort();
            all
        };
        assert_eq!(feedback(&ours), feedback(&expected));
        assert!(feedback(&ours).contains(&"nack".to_owned()));
    }
}
