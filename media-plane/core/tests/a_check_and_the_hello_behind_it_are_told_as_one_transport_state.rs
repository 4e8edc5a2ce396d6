//! A client sends its ClientHello right behind its first ICE check, so the node reads both at once: its session is
//! told once where the transport is now. A handshake that goes on without a loss is told when it is done.

use railgun_media_core::{Datagram, Notice};
use railgun_peer::World;
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::Event;
use railgun_protocol::plan::Tier;
use railgun_protocol::transport_parameters::TransportDirection::Recv;
use railgun_protocol::transport_parameters::{DtlsState, IceState};
use std::net::SocketAddr;
use std::time::Duration;

type States = Vec<(IceState, DtlsState)>;

/// Gives the engine these in one burst; the states it told.
fn told_of(world: &mut World, source: SocketAddr, datagrams: &mut [Vec<u8>]) -> States {
    let arrived = world.now;
    let mut burst: Vec<_> = datagrams.iter_mut().map(|bytes| Datagram { source, bytes, arrived }).collect();
    world.engine.handle_datagrams(&mut burst, world.now, |_| ());
    let mut states = Vec::new();
    while let Some(notice) = world.engine.poll_notice() {
        if let Notice::Event(event) = notice
            && let Event::TransportState { ice, dtls, .. } = event.event
        {
            states.push((ice, dtls));
        }
    }
    states
}

#[test]
fn as_it_is_after_both() {
    let mut world = World::new(91);
    let room = World::room("call");
    let session = world.join(&room, 1, Tier::Free);
    let address = SocketAddr::from(([10, 9, 0, 1], 5000));
    let mut peer = world.begin(address, &room, session, Recv);
    peer.start(world.now);
    let told = told_of(&mut world, address, &mut peer.take_outgoing());
    assert_eq!(told, [(IceState::Completed, DtlsState::Connecting)]);
    world.peers.push(peer);
    let sends = world.engine.sends();
    let datagrams: Vec<Vec<u8>> = sends
        .runs()
        .iter()
        .flat_map(|run| sends.bytes(run).chunks(run.segment).map(<[u8]>::to_vec))
        .collect();
    sends.clear();
    for datagram in datagrams {
        world.peers[0].receive(&datagram, world.now);
    }
    let mut outgoing = world.peers[0].take_outgoing();
    let told = told_of(&mut world, address, &mut outgoing);
    assert_eq!(told, [(IceState::Completed, DtlsState::Connected)]);
}

fn told_to(world: &World, session: SessionId) -> States {
    let heard = world.heard_by(session);
    let states = heard.iter().filter_map(|event| match event {
        Event::TransportState { ice, dtls, .. } => Some((*ice, *dtls)),
        _ => None,
    });
    states.collect()
}

/// One after the other: the handshake is told when it is done.
#[test]
fn as_each_left_it_if_they_come_apart() {
    let mut world = World::new(92);
    let room = World::room("call");
    let session = world.join(&room, 1, Tier::Free);
    world.connect(&room, session, Recv);
    let expected = [DtlsState::New, DtlsState::Connected].map(|dtls| (IceState::Completed, dtls));
    assert_eq!(told_to(&world, session), expected);
}

#[test]
fn and_a_handshake_that_needs_a_retransmission_is_told_as_connecting_once() {
    let mut world = World::new(93);
    let room = World::room("call");
    let session = world.join(&room, 1, Tier::Free);
    let address = SocketAddr::from(([10, 9, 0, 1], 5000));
    let mut peer = world.begin(address, &room, session, Recv);
    peer.start(world.now);
    for datagram in peer.take_outgoing() {
        world.send(address, datagram);
    }
    assert_eq!(told_to(&world, session), [(IceState::Completed, DtlsState::New)]);
    world.advance(Duration::from_millis(900));
    let expected = [DtlsState::New, DtlsState::Connecting].map(|dtls| (IceState::Completed, dtls));
    assert_eq!(told_to(&world, session), expected);
}
