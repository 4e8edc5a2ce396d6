//! New ICE credentials for a transport in use: what runs over it does not notice, and the old ones
//! are good until the client has used the new ones.

use railgun_peer::{Arrival, Call, KEY_FRAME};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Command, Event, Reply};
use railgun_protocol::signal::{ErrorCode, Source};
use railgun_protocol::transport_parameters::{DtlsState, IceParameters};
use std::net::SocketAddr;
use std::time::Duration;

fn restart(call: &mut Call, session: SessionId, peer: usize) -> IceParameters {
    let transport = call.world.peers[peer].id;
    let reply = call.world.command(&call.room.clone(), Command::RestartIce { session, transport });
    match reply {
        Ok(Reply::IceRestarted { transport: of, ice_parameters }) if of == transport => ice_parameters,
        other => panic!("not the reply to a restart: {other:?}"),
    }
}

/// Sends a check from the peer's address; whether it was answered there.
fn check(call: &mut Call, peer: usize) -> bool {
    let check = call.world.peers[peer].check();
    let address = call.world.peers[peer].address;
    call.world.peers[peer].arrivals.clear();
    call.world.send(address, check);
    call.world.peers[peer].arrivals.iter().any(|arrival| matches!(arrival, Arrival::Stun(_)))
}

/// The receiver says which packets arrived: with the one that asks for it, this proves its address.
fn say_what_arrived(call: &mut Call) {
    let peer = &mut call.world.peers[call.listener_recv];
    let (address, feedback) = (peer.address, peer.feedback().expect("it was asked"));
    call.world.send(address, feedback);
}

#[test]
fn the_old_credentials_work_until_a_check_came_with_the_new_ones() {
    let mut call = Call::new(21);
    let (talker, peer) = (call.talker, call.talker_send);
    let fresh = restart(&mut call, talker, peer);
    assert!(fresh.ice_lite);
    assert!(check(&mut call, peer), "the client may not know of the new ones yet");
    call.assert_goes_on();

    // A network change is what restarts are for.
    call.world.peers[peer].address = SocketAddr::from(([10, 77, 0, 1], 6000));
    let old = call.world.peers[peer].use_ice(fresh.clone());
    assert!(check(&mut call, peer));
    call.assert_goes_on();

    call.world.peers[peer].use_ice(old);
    assert!(!check(&mut call, peer), "nobody needs the old ones any more");
    call.world.peers[peer].use_ice(fresh);
    assert!(check(&mut call, peer));
    call.assert_goes_on();
    let counters = call.world.engine.counters();
    assert_eq!((counters.handshakes_done, counters.refused_checks), (2, 1));
}

#[test]
fn a_receiver_that_moved_gets_everything_at_its_new_address() {
    let mut call = Call::new(22);
    call.assert_goes_on();
    let (listener, peer) = (call.listener, call.listener_recv);
    let fresh = restart(&mut call, listener, peer);
    call.world.peers[peer].address = SocketAddr::from(([10, 77, 0, 2], 6000));
    call.world.peers[peer].use_ice(fresh);
    assert!(check(&mut call, peer));
    say_what_arrived(&mut call);
    call.assert_goes_on();
    let mut states = call.world.events.iter().filter_map(|event| match event.event {
        Event::TransportState { transport, dtls, .. } if transport == call.world.peers[peer].id => Some(dtls),
        _ => None,
    });
    assert_eq!(states.next_back(), Some(DtlsState::Connected));
}

#[test]
fn a_transport_that_lost_its_consent_comes_back_with_a_restart() {
    let mut call = Call::new(23);
    call.world.advance(Duration::from_secs(31));
    let picture = [&KEY_FRAME[..], b"picture"].concat();
    assert!(call.say(Source::Camera, &picture).is_empty(), "nobody showed that he is still there");
    for (session, peer) in [(call.talker, call.talker_send), (call.listener, call.listener_recv)] {
        let fresh = restart(&mut call, session, peer);
        call.world.peers[peer].use_ice(fresh);
        assert!(check(&mut call, peer));
    }
    say_what_arrived(&mut call);
    call.assert_goes_on();
}

#[test]
fn of_restarts_in_a_row_the_first_and_the_last_credentials_work() {
    let mut call = Call::new(24);
    let (talker, peer) = (call.talker, call.talker_send);
    let skipped = restart(&mut call, talker, peer);
    let last = restart(&mut call, talker, peer);
    assert!(check(&mut call, peer), "the ones in use");
    let first = call.world.peers[peer].use_ice(skipped);
    assert!(!check(&mut call, peer), "replaced before they were used");
    call.world.peers[peer].use_ice(last);
    assert!(check(&mut call, peer));
    call.world.peers[peer].use_ice(first);
    assert!(!check(&mut call, peer));
    call.assert_goes_on();
}

#[test]
fn only_its_owner_restarts_a_transport() {
    let mut call = Call::new(25);
    let transport = call.world.peers[call.talker_send].id;
    let stolen = Command::RestartIce { session: call.listener, transport };
    let refused = call.world.command(&call.room.clone(), stolen).unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotFound);
    let (talker_send, room, session) = (call.talker_send, call.room.clone(), call.talker);
    assert!(check(&mut call, talker_send));
    call.world.command(&room, Command::RestartIce { session, transport }).unwrap();
}
