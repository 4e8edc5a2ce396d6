//! Payloads that name their sender, and parameters for requests written by hand.

use railgun_client::{MediaKind, SENT_EXTENSIONS, SENT_PAYLOAD_TYPES};
use serde_json::{Value, json};

/// Bytes in the place of an Opus frame: `tag` and a number.
pub fn opus_payload(tag: &str, number: u32) -> Vec<u8> {
    format!("{tag}-audio-{number:06}").into_bytes()
}

/// A one-packet VP8 frame (RFC 7741 §4.2, RFC 6386 §9.1), with `tag` and a number for its data.
pub fn vp8_payload(tag: &str, number: u32, key_frame: bool) -> Vec<u8> {
    // Start of the first partition; no extension.
    let mut payload = vec![0x10];
    if key_frame {
        // Shown key frame; start code; 320x240.
        payload.extend([0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00]);
    } else {
        payload.extend([0x11, 0, 0]);
    }
    payload.extend(format!("{tag}-video-{number:06}").into_bytes());
    payload
}

/// `rtpParameters` of a produce request that no media needs to follow.
pub fn send_parameters(kind: MediaKind, mid: &str, ssrc: u32) -> Value {
    let codecs = match kind {
        MediaKind::Audio => json!([{
            "mimeType": "audio/opus", "payloadType": SENT_PAYLOAD_TYPES.opus,
            "clockRate": 48000, "channels": 2, "parameters": {}, "rtcpFeedback": [],
        }]),
        MediaKind::Video => json!([{
            "mimeType": "video/VP8", "payloadType": SENT_PAYLOAD_TYPES.vp8,
            "clockRate": 90000, "parameters": {}, "rtcpFeedback": [{ "type": "nack", "parameter": "pli" }],
        }]),
    };
    json!({
        "mid": mid,
        "codecs": codecs,
        "headerExtensions": [{ "uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": SENT_EXTENSIONS.mid }],
        "encodings": [{ "ssrc": ssrc }],
        "rtcp": { "cname": "by-hand" },
    })
}
