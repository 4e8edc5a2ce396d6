use crate::dtls_pair::{Network, Node, Peer, Weather, fragment, record};
use railgun_media_core::transport::dtls::{DtlsFailure, DtlsVersion};
use railgun_protocol::limits::DTLS_HANDSHAKE_TIMEOUT;
use railgun_protocol::transport_parameters::DtlsRole;
use std::time::{Duration, Instant};

fn hello(random: u8) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend_from_slice(&[random; 32]);
    body.extend_from_slice(&[0; 1000]);
    fragment(1, 1100, 0, 0, &body)
}

type Flood = fn(u32) -> Vec<u8>;

/// What blocked, bloated or aborted other implementations.
const FLOODS: [(&str, Flood); 6] = [
    ("one byte fragments", |n| fragment(1, 16_000, 0, 40 + n % 15_000, &[1])),
    ("zero length fragments", |n| fragment(1, 16_000, 0, n % 15_000, &[])),
    ("overlapping fragments", |n| fragment(11, 16_000, 1, n % 4000, &[1; 1400])),
    ("message numbers", |n| fragment(11, 40, u16::try_from(n % 0xffff).unwrap(), 0, &[1; 40])),
    ("next epoch", |n| record(22, 1, u64::from(n), &[7; 1400])),
    ("many hellos", |n| hello(u8::try_from(n % 251).unwrap())),
];

#[test]
fn twenty_thousand_hostile_datagrams_cost_little_and_fail_in_time() {
    for (name, flood) in FLOODS {
        let began = Instant::now();
        let mut node = Node::server(began);
        node.answer(&hello(0), began);
        let mut sent = 0;
        for n in 0..20_000 {
            sent += node.answer(&flood(n), began).len();
        }
        // A debug build; the generous figure still tells linear from quadratic.
        assert!(began.elapsed() < Duration::from_secs(2), "{name}: {:?}", began.elapsed());
        assert_eq!(sent, 0, "{name}");
        node.dtls.handle_timeout(began + DTLS_HANDSHAKE_TIMEOUT);
        node.drain();
        assert_eq!(node.failure, Some(DtlsFailure::Timeout), "{name}");
        assert_eq!(node.keys, None);
    }
}

#[test]
fn a_client_that_says_hello_after_a_flood_gets_through() {
    for (name, flood) in FLOODS {
        let mut network = Network::new(Weather::default(), 3);
        let (mut node, mut peer) = (Node::server(network.now), Peer::client(network.now));
        for n in 0..2000 {
            node.answer(&flood(n), network.now);
        }
        // "many hellos" leaves an object that is not exhausted but waits for the wrong client.
        network.now += Duration::from_secs(3);
        assert!(network.run(&mut node, &mut peer), "{name}: {:?}", node.failure);
    }
}

#[test]
fn a_forged_certificate_of_sixteen_kilobytes_overruns_nothing() {
    let now = Instant::now();
    let (mut node, mut peer) = (Node::server(now), Peer::client(now));
    for packet in peer.drain() {
        node.answer(&packet, now);
    }
    let len = 16 * 1024_u32;
    let mut message = [0, 0x3f, 0xfd, 0, 0x3f, 0xfa].to_vec();
    message.resize(len as usize, 0x30);
    for (index, chunk) in message.chunks(1400).enumerate() {
        let offset = u32::try_from(index * 1400).unwrap();
        node.answer(&fragment(11, len, 1, offset, chunk), now);
    }
    assert_eq!((node.keys, node.failure), (None, None));
}

#[test]
fn a_handshake_that_is_never_finished_fails_after_ten_seconds() {
    let began = Instant::now();
    let (mut node, mut peer) = (Node::server(began), Peer::client(began));
    assert!(node.dtls.next_timeout().is_none(), "nothing to wait for before a ClientHello");
    for packet in peer.drain() {
        assert!(!node.answer(&packet, began).is_empty());
    }
    let mut now = began;
    while node.failure.is_none() {
        now = node.wake.unwrap();
        node.dtls.handle_timeout(now);
        node.drain();
    }
    assert_eq!(node.failure, Some(DtlsFailure::Timeout));
    assert_eq!(now - began, DTLS_HANDSHAKE_TIMEOUT);
    assert!((2..=7).contains(&node.sent), "{} flights", node.sent);
    assert!(node.dtls.next_timeout().is_none());
}

#[test]
fn a_hello_the_object_refuses_is_met_by_a_new_object_at_a_bounded_rate() {
    // Well-formed for the gate, but of a client that has no extension the handshake needs.
    let mut body = vec![0xfe, 0xfd];
    body.extend_from_slice(&[5; 32]);
    body.extend_from_slice(&[0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let refused = fragment(1, u32::try_from(body.len()).unwrap(), 0, 0, &body);
    let mut network = Network::new(Weather::default(), 3);
    let (mut node, mut peer) = (Node::server(network.now), Peer::client(network.now));
    for _ in 0..1000 {
        assert!(node.answer(&refused, network.now).is_empty());
    }
    assert!(format!("{:?}", node.dtls).contains("attempts: 1,"), "{:?}", node.dtls);
    assert!(network.run(&mut node, &mut peer), "the true client's retransmission");
}

#[test]
fn a_client_whose_server_answers_nonsense_begins_again() {
    let mut network = Network::new(Weather::default(), 3);
    let mut node = Node::new(DtlsVersion::Dtls12, DtlsRole::Server, network.now);
    let mut peer = Peer::new(DtlsVersion::Dtls12, false, 3, network.now);
    node.dtls.start(network.now);
    assert_eq!(node.drain().len(), 1);
    // A ServerHello of DTLS 1.0.
    let mut body = vec![0xfe, 0xff];
    body.extend_from_slice(&[5; 32]);
    body.extend_from_slice(&[0, 0xc0, 0x2b, 0]);
    let nonsense = fragment(2, u32::try_from(body.len()).unwrap(), 0, 0, &body);
    node.answer(&nonsense, network.now);
    assert!(network.run(&mut node, &mut peer), "{:?}", node.failure);
    assert!(format!("{:?}", node.dtls).contains("attempts: 2,"), "{:?}", node.dtls);
}

/// 182 bytes of ClientHello make the node draw a key pair and sign it; what follows ends the attempt.
#[test]
fn a_client_that_ends_each_attempt_has_fifteen_of_them() {
    let began = Instant::now();
    let (mut node, hello) = (Node::server(began), Peer::client(began).drain().concat());
    let no_certificate = fragment(11, 3, 1, 0, &[0, 0, 0]);
    let mut flights = Vec::new();
    for ms in (0..10_000).step_by(10) {
        let now = began + Duration::from_millis(ms);
        if !node.answer(&hello, now).is_empty() {
            flights.push(ms);
        }
        node.answer(&no_certificate, now);
    }
    let quick = [0, 100, 200, 300, 500, 900, 1_700];
    let slow = (2_700..10_000).step_by(1_000);
    assert_eq!(flights, quick.into_iter().chain(slow).collect::<Vec<u64>>());
    node.dtls.handle_timeout(began + DTLS_HANDSHAKE_TIMEOUT);
    node.drain();
    assert_eq!(node.failure, Some(DtlsFailure::NoCertificate));
}
