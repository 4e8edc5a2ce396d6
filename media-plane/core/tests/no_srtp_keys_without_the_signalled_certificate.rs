use crate::dtls_pair::{NODE_CERTIFICATE, Network, Node, Peer, Weather, peer_fingerprint};
use railgun_media_core::transport::dtls::{DtlsFailure, DtlsTransport, DtlsVersion, FingerprintError};
use railgun_protocol::transport_parameters::{DtlsFingerprint, DtlsRole};
use std::time::Instant;

#[test]
fn another_certificate_fails_the_handshake_in_every_version_and_role() {
    let other = DtlsFingerprint { algorithm: "sha-256".into(), value: NODE_CERTIFICATE.fingerprint_sha256() };
    // What comes after the first is no alternative.
    let list = [other, peer_fingerprint()];
    for version in [DtlsVersion::Dtls12, DtlsVersion::Dtls13, DtlsVersion::Auto] {
        for peer_role in [DtlsRole::Client, DtlsRole::Server] {
            let mut network = Network::new(Weather::default(), 3);
            let mut node = Node::expecting(&list, version, peer_role, network.now);
            let mut peer = Peer::new(version, peer_role == DtlsRole::Client, 3, network.now);
            assert!(!network.run(&mut node, &mut peer));
            assert_eq!(node.failure, Some(DtlsFailure::FingerprintMismatch), "{version:?} {peer_role:?}");
            assert_eq!(node.keys, None);
            // Failed is final: whatever the peer still sends is not answered.
            for packet in peer.drain() {
                assert!(node.answer(&packet, network.now).is_empty());
            }
            if peer_role == DtlsRole::Client && version == DtlsVersion::Dtls12 {
                assert_eq!(peer.keys, None, "the peer got our Finished");
            }
        }
    }
}

#[test]
fn lists_without_a_strong_fingerprint_make_no_transport() {
    let weak = |algorithm: &str| DtlsFingerprint { algorithm: algorithm.into(), value: "00".into() };
    let refused = |list: &[DtlsFingerprint]| {
        let certificate = NODE_CERTIFICATE.clone();
        DtlsTransport::new(certificate, DtlsVersion::Dtls12, DtlsRole::Client, list, Instant::now()).err()
    };
    assert_eq!(refused(&[]), Some(FingerprintError::Empty));
    assert_eq!(refused(&[weak("sha-1")]), Some(FingerprintError::NoStrongHash));
    assert_eq!(refused(&[weak("md5"), weak("sha-1")]), Some(FingerprintError::NoStrongHash));
    assert_eq!(refused(&[weak("sha-256")]), Some(FingerprintError::BadValue));
    assert_eq!(refused(&[peer_fingerprint()]), None);
}
