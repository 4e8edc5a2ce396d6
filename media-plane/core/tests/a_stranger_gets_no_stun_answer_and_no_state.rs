//! What a node does for those who prove nothing: nothing.
#![allow(clippy::cast_possible_truncation, reason = "small numbers of the test's own")]

use railgun_media_core::packet::ecn::Ecn;
use railgun_peer::{Call, World};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::IceParameters;
use railgun_protocol::transport_parameters::TransportDirection::Send;
use std::net::SocketAddr;

fn stranger(n: u32) -> SocketAddr {
    let [a, b, c, d] = n.to_be_bytes();
    SocketAddr::from(([198, 18 + (a & 1), b, c], 1024 + u16::from(d)))
}

/// Sends from a stranger's address and counts the bytes that come out anywhere.
fn bytes_out(call: &mut Call, source: SocketAddr, datagram: &[u8]) -> usize {
    let mut datagram = datagram.to_vec();
    let arrived = call.world.now;
    let mut input =
        [railgun_media_core::Datagram { source, bytes: &mut datagram, arrived, ecn: Ecn::NotEct }];
    call.world.engine.handle_datagrams(&mut input, call.world.now, |_| panic!("one datagram"));
    let sends = call.world.engine.sends();
    let out = sends.runs().iter().map(|run| run.len).sum();
    sends.clear();
    out
}

#[test]
fn a_check_that_is_not_perfect_is_dropped_without_a_byte() {
    let mut call = Call::new(5);
    let good = call.world.peers[call.talker_send].check();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut damaged = good.clone();
            damaged[at] ^= 1 << bit;
            assert_eq!(bytes_out(&mut call, stranger(at as u32), &damaged), 0, "byte {at} bit {bit}");
        }
    }
    for len in 0..good.len() {
        assert_eq!(bytes_out(&mut call, stranger(1), &good[..len]), 0);
    }
    assert_eq!(bytes_out(&mut call, stranger(1), &[&good[..], &[0; 4]].concat()), 0);
    call.assert_goes_on();
}

#[test]
fn the_answer_to_a_valid_check_is_not_larger_than_the_check() {
    let mut call = Call::new(5);
    let check = call.world.peers[call.talker_send].check();
    let out = bytes_out(&mut call, stranger(1), &check);
    assert!(out > 0 && out <= check.len(), "{out} for {}", check.len());
}

#[test]
fn a_handshake_from_an_unchecked_address_makes_nothing() {
    let mut call = Call::new(5);
    let hello = [&[22u8, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 1, 0, 0, 48][..], &[0; 56]].concat();
    let done = call.world.engine.counters().handshakes_done;
    for n in 0..100_000 {
        assert_eq!(bytes_out(&mut call, stranger(n), &hello), 0);
    }
    assert_eq!(call.world.engine.counters().handshakes_done, done);
    // People still get in.
    let session = call.world.join(&World::room("call"), 9, Tier::Free);
    call.world.connect(&World::room("call"), session, Send);
    call.assert_goes_on();
}

/// A check that is good, but for nobody, teaches the node nothing of where it came from.
#[test]
fn the_address_of_a_check_for_nobody_stays_unknown() {
    let mut call = Call::new(5);
    let peer = &mut call.world.peers[call.talker_send];
    let nobody = IceParameters { username_fragment: "A".repeat(32), ..peer.ice().clone() };
    let own = peer.use_ice(nobody);
    let check = peer.check();
    peer.use_ice(own);
    let before = *call.world.engine.counters();
    for n in 0..10_000 {
        assert_eq!(bytes_out(&mut call, stranger(n), &check), 0);
        assert_eq!(bytes_out(&mut call, stranger(n), &[0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 5, 5]), 0);
    }
    let after = call.world.engine.counters();
    assert_eq!(after.refused_checks - before.refused_checks, 10_000);
    assert_eq!(after.unknown_addresses - before.unknown_addresses, 10_000);
}

#[test]
fn an_undeclared_ssrc_makes_no_state_and_is_not_forwarded() {
    let mut call = Call::new(5);
    call.assert_goes_on();
    let address = call.world.peers[call.talker_send].address;
    let before = *call.world.engine.counters();
    for n in 0..1_000_000u32 {
        let mut junk = vec![0x80, 111, 0, 1, 0, 0, 0, 0];
        junk.extend((0x7000_0000 + n).to_be_bytes());
        junk.extend([5; 40]);
        assert_eq!(bytes_out(&mut call, address, &junk), 0);
    }
    let after = call.world.engine.counters();
    assert_eq!(after.unknown_streams - before.unknown_streams, 1_000_000);
    assert_eq!(after.forwarded_packets, before.forwarded_packets);
    call.assert_goes_on();
}

#[test]
fn a_packet_sealed_with_a_members_keys_from_elsewhere_is_not_forwarded() {
    let mut call = Call::new(5);
    let packet = call.packet(Source::Mic, b"speech");
    assert_eq!(bytes_out(&mut call, stranger(4), &packet), 0);
    call.assert_goes_on();
}
