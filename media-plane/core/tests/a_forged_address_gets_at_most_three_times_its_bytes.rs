//! Checks whose source is somebody else's address: a member who nominates a victim, a recorded
//! check that is sent again, a member who claims another's address. None of them aims media.

use railgun_peer::{Call, Offer};
use railgun_shared::plan::Tier;
use railgun_shared::signal::Source;
use railgun_shared::transport_parameters::TransportDirection::Send;
use std::net::SocketAddr;
use std::time::Duration;

fn victim() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 7], 53))
}

/// A call that has gone on for 2 s.
fn in_call(seed: u8) -> Call {
    let mut call = Call::new(seed);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    (0..100).for_each(|_| call.tick(&[talker, listener]));
    call
}

#[test]
fn a_nominated_victim_gets_little_and_the_member_has_his_media_back_with_a_check() {
    let mut call = in_call(61);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let forged = call.world.peers[listener].check();
    let received = forged.len() as u64;
    call.world.send(victim(), forged);
    (0..500).for_each(|_| call.tick(&[talker]));
    let bytes = call.world.bytes_to(victim());
    assert!(bytes <= 3 * received && bytes <= 600, "{bytes} for {received}");

    let own = call.world.peers[listener].check();
    call.world.send(call.world.peers[listener].address, own);
    call.world.peers[listener].arrivals.clear();
    (0..50).for_each(|_| call.tick(&[talker, listener]));
    assert_eq!(call.heard(Source::Mic).len(), 50, "his own address was proved before");
    assert_eq!(call.world.bytes_to(victim()), bytes);
}

#[test]
fn more_forged_checks_buy_three_times_their_bytes_and_other_datagrams_no_more() {
    let mut call = in_call(62);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let mut received = 0;
    for _ in 0..200 {
        let forged = call.world.peers[listener].check();
        let report = call.report(Source::Camera);
        for datagram in [forged, report, vec![0x80; 400]] {
            received += datagram.len() as u64;
            call.world.send(victim(), datagram);
        }
        call.tick(&[talker]);
    }
    let bytes = call.world.bytes_to(victim());
    assert!(bytes > 0 && bytes <= 3 * received, "{bytes} for {received}");
}

#[test]
fn reports_on_packets_that_were_never_sent_prove_nothing() {
    let mut call = in_call(63);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let forged = call.world.peers[listener].check();
    let mut received = forged.len() as u64;
    call.world.send(victim(), forged);
    call.tick(&[talker]);
    assert!(call.world.bytes_to(victim()) > 100, "some speech went there");
    let ssrc = call.mic.consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    for highest in [u32::MAX, 0xffff_0000, 0x7fff_ffff] {
        let report = call.report_of(ssrc, highest);
        received += report.len() as u64;
        call.world.send(victim(), report);
    }
    (0..100).for_each(|_| call.tick(&[talker]));
    let bytes = call.world.bytes_to(victim());
    assert!(bytes <= 3 * received, "{bytes} for {received}");
}

#[test]
fn a_check_sent_again_from_elsewhere_moves_nothing() {
    let mut call = in_call(64);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let own = call.world.peers[listener].address;
    let recorded = call.world.peers[listener].check();
    call.world.send(own, recorded.clone());
    call.world.peers[listener].arrivals.clear();
    for n in 0..100_000u32 {
        let [_, a, b, c] = n.to_be_bytes();
        call.world.send(SocketAddr::from(([198, a, b, c], 5000)), recorded.clone());
    }
    assert_eq!(call.world.sent.len(), 2, "nobody else was sent anything, not even an answer");
    (0..50).for_each(|_| call.tick(&[talker, listener]));
    assert_eq!(call.heard(Source::Mic).len(), 50);
    assert_eq!(call.world.sent.len(), 2);
}

#[test]
fn a_member_cannot_take_the_address_of_another_who_checks() {
    let mut call = in_call(65);
    let room = call.room.clone();
    let intruder = call.world.join(&room, 3, Tier::Free);
    let taker = call.world.connect(&room, intruder, Send);
    call.world.produce(&room, intruder, taker, &Offer::new(Source::Mic, 40)).unwrap();
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let refused = call.world.engine.counters().refused_checks;
    call.world.peers[listener].arrivals.clear();
    for _ in 0..600 {
        for place in [talker, listener] {
            let claim = call.world.peers[taker].check();
            call.world.send(call.world.peers[place].address, claim);
        }
        for _ in 0..5 {
            call.tick(&[talker, listener, taker]);
        }
    }
    assert_eq!(call.heard(Source::Mic).len(), 3_000, "a minute of speech");
    assert_eq!(call.heard(Source::Camera).len(), 3_000);
    assert_eq!(call.world.engine.counters().refused_checks, refused + 1_200);
    // Who is gone for long has no claim; whoever has the address then may use it.
    call.world.advance(Duration::from_secs(12));
    let claim = call.world.peers[taker].check();
    call.world.send(call.world.peers[listener].address, claim);
    assert_eq!(call.world.engine.counters().refused_checks, refused + 1_200);
}
