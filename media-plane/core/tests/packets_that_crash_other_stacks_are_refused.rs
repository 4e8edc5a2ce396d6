//! Inputs that panic public RTP, RTCP and SRTP crates.

use railgun_media_core::packet::rtcp::{RtcpError, parse_compound};
use railgun_media_core::packet::rtp::{RtpError, RtpHeader};
use railgun_media_core::srtp::{InboundControl, MasterKey, SrtpError, Suite};

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn rtp_extensions_past_the_end() {
    for (packet, error) in [
        ("90e0000100000001deadbeefbede000110010240", RtpError::PaddingElementWithLength),
        ("b2e0000100000001deadbefd00000001000000021000000100223344", RtpError::ElementPastEnd),
    ] {
        assert_eq!(RtpHeader::parse(&hex(packet)), Err(error));
    }
}

#[test]
fn rtcp_feedback_cut_short() {
    for (packet, error) in [
        ("84ce0003000000010000000200000002", RtcpError::BadFirLength),
        ("84ce000100030001", RtcpError::FeedbackTooShort),
        ("81cd00010000ffff", RtcpError::FeedbackTooShort),
    ] {
        assert_eq!(parse_compound(&hex(packet)).map(|_| ()), Err(error));
    }
}

#[test]
fn srtcp_shorter_than_its_trailer() {
    for suite in Suite::ALL {
        let master = MasterKey::new(suite, &vec![1; suite.key_len()], &vec![2; suite.salt_len()]).unwrap();
        let mut session = InboundControl::new(&master).unwrap();
        for packet in ["807fff17", "8fce0005", ""] {
            assert_eq!(session.open_rtcp(&mut hex(packet)), Err(SrtpError::TooShort));
        }
        for len in 0..28 {
            assert!(session.open_rtcp(&mut vec![0x80; len]).is_err(), "{len} bytes");
        }
    }
}
