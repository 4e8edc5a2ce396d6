//! A client gets an address (ip:port) that another transport just had: after a reload, after a crash, behind a NAT
//! that gives ports again. It connects without waiting for the node to forget the other. A member who only forges
//! checks from there takes it from nobody who is there.

use railgun_media_core::transport::dtls::{
    Certificate, DtlsOutput, DtlsTransport, DtlsVersion, POLL_BUFFER_LEN,
};
use railgun_peer::{Call, Offer, Peer, World};
use railgun_protocol::ids::{SessionId, UserId};
use railgun_protocol::media_rpc::{Address, Command, Event, JoinRequest, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::Send;
use railgun_protocol::transport_parameters::{DtlsRole, DtlsState, IceState};
use std::net::SocketAddr;
use std::time::Duration;

fn shared_address() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 9], 40_404))
}

/// A transport that its client was told of and that waits for the client's first datagram.
fn connecting(world: &mut World, room: &Address, session: SessionId) -> Peer {
    let reply = world.command(room, Command::CreateTransport { session, direction: Send });
    let Ok(Reply::TransportCreated { transport, parameters, .. }) = reply else { panic!("{reply:?}") };
    let seed = 500 + u64::try_from(world.peers.len()).unwrap();
    let peer = Peer::new(transport, shared_address(), &parameters, seed, world.now);
    let dtls = peer.dtls_parameters();
    world.command(room, Command::ConnectTransport { session, transport, dtls }).unwrap();
    peer
}

/// Nobody is at the shared address any more, and nobody says so.
fn vanish(world: &mut World) {
    world.peers.retain(|peer| peer.address != shared_address());
}

/// Carries what is said until nobody has anything to say; no time passes.
fn says_all(world: &mut World, mut peer: Peer) -> usize {
    peer.start(world.now);
    world.peers.push(peer);
    world.exchange();
    world.peers.len() - 1
}

fn states(world: &World, session: SessionId) -> Option<(IceState, DtlsState)> {
    world.heard_by(session).iter().rev().find_map(|event| match event {
        Event::TransportState { ice, dtls, .. } => Some((*ice, *dtls)),
        _ => None,
    })
}

fn speaks(call: &mut Call, session: SessionId, place: usize) {
    let room = call.room.clone();
    let offer = Offer::new(Source::Mic, 40);
    let producer = call.world.produce(&room, session, place, &offer).unwrap();
    call.world.consume(&room, call.listener, producer).unwrap();
    let before = call.world.peers[call.listener_recv].arrivals.len();
    let header = offer.header(100, 96_000, true);
    let packet = call.world.peers[place].seal_rtp(header, 100, &[], b"speech");
    call.world.send(shared_address(), packet);
    assert!(call.world.peers[call.listener_recv].arrivals.len() > before, "nothing was forwarded");
}

#[test]
fn whose_transport_was_connected_a_moment_ago() {
    let mut call = Call::new(81);
    let room = call.room.clone();
    let [old, new] = [3, 4].map(|number| call.world.join(&room, number, Tier::Pro));
    call.world.connect_from(shared_address(), &room, old, Send);
    vanish(&mut call.world);
    let peer = connecting(&mut call.world, &room, new);
    let place = says_all(&mut call.world, peer);
    assert!(call.world.peers[place].is_connected(), "no keys in the moment of the first check");
    speaks(&mut call, new, place);
    let (ice, _) = states(&call.world, old).unwrap();
    assert_eq!(ice, IceState::Disconnected, "nothing goes to the address for the other any more");
    call.assert_goes_on();
}

/// As long as the other's check is no more than 10 s old, and it was the one who had begun a handshake.
#[test]
fn whose_transport_was_in_mid_handshake() {
    for flights in [1, 2] {
        let mut call = Call::new(82);
        let room = call.room.clone();
        let [old, new] = [3, 4].map(|number| call.world.join(&room, number, Tier::Pro));
        let mut gone = connecting(&mut call.world, &room, old);
        gone.start(call.world.now);
        // Its hello, or all but the last datagram of its second flight as well.
        call.world.peers.push(gone);
        for flight in 1..=flights {
            let mut datagrams = call.world.peers.last_mut().unwrap().take_outgoing();
            if flight == 2 {
                datagrams.pop();
            }
            for datagram in datagrams {
                call.world.send(shared_address(), datagram);
            }
        }
        vanish(&mut call.world);
        let peer = connecting(&mut call.world, &room, new);
        let place = says_all(&mut call.world, peer);
        let since = call.world.now;
        while !call.world.peers[place].is_connected() && call.world.now < since + Duration::from_secs(2) {
            // As a browser does that is looking for a path.
            let check = call.world.peers[place].check();
            call.world.send(shared_address(), check);
            call.world.advance(Duration::from_millis(50));
        }
        let took = call.world.now - since;
        assert!(call.world.peers[place].is_connected(), "after {flights} flights, not in {took:?}");
        speaks(&mut call, new, place);
    }
}

/// Who reloads a page is the same user, and takes nothing from anybody else.
#[test]
fn whose_own_transport_was_in_mid_handshake() {
    let mut call = Call::new(83);
    let room = call.room.clone();
    let old = call.world.join(&room, 3, Tier::Pro);
    let user = UserId::new("user-3").unwrap();
    let new = call.world.join_with(&room, JoinRequest { user, ..World::join_request(4, Tier::Pro) });
    let mut gone = connecting(&mut call.world, &room, old);
    gone.start(call.world.now);
    for datagram in gone.take_outgoing() {
        call.world.send(shared_address(), datagram);
    }
    let peer = connecting(&mut call.world, &room, new);
    let place = says_all(&mut call.world, peer);
    assert!(call.world.peers[place].is_connected());
    // What the other's handshake sends again would disturb the one at the address.
    call.world.advance(Duration::from_secs(1));
    speaks(&mut call, new, place);
}

