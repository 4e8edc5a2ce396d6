//! Consent (RFC 7675): 30 s after its last valid check a client gets not a byte more, and its
//! session is told; whoever still checks does not notice.

use railgun_peer::{Arrival, Call};
use railgun_protocol::media_rpc::Event;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::{IceParameters, IceState};
use std::time::Duration;

/// The ICE states told of a peer's transport, oldest first.
fn states(call: &Call, peer: usize) -> Vec<IceState> {
    let id = call.world.peers[peer].id;
    let of_it = call.world.events.iter().filter_map(|event| match event.event {
        Event::TransportState { transport, ice, .. } if transport == id => Some(ice),
        _ => None,
    });
    of_it.collect()
}

fn tick_for(call: &mut Call, time: Duration, checking: &[usize]) {
    let end = call.world.now + time;
    while call.world.now < end {
        call.tick(checking);
    }
}

#[test]
fn thirty_seconds_after_the_last_check_comes_the_last_byte() {
    let mut call = Call::new(31);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let address = call.world.peers[listener].address;
    tick_for(&mut call, Duration::from_secs(5), &[talker, listener]);
    let check = call.world.peers[listener].check();
    call.world.send(address, check);
    let last_check = call.world.now;

    tick_for(&mut call, Duration::from_millis(29_900), &[talker]);
    assert!(call.world.now - call.world.sent[&address].last_at < Duration::from_millis(40), "until then all");
    assert_eq!(states(&call, listener).last(), Some(&IceState::Completed));

    tick_for(&mut call, Duration::from_secs(60), &[talker]);
    let silent_from = call.world.sent[&address].last_at - last_check;
    assert!(silent_from <= Duration::from_millis(30_500), "{silent_from:?}");
    assert_eq!(states(&call, listener).last(), Some(&IceState::Disconnected));
    assert_eq!(states(&call, talker).last(), Some(&IceState::Completed), "the talker checked all the time");
}

#[test]
fn neither_reports_nor_invalid_checks_nor_repeated_ones_are_consent() {
    let mut call = Call::new(32);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let address = call.world.peers[listener].address;
    let kept = call.world.peers[listener].check();
    call.world.send(address, kept.clone());
    let last_check = call.world.now;
    let peer = &mut call.world.peers[listener];
    let guessed = IceParameters { password: "a".repeat(32), ..peer.ice().clone() };
    let right = peer.use_ice(guessed);
    let forged = peer.check();
    peer.use_ice(right);
    for _ in 0..90 {
        tick_for(&mut call, Duration::from_secs(1), &[talker]);
        let report = call.report(Source::Mic);
        for datagram in [report, kept.clone(), forged.clone()] {
            call.world.send(address, datagram);
        }
    }
    let media_until = call.world.sent[&address].last_at - last_check;
    assert!(media_until <= Duration::from_millis(30_500), "{media_until:?}");
    assert_eq!(states(&call, listener).last(), Some(&IceState::Disconnected));
}

#[test]
fn a_check_after_the_loss_brings_everything_back() {
    let mut call = Call::new(33);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    tick_for(&mut call, Duration::from_secs(40), &[talker]);
    assert_eq!(states(&call, listener).last(), Some(&IceState::Disconnected));
    call.world.peers[listener].arrivals.clear();
    for _ in 0..10 {
        let check = call.world.peers[listener].check();
        call.world.send(call.world.peers[listener].address, check);
        tick_for(&mut call, Duration::from_millis(100), &[talker]);
        let feedback = call.world.peers[listener].feedback().expect("something arrived");
        call.world.send(call.world.peers[listener].address, feedback);
    }
    call.world.peers[listener].arrivals.clear();
    tick_for(&mut call, Duration::from_secs(1), &[talker, listener]);
    assert_eq!(call.heard(Source::Mic).len(), 50);
    assert_eq!(call.heard(Source::Camera).len(), 50);
    let unopened = |arrival: &&Arrival| matches!(arrival, Arrival::Unopened(_));
    assert_eq!(call.world.peers[listener].arrivals.iter().filter(unopened).count(), 0);
}
