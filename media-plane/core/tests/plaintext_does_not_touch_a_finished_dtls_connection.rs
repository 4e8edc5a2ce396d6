use crate::dtls_pair::{Network, Node, Peer, Weather, connected_pair, fragment, record};
use railgun_media_core::transport::dtls::DtlsVersion;
use railgun_protocol::transport_parameters::DtlsRole;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::{Duration, Instant};

/// The connection still carries an authenticated record: the peer's `close_notify`.
fn assert_alive(mut node: Node, mut peer: Peer, now: Instant) {
    assert!(!node.closed && node.failure.is_none());
    peer.dtls.close().unwrap();
    for packet in peer.drain() {
        node.answer(&packet, now);
    }
    assert!(node.closed);
}

#[test]
fn the_four_records_that_end_other_implementations() {
    let (mut node, peer, now) = connected_pair();
    for (content_type, body) in [(21, &[2, 40][..]), (21, &[1, 0]), (23, b"data"), (99, &[1, 2, 3])] {
        for sequence in [0, 7, 0xffff_ffff_ffff] {
            assert!(node.answer(&record(content_type, 0, sequence, body), now).is_empty());
        }
    }
    assert_alive(node, peer, now);
}

#[test]
fn a_hundred_thousand_random_plaintext_records() {
    let (mut node, peer, mut now) = connected_pair();
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let sent_before = node.sent;
    let mut body = [0; 64];
    for sequence in 0..100_000 {
        rng.fill(&mut body);
        let len = rng.random_range(0..64);
        let datagram = match sequence % 4 {
            0 => record(rng.random_range(0..64), 0, sequence, &body[..len]),
            1 => record(rng.random_range(20..26), 0, rng.random(), &body[..len]),
            2 => fragment([1, 11, 16, 15, 20][len % 5], 32, rng.random_range(0..9), 0, &body[..32]),
            _ => body[..len].to_vec(),
        };
        node.dtls.handle(&datagram, now);
        node.drain();
        now += Duration::from_micros(100);
    }
    assert!(node.sent - sent_before <= 3, "{} packets provoked", node.sent - sent_before);
    assert_alive(node, peer, now);
}

/// The pair, and the peer's last flight, of which the node's answer got lost.
fn last_flight() -> (Node, Peer, Vec<Vec<u8>>, Instant) {
    let now = Instant::now();
    let (mut node, mut peer) = (Node::server(now), Peer::client(now));
    let hello = peer.drain();
    let flight4: Vec<_> = hello.iter().flat_map(|packet| node.answer(packet, now)).collect();
    let flight5: Vec<_> = flight4.iter().flat_map(|packet| peer.answer(packet, now)).collect();
    let answers: usize = flight5.iter().map(|packet| node.answer(packet, now).len()).sum();
    assert!(answers > 0 && node.keys.is_some() && peer.keys.is_none());
    (node, peer, flight5, now)
}

#[test]
fn a_repeated_last_flight_is_answered_three_times_in_ten_seconds() {
    let (mut node, mut peer, flight5, began) = last_flight();
    let mut answers = Vec::new();
    for second in 1..9 {
        let now = began + Duration::from_secs(second);
        node.dtls.handle_timeout(now);
        answers.extend(flight5.iter().flat_map(|packet| node.answer(packet, now)));
    }
    assert_eq!(answers.len(), 3);
    peer.answer(&answers[2], began + Duration::from_secs(9));
    assert_eq!(peer.keys, node.keys.map(|keys| keys.bytes.to_vec()));

    let (mut node, _, flight5, began) = last_flight();
    let late = began + Duration::from_secs(10);
    node.dtls.handle_timeout(late);
    assert!(flight5.iter().all(|packet| node.answer(packet, late).is_empty()));
}

#[test]
fn forged_plaintext_leaves_dtls_1_3_alone_too() {
    let mut network = Network::new(Weather::default(), 5);
    let mut node = Node::new(DtlsVersion::Dtls13, DtlsRole::Client, network.now);
    let mut peer = Peer::new(DtlsVersion::Dtls13, true, 5, network.now);
    assert!(network.run(&mut node, &mut peer));
    let now = network.now;
    for sequence in 0..1000 {
        node.answer(&record(21, 0, sequence, &[2, 40]), now);
        node.answer(&record(26, 0, sequence, &[0; 16]), now);
        node.answer(&fragment(1, 64, 0, 0, &[0xfe; 64]), now);
        node.answer(&[&[0x2f, 0, 1, 0, 32][..], &[0x5a; 32]].concat(), now);
    }
    assert_alive(node, peer, now);
}

#[test]
fn application_data_of_the_peer_is_ignored() {
    for version in [DtlsVersion::Dtls12, DtlsVersion::Dtls13] {
        let mut network = Network::new(Weather::default(), 5);
        let mut node = Node::new(version, DtlsRole::Client, network.now);
        let mut peer = Peer::new(version, true, 5, network.now);
        assert!(network.run(&mut node, &mut peer));
        for _ in 0..1000 {
            peer.dtls.send_application_data(&[0; 1000]).unwrap();
            for packet in peer.drain() {
                node.answer(&packet, network.now);
            }
        }
        assert_alive(node, peer, network.now);
    }
}
