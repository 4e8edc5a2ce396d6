//! The validators are strict; these are packets that a real browser sent, and none may be refused.

use railgun_media_core::packet::kind::{Kind, classify};
use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound};
use railgun_media_core::packet::rtp::RtpHeader;
use railgun_media_core::packet::stun::BindingRequest;
use railgun_media_core::transport::dtls::{
    Certificate, DtlsOutput, DtlsTransport, DtlsVersion, POLL_BUFFER_LEN,
};
use railgun_protocol::transport_parameters::{DtlsFingerprint, DtlsRole};
use std::time::Instant;

const CAPTURE: &str = include_str!("fixtures/chromium-156-call.txt");

fn packets(kind: &str) -> Vec<Vec<u8>> {
    let lines = CAPTURE.lines().filter_map(|line| line.split_once(' '));
    let of_kind = lines.filter(|(name, _)| *name == kind);
    let packets: Vec<Vec<u8>> = of_kind
        .map(|(_, hex)| {
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (0..hex.len()).step_by(2).map(byte).collect()
        })
        .collect();
    assert!(packets.len() >= 10, "the capture has {kind}");
    packets
}

#[test]
fn stun() {
    for packet in packets("stun") {
        assert_eq!(classify(&packet), Some(Kind::Stun));
        let request = BindingRequest::parse(&packet).unwrap_or_else(|error| panic!("{error}: {packet:02x?}"));
        assert!(request.ice_controlling.is_some());
    }
}

#[test]
fn dtls() {
    let certificate = Certificate::generate().unwrap();
    let fingerprint =
        DtlsFingerprint { algorithm: "sha-256".into(), value: certificate.fingerprint_sha256() };
    let now = Instant::now();
    let mut server =
        DtlsTransport::new(certificate, DtlsVersion::Dtls12, DtlsRole::Client, &[fingerprint], now).unwrap();
    server.start(now);
    let mut answered = false;
    for packet in packets("dtls") {
        assert_eq!(classify(&packet), Some(Kind::Dtls));
        // The hello of one connection is answered; what follows it belongs to other keys.
        server.handle(&packet, now);
        answered |= matches!(server.poll(&mut [0; POLL_BUFFER_LEN]), DtlsOutput::Packet(_));
    }
    assert!(answered, "a ClientHello in two datagrams gets its answer");
}

#[test]
fn rtp() {
    let mut payload_types = std::collections::BTreeSet::new();
    for packet in packets("rtp") {
        assert_eq!(classify(&packet), Some(Kind::Rtp));
        let header = RtpHeader::parse(&packet).unwrap_or_else(|error| panic!("{error}: {packet:02x?}"));
        header.strip_padding(&packet).unwrap();
        assert!(header.extensions(&packet).count() > 0, "browsers send extensions");
        payload_types.insert(header.payload_type);
    }
    assert!(payload_types.len() >= 2, "audio and video");
}

#[test]
fn rtcp() {
    for packet in packets("rtcp") {
        let compound = parse_compound(&packet).unwrap_or_else(|error| panic!("{error}: {packet:02x?}"));
        let unknown = compound.filter(|it| matches!(it, RtcpPacket::Unknown { .. })).count();
        assert_eq!(unknown, 0, "{packet:02x?}");
    }
}
