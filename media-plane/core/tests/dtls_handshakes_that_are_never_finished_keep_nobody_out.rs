//! Fifty users with five sessions each begin a DTLS handshake with every transport, never finish it, and
//! begin again with whatever they may: sixty newcomers are connected within five seconds, each of them. A
//! newcomer's own handshake is left alone while it is young.

use railgun_media_core::Datagram;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::transport::dtls::{
    Certificate, DtlsOutput, DtlsTransport, DtlsVersion, POLL_BUFFER_LEN,
};
use railgun_peer::{Peer, World};
use railgun_protocol::ids::{SessionId, TransportId, UserId};
use railgun_protocol::limits::{HANDSHAKES_PER_NODE, HANDSHAKES_PER_USER};
use railgun_protocol::media_rpc::{Address, Command, JoinRequest, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use railgun_protocol::transport_parameters::{DtlsParameters, DtlsRole, TransportDirection};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(20);

/// A transport of somebody who does not go on.
struct Stuck {
    room: Address,
    session: SessionId,
    direction: TransportDirection,
    address: SocketAddr,
    peer: Option<Peer>,
}

struct Attack {
    world: World,
    stuck: Vec<Stuck>,
    hello: Vec<u8>,
    dtls: DtlsParameters,
    /// Where each newcomer is among the peers, and when it began.
    newcomers: Vec<(usize, Instant)>,
}

fn request(session: u128, user: &str) -> JoinRequest {
    JoinRequest { user: UserId::new(user).unwrap(), ..World::join_request(session, Tier::Pro) }
}

fn created(
    world: &mut World,
    room: &Address,
    session: SessionId,
    direction: TransportDirection,
) -> Option<Peer> {
    let reply = world.command(room, Command::CreateTransport { session, direction });
    let Ok(Reply::TransportCreated { transport, parameters, .. }) = reply else { return None };
    let number = u64::try_from(transport.to_bits() & 0xffff_ffff).unwrap();
    Some(Peer::new(transport, SocketAddr::from(([0, 0, 0, 0], 0)), &parameters, number, world.now))
}

fn connect(
    world: &mut World,
    room: &Address,
    session: SessionId,
    transport: TransportId,
    dtls: DtlsParameters,
) {
    world.command(room, Command::ConnectTransport { session, transport, dtls }).unwrap();
}

impl Attack {
    /// `users` with so many sessions each, 25 in a room.
    fn new(handshakes_max: usize, users: usize, sessions: usize) -> Self {
        let mut world = World::with(railgun_media_core::EngineConfig { handshakes_max, ..World::config(81) });
        let mut stuck = Vec::new();
        for number in 0..users * sessions {
            let room = World::room(&format!("attacked-{}", number / 25));
            let session =
                world.join_with(&room, request(1_000 + number as u128, &format!("eve-{}", number % users)));
            for (direction, port) in [(Send, 5_001), (Recv, 5_002)] {
                let [.., a, b] = number.to_be_bytes();
                let address = SocketAddr::from(([11, 0, a, b], port));
                stuck.push(Stuck { room: room.clone(), session, direction, address, peer: None });
            }
        }
        // Whoever's they are: nobody ever sees a certificate.
        let certificate = Certificate::generate().unwrap();
        let room = World::room("hello");
        let session = world.join(&room, 1, Tier::Free);
        let peer = created(&mut world, &room, session, Send).unwrap();
        let fingerprints = peer.dtls_parameters().fingerprints;
        let (version, role) = (DtlsVersion::Dtls12, DtlsRole::Server);
        let mut client = DtlsTransport::new(certificate, version, role, &fingerprints, world.now).unwrap();
        client.start(world.now);
        let mut buffer = [0; POLL_BUFFER_LEN];
        let DtlsOutput::Packet(len) = client.poll(&mut buffer) else { panic!("no ClientHello") };
        let (hello, dtls) = (buffer[..len].to_vec(), peer.dtls_parameters());
        Self { world, stuck, hello, dtls, newcomers: Vec::new() }
    }

    /// Everybody who is stuck tries once more: with another transport if that may be, and with a
    /// ClientHello.
    fn try_again(&mut self) {
        for stuck in &mut self.stuck {
            let world = &mut self.world;
            if let Some(mut peer) = created(world, &stuck.room, stuck.session, stuck.direction) {
                connect(world, &stuck.room, stuck.session, peer.id, self.dtls.clone());
                receive(world, stuck.address, peer.check());
                stuck.peer = Some(peer);
            }
            if stuck.peer.is_some() {
                receive(world, stuck.address, self.hello.clone());
            }
        }
    }

    fn newcomer(&mut self) {
        let number = self.newcomers.len();
        let room = World::room(&format!("calm-{}", number / 8));
        let session = self.world.join(&room, 10_000 + number as u128, Tier::Free);
        // Both, as clients do.
        for direction in [Send, Recv] {
            let mut peer = created(&mut self.world, &room, session, direction).unwrap();
            let place = self.world.peers.len();
            let [.., high, low] = place.to_be_bytes();
            peer.address = SocketAddr::from(([10, 1, high, low], 5_000));
            connect(&mut self.world, &room, session, peer.id, peer.dtls_parameters());
            peer.start(self.world.now);
            self.world.peers.push(peer);
            self.newcomers.push((place, self.world.now));
        }
    }

    /// Lets 60 newcomers come within six seconds; the longest that any took, each way.
    fn withstand(&mut self, try_again: bool) -> Duration {
        let mut longest = Duration::ZERO;
        let mut waiting: Vec<(usize, Instant)> = Vec::new();
        for step in 0..600 {
            // Ten times a second.
            if try_again && step % 5 == 0 {
                self.try_again();
            }
            if step >= 25 && step % 5 == 0 && self.newcomers.len() < 120 {
                let before = self.newcomers.len();
                self.newcomer();
                waiting.extend_from_slice(&self.newcomers[before..]);
            }
            self.world.advance(STEP);
            let now = self.world.now;
            waiting.retain(|(place, since)| {
                let is_waiting = !self.world.peers[*place].is_connected();
                longest = longest.max(now - *since);
                assert!(!is_waiting || now - *since < Duration::from_secs(5), "still not connected");
                is_waiting
            });
        }
        assert!(waiting.is_empty() && self.newcomers.len() == 120);
        longest
    }
}

/// Both sides' first flights are sent, and the node's is lost.
fn begin(world: &mut World, room: &Address, session: SessionId, direction: TransportDirection) {
    let mut peer = created(world, room, session, direction).unwrap();
    let place = world.peers.len();
    peer.address = SocketAddr::from(([10, 2, 0, u8::try_from(place).unwrap()], 5_000));
    connect(world, room, session, peer.id, peer.dtls_parameters());
    peer.start(world.now);
    for datagram in peer.take_outgoing() {
        receive(world, peer.address, datagram);
    }
    world.peers.push(peer);
}

/// That much time, in which nothing of the node's arrives.
fn pass(world: &mut World, time: Duration) {
    world.now += time;
    world.engine.handle_timeout(world.now);
    world.engine.sends().clear();
}

fn receive(world: &mut World, source: SocketAddr, mut bytes: Vec<u8>) {
    let mut datagrams = [Datagram { source, bytes: &mut bytes, arrived: world.now, ecn: Ecn::NotEct }];
    world.engine.handle_datagrams(&mut datagrams, world.now, |_| ());
    world.engine.sends().clear();
    while world.engine.poll_notice().is_some() {}
}

#[test]
fn of_a_whole_node() {
    let mut attack = Attack::new(HANDSHAKES_PER_NODE, 50, 5);
    attack.try_again();
    assert_eq!(attack.world.engine.transport_counts().1, 50 * HANDSHAKES_PER_USER);
    let longest = attack.withstand(true);
    assert!(longest < Duration::from_secs(1), "{longest:?}");
}

#[test]
fn of_one_of_four_workers() {
    Attack::new(HANDSHAKES_PER_NODE / 4, 50, 5).withstand(true);
}

#[test]
fn nor_when_no_place_is_left() {
    let mut attack = Attack::new(100, 250, 1);
    attack.try_again();
    assert_eq!(attack.world.engine.transport_counts().1, 100);
    // Five seconds later, who has most loses its oldest.
    (0..250).for_each(|_| attack.world.advance(STEP));
    assert_eq!(attack.world.engine.transport_counts().1, 100);
    let longest = attack.withstand(false);
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    assert!(attack.world.engine.counters().evicted_handshakes > 0);
}

#[test]
fn and_a_young_handshake_stays() {
    let mut attack = Attack::new(10, 250, 1);
    // Honest ones, from whom nothing comes through for a second and a half.
    let room = World::room("slow");
    for number in 0..5 {
        let session = attack.world.join(&room, 50_000 + number, Tier::Free);
        for direction in [Send, Recv] {
            begin(&mut attack.world, &room, session, direction);
        }
    }
    assert_eq!(attack.world.engine.transport_counts().1, 10);
    let end = attack.world.now + Duration::from_millis(1_500);
    while attack.world.now < end {
        attack.try_again();
        pass(&mut attack.world, Duration::from_millis(100));
    }
    // Then the network is quick again.
    for _ in 0..33 {
        attack.try_again();
        attack.world.advance(Duration::from_millis(100));
    }
    assert_eq!(attack.world.engine.counters().evicted_handshakes, 0);
    assert!(attack.world.peers.iter().all(Peer::is_connected));
}

#[test]
fn who_holds_most_loses_the_oldest_and_not_the_youngest() {
    let config = railgun_media_core::EngineConfig { handshakes_max: 2, ..World::config(82) };
    let (mut world, room) = (World::with(config), World::room("small"));
    let eve = world.join_with(&room, request(1, "eve"));
    for direction in [Send, Recv] {
        begin(&mut world, &room, eve, direction);
        pass(&mut world, Duration::from_secs(1));
    }
    pass(&mut world, Duration::from_secs(5));
    let newcomer = world.join(&room, 2, Tier::Free);
    begin(&mut world, &room, newcomer, Recv);
    assert_eq!(world.engine.counters().evicted_handshakes, 1);
    (0..20).for_each(|_| world.advance(Duration::from_millis(100)));
    let connected: Vec<bool> = world.peers.iter().map(Peer::is_connected).collect();
    assert_eq!(connected, [false, true, true]);
}

#[test]
fn who_holds_one_takes_no_place_of_another_who_holds_one() {
    let config = railgun_media_core::EngineConfig { handshakes_max: 2, ..World::config(83) };
    let (mut world, room) = (World::with(config), World::room("small"));
    let sessions = [(1, "eve"), (2, "ada")].map(|(id, user)| world.join_with(&room, request(id, user)));
    sessions.iter().for_each(|session| begin(&mut world, &room, *session, Send));
    pass(&mut world, Duration::from_secs(6));
    begin(&mut world, &room, sessions[0], Recv);
    let counters = world.engine.counters();
    assert_eq!((counters.evicted_handshakes, counters.refused_handshakes), (0, 1));
}
