//! All DTLS associations of a node share its certificate and one validated configuration, and nothing else: what
//! must be an association's own (RFC 5246 sections 6.2.3.3 and 7.4.1.2) is never that of another.

use crate::dtls_pair::{NODE_CERTIFICATE, Node, Peer, connected_pair};
use railgun_media_core::transport::dtls::Certificate;
use std::collections::HashSet;
use std::time::Instant;

/// Body of the first handshake message of this type in plaintext.
fn message(flight: &[Vec<u8>], msg_type: u8) -> Vec<u8> {
    for datagram in flight {
        let mut rest = &datagram[..];
        while rest.len() > 13 {
            let (record, after) = rest.split_at(13 + usize::from(u16::from_be_bytes([rest[11], rest[12]])));
            rest = after;
            if record[0] == 22 && record[13] == msg_type {
                return record[25..].to_vec();
            }
        }
    }
    panic!("no message of type {msg_type}");
}

#[test]
fn no_two_associations_have_the_same_random_key_share_or_nonces() {
    let now = Instant::now();
    let hello = Peer::client(now).drain().concat();
    let (mut randoms, mut key_shares) = (HashSet::new(), HashSet::new());
    for _ in 0..20 {
        let flight = Node::server(now).answer(&hello, now);
        // Version, then the random, whose first four bytes are the time.
        randoms.insert(message(&flight, 2)[6..34].to_vec());
        // Curve type, group, length, then the public key.
        let exchange = message(&flight, 12);
        key_shares.insert(exchange[4..4 + usize::from(exchange[3])].to_vec());
    }
    assert_eq!((randoms.len(), key_shares.len()), (20, 20));

    let nonces: HashSet<Vec<u8>> = (0..3)
        .map(|_| {
            let (mut node, ..) = connected_pair();
            node.dtls.close();
            let goodbye = node.drain().concat();
            assert_eq!(goodbye[3..5], [0, 1], "an encrypted record");
            goodbye[13..21].to_vec()
        })
        .collect();
    assert_eq!(nonces.len(), 3);
}

#[test]
fn an_attempt_does_not_validate_the_cryptography_again() {
    const TIMES: u32 = 20;
    let now = Instant::now();
    let hello = Peer::client(now).drain().concat();
    assert!(!NODE_CERTIFICATE.fingerprint_sha256().is_empty(), "made before it is timed");
    let began = Instant::now();
    for _ in 0..TIMES {
        assert!(!Node::server(now).answer(&hello, now).is_empty());
    }
    let attempts = began.elapsed();
    let began = Instant::now();
    for _ in 0..TIMES {
        // A key pair, a signature, and one validation.
        Certificate::generate().unwrap();
    }
    let validated = began.elapsed();
    assert!(attempts * 2 < validated, "{attempts:?} with what takes {validated:?} once each");
}
