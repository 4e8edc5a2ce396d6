//! Most clients are connected three round trips after their first ICE check: their session is told once, that ICE and
//! DTLS are done. Whoever takes longer is told how far the transport is.

use railgun_peer::{Peer, World};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::Event;
use railgun_protocol::plan::Tier;
use railgun_protocol::transport_parameters::TransportDirection::Recv;
use railgun_protocol::transport_parameters::{DtlsState, IceState};
use std::net::SocketAddr;
use std::time::Duration;

/// 200 ms, or up to 50 less: a moment at which other transports are looked at as well.
const HELD: Duration = Duration::from_millis(200);
/// A transport that is looked at just before, when its handshake's random timer ends, is looked at again a moment later.
const MOMENT: Duration = Duration::from_millis(5);
const CONNECTED: (IceState, DtlsState) = (IceState::Completed, DtlsState::Connected);

/// A transport whose client has not sent anything yet.
fn begun(seed: u8) -> (World, SessionId, SocketAddr, Peer) {
    let mut world = World::new(seed);
    let room = World::room("call");
    let session = world.join(&room, 1, Tier::Free);
    let address = SocketAddr::from(([10, 9, 0, 1], 5000));
    let mut peer = world.begin(address, &room, session, Recv);
    peer.start(world.now);
    (world, session, address, peer)
}

fn told_to(world: &World, session: SessionId) -> Vec<(IceState, DtlsState)> {
    let heard = world.heard_by(session);
    let states = heard.iter().filter_map(|event| match event {
        Event::TransportState { ice, dtls, .. } => Some((*ice, *dtls)),
        _ => None,
    });
    states.collect()
}

#[test]
fn that_it_is_connected() {
    let mut world = World::new(92);
    let room = World::room("call");
    let session = world.join(&room, 1, Tier::Free);
    world.connect(&room, session, Recv);
    world.advance(2 * HELD);
    assert_eq!(told_to(&world, session), [CONNECTED]);
}

#[test]
fn and_one_that_takes_longer_is_told_as_connecting_before() {
    let (mut world, session, address, mut peer) = begun(91);
    for datagram in peer.take_outgoing() {
        world.send(address, datagram);
    }
    world.advance(HELD / 2);
    assert_eq!(told_to(&world, session), []);
    world.advance(HELD / 2 + MOMENT);
    let connecting = (IceState::Completed, DtlsState::Connecting);
    assert_eq!(told_to(&world, session), [connecting]);
    // The node's answers were lost: once, however long it takes.
    world.advance(4 * HELD);
    assert_eq!(told_to(&world, session), [connecting]);
}

#[test]
fn and_one_whose_client_sends_no_hello_as_new() {
    let (mut world, session, address, mut peer) = begun(93);
    let check = peer.take_outgoing().swap_remove(0);
    world.send(address, check);
    world.advance(HELD + MOMENT);
    assert_eq!(told_to(&world, session), [(IceState::Completed, DtlsState::New)]);
}