#[test]
fn whose_transport_failed_or_was_closed() {
    for is_closed in [false, true] {
        let mut call = Call::new(84);
        let room = call.room.clone();
        let [old, new] = [3, 4].map(|number| call.world.join(&room, number, Tier::Pro));
        if is_closed {
            let place = call.world.connect_from(shared_address(), &room, old, Send);
            call.world.peers[place].close();
            call.world.exchange();
            assert_eq!(states(&call.world, old).unwrap().1, DtlsState::Closed);
        } else {
            let peer = connecting(&mut call.world, &room, old);
            let place = call.world.peers.len();
            call.world.peers.push(peer);
            // Checks without a handshake.
            for _ in 0..11 {
                let check = call.world.peers[place].check();
                call.world.send(shared_address(), check);
                call.world.advance(Duration::from_secs(1));
            }
            assert_eq!(states(&call.world, old).unwrap().1, DtlsState::Failed);
        }
        vanish(&mut call.world);
        let peer = connecting(&mut call.world, &room, new);
        let place = says_all(&mut call.world, peer);
        assert!(call.world.peers[place].is_connected(), "closed: {is_closed}");
        speaks(&mut call, new, place);
    }
}

/// A ClientHello of somebody who is not there.
fn forged_hello(world: &World, peer: &Peer) -> Vec<u8> {
    let certificate = Certificate::generate().unwrap();
    let fingerprints = peer.dtls_parameters().fingerprints;
    let (version, now) = (DtlsVersion::Dtls12, world.now);
    let mut dtls = DtlsTransport::new(certificate, version, DtlsRole::Server, &fingerprints, now).unwrap();
    dtls.start(now);
    let mut buffer = [0; POLL_BUFFER_LEN];
    match dtls.poll(&mut buffer) {
        DtlsOutput::Packet(len) => buffer[..len].to_vec(),
        other => panic!("no ClientHello: {other:?}"),
    }
}

/// The member has a transport that has no keys yet, and forges checks and hellos from a victim's address.
#[test]
fn a_member_takes_no_address_of_a_live_transport_by_checks_and_hellos() {
    let mut call = Call::new(85);
    let room = call.room.clone();
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let address = call.world.peers[talker].address;
    let member = call.world.join(&room, 3, Tier::Pro);
    let mut forger = connecting(&mut call.world, &room, member);
    let bytes_before = call.world.bytes_to(address);
    let mut forged = 0;
    call.world.peers[listener].arrivals.clear();
    for step in 0..500 {
        if step % 5 == 0 {
            let mut datagrams = vec![forger.check()];
            if step % 25 == 0 {
                datagrams.push(forged_hello(&call.world, &forger));
            }
            for datagram in datagrams {
                forged += datagram.len() as u64;
                call.world.send(address, datagram);
            }
        }
        call.tick(&[talker, listener]);
    }
    assert_eq!(call.heard(Source::Mic).len(), 500);
    assert_eq!(call.heard(Source::Camera).len(), 500);
    // Answers and handshake for the forger: three times what he sent. Feedback for the victim besides.
    let bytes = call.world.bytes_to(address) - bytes_before;
    assert!(bytes <= 3 * forged + 60_000, "{bytes} for {forged}");
    assert_eq!(states(&call.world, call.talker).unwrap(), (IceState::Completed, DtlsState::Connected));
    // What ends the victim's connection still reaches it, the forger's claim notwithstanding.
    call.world.peers[talker].close();
    call.world.exchange();
    assert_eq!(states(&call.world, call.talker).unwrap().1, DtlsState::Closed);
}

/// Whoever came first has the address for a second, in which a handshake is done.
#[test]
fn a_member_who_floods_checks_does_not_disturb_a_handshake_at_its_address() {
    let mut call = Call::new(86);
    let room = call.room.clone();
    let [member, victim] = [3, 4].map(|number| call.world.join(&room, number, Tier::Pro));
    let mut forger = connecting(&mut call.world, &room, member);
    let mut peer = connecting(&mut call.world, &room, victim);
    peer.start(call.world.now);
    let place = call.world.peers.len();
    call.world.peers.push(peer);
    while !call.world.peers[place].is_connected() {
        let outgoing = call.world.peers[place].take_outgoing();
        assert!(!outgoing.is_empty(), "the handshake stands still");
        for datagram in outgoing {
            call.world.send(shared_address(), datagram);
            for _ in 0..10 {
                let check = forger.check();
                call.world.send(shared_address(), check);
            }
        }
        call.world.advance(Duration::from_millis(50));
    }
    speaks(&mut call, victim, place);
}

/// He is there before the victim, and goes on.
#[test]
fn a_member_who_floods_checks_ahead_of_a_client_holds_it_up_for_moments() {
    let mut call = Call::new(87);
    let room = call.room.clone();
    let [member, victim] = [3, 4].map(|number| call.world.join(&room, number, Tier::Pro));
    let mut forger = connecting(&mut call.world, &room, member);
    for _ in 0..200 {
        let check = forger.check();
        call.world.send(shared_address(), check);
        call.world.advance(Duration::from_millis(20));
    }
    let peer = connecting(&mut call.world, &room, victim);
    let place = says_all(&mut call.world, peer);
    let since = call.world.now;
    while !call.world.peers[place].is_connected() && call.world.now < since + Duration::from_secs(3) {
        let check = forger.check();
        call.world.send(shared_address(), check);
        call.world.advance(Duration::from_millis(20));
        let check = call.world.peers[place].check();
        call.world.send(shared_address(), check);
    }
    assert!(call.world.peers[place].is_connected(), "not in {:?}", call.world.now - since);
    speaks(&mut call, victim, place);
}
