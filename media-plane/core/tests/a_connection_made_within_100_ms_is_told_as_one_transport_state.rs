//! ICE and DTLS take a transport through three states. A session hears of the last alone if it is reached within
//! 100 ms, of where the transport stands if it takes longer, and of a failure at once.

use railgun_peer::{Peer, World};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Command, Event, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::transport_parameters::TransportDirection::Recv;
use railgun_protocol::transport_parameters::{DtlsState, IceState};
use std::time::Duration;

const WITHIN: Duration = Duration::from_millis(99);
const LATER: Duration = Duration::from_millis(1);
const COMPLETED: IceState = IceState::Completed;

/// A transport that its client is about to connect: its first check, then its ClientHello. `signals`: makes the
/// fingerprint that it signals of its certificate's.
fn begin(seed: u8, signals: impl Fn(String) -> String) -> (World, SessionId, [Vec<u8>; 2]) {
    let mut world = World::new(seed);
    let room = World::room("call");
    let session = world.join(&room, 1, Tier::Free);
    let reply = world.command(&room, Command::CreateTransport { session, direction: Recv });
    let Ok(Reply::TransportCreated { transport, parameters, .. }) = reply else { panic!("{reply:?}") };
    let mut peer = Peer::new(transport, ([10, 9, 0, 1], 5000).into(), &parameters, 1, world.now);
    let mut dtls = peer.dtls_parameters();
    dtls.fingerprints[0].value = signals(dtls.fingerprints[0].value.clone());
    world.command(&room, Command::ConnectTransport { session, transport, dtls }).unwrap();
    peer.start(world.now);
    let Ok(datagrams) = peer.take_outgoing().try_into() else { panic!("a check and a hello") };
    world.peers.push(peer);
    (world, session, datagrams)
}

fn told(world: &World, session: SessionId) -> Vec<(IceState, DtlsState)> {
    let states = world.heard_by(session).into_iter().filter_map(|event| match event {
        Event::TransportState { ice, dtls, .. } => Some((*ice, *dtls)),
        _ => None,
    });
    states.collect()
}

#[test]
fn the_last_at_once_and_none_of_those_before() {
    let (mut world, session, datagrams) = begin(91, |own| own);
    for datagram in datagrams {
        world.send(world.peers[0].address, datagram);
    }
    assert_eq!(told(&world, session), []);
    world.exchange();
    assert!(world.peers[0].is_connected());
    assert_eq!(told(&world, session), [(COMPLETED, DtlsState::Connected)]);
    world.advance(WITHIN + LATER);
    assert_eq!(told(&world, session).len(), 1);
}

#[test]
fn each_if_it_lasts_longer() {
    let (mut world, session, [check, hello]) = begin(92, |own| own);
    let address = world.peers[0].address;
    world.send(address, check);
    world.advance(WITHIN);
    assert_eq!(told(&world, session), []);
    world.advance(LATER);
    assert_eq!(told(&world, session), [(COMPLETED, DtlsState::New)]);

    // What the node answers is lost, so the client sends its ClientHello again.
    let peer = world.peers.pop().unwrap();
    world.send(address, hello);
    world.advance(WITHIN + LATER);
    let until_now = [DtlsState::New, DtlsState::Connecting].map(|dtls| (COMPLETED, dtls));
    assert_eq!(told(&world, session), until_now);
    world.peers.push(peer);
    for _ in 0..30 {
        world.advance(WITHIN + LATER);
    }
    assert_eq!(told(&world, session)[2..], [(COMPLETED, DtlsState::Connected)]);
}

#[test]
fn a_failure_at_once() {
    let (mut world, session, datagrams) = begin(93, |_| ["AB"; 32].join(":"));
    for datagram in datagrams {
        world.send(world.peers[0].address, datagram);
    }
    world.exchange();
    assert_eq!(told(&world, session), [(COMPLETED, DtlsState::Failed)]);
}
