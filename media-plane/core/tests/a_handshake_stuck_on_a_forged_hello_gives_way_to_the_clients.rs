//! A ClientHello that somebody forged from a client's address is there first: the node answers it, and nobody can
//! finish that handshake. Two seconds later the client's own hello takes its place, long before the ten seconds of
//! a handshake are over.

use railgun_media_core::transport::dtls::{
    Certificate, DtlsOutput, DtlsTransport, DtlsVersion, POLL_BUFFER_LEN,
};
use railgun_peer::{Peer, World};
use railgun_protocol::plan::Tier;
use railgun_protocol::transport_parameters::DtlsRole;
use railgun_protocol::transport_parameters::TransportDirection::Send;
use std::net::SocketAddr;
use std::time::Duration;

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

#[test]
fn after_two_seconds() {
    let mut world = World::new(93);
    let room = World::room("call");
    let session = world.join(&room, 1, Tier::Pro);
    let address = SocketAddr::from(([10, 9, 0, 1], 5000));
    let mut peer = world.begin(address, &room, session, Send);
    // The answer to it finds nobody.
    let (check, hello) = (peer.check(), forged_hello(&world, &peer));
    world.send(address, check);
    world.send(address, hello);
    let since = world.now;
    peer.start(world.now);
    world.peers.push(peer);
    while !world.peers[0].is_connected() && world.now < since + Duration::from_secs(9) {
        world.exchange();
        world.advance(Duration::from_millis(20));
    }
    let took = world.now - since;
    assert!(world.peers[0].is_connected(), "not in {took:?}");
    assert!(took >= Duration::from_secs(2), "{took:?}: the forged hello held up nobody");
    assert!(took <= Duration::from_secs(5), "{took:?}");
}
