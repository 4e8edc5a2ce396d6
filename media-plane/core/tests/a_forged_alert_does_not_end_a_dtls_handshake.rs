use crate::dtls_pair::{Node, Peer, record};
use std::time::{Duration, Instant};

/// The records that ended other implementations' connections: fatal alert, close_notify,
/// application data, an unknown content type.
fn forgeries(sequence: u64) -> Vec<Vec<u8>> {
    vec![
        record(21, 0, sequence, &[2, 40]),
        record(21, 0, sequence, &[1, 0]),
        record(23, 0, sequence, b"data"),
        record(25, 0, sequence, &[1, 2]),
        record(20, 0, sequence, &[]),
        vec![21],
    ]
}

fn inject(node: &mut Node, sequence: u64, now: Instant) {
    for forgery in forgeries(sequence) {
        assert!(node.answer(&forgery, now).is_empty());
    }
}

/// Every datagram of the handshake, with a forgery before the `point`th record the node gets. The
/// peer's records come one to a datagram, so that there is a point between any two.
fn handshake_with_forgery_at(point: usize) -> (bool, usize) {
    let mut now = Instant::now();
    let (mut node, mut peer) = (Node::server(now), Peer::client(now));
    let mut records = 0;
    let mut to_node = peer.drain();
    while !to_node.is_empty() {
        now += Duration::from_millis(5);
        let mut to_peer = Vec::new();
        for one in to_node.iter().flat_map(|datagram| split_records(datagram)) {
            if records == point {
                inject(&mut node, 40 + records as u64, now);
            }
            records += 1;
            to_peer.extend(node.answer(&one, now));
        }
        to_node = to_peer.iter().flat_map(|datagram| peer.answer(datagram, now)).collect();
    }
    inject(&mut node, 99, now);
    let is_through = node.keys.is_some_and(|keys| Some(keys.bytes.to_vec()) == peer.keys);
    (is_through, records)
}

fn split_records(mut datagram: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !datagram.is_empty() {
        let len = 13 + usize::from(u16::from_be_bytes([datagram[11], datagram[12]]));
        let (record, rest) = datagram.split_at(len);
        records.push(record.to_vec());
        datagram = rest;
    }
    records
}

#[test]
fn forged_records_at_any_point_of_a_handshake_change_nothing() {
    let (is_through, records) = handshake_with_forgery_at(usize::MAX);
    assert!(is_through);
    // ClientHello, Certificate, ClientKeyExchange, CertificateVerify, ChangeCipherSpec, Finished.
    assert_eq!(records, 6);
    for point in 0..records {
        assert!(handshake_with_forgery_at(point).0, "before record {point}");
    }
}
