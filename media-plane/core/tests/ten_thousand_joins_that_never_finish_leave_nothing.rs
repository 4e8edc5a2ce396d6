//! Members who begin a handshake with every transport and never go on: no more handshakes than allowed
//! are in progress, a call beside them goes on, newcomers connect, and 15 s later there is nothing left of
//! them.
#![allow(unsafe_code, reason = "an allocator that counts")]

use railgun_media_core::Datagram;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::transport::dtls::{
    Certificate, DtlsOutput, DtlsTransport, DtlsVersion, POLL_BUFFER_LEN,
};
use railgun_peer::{Call, Peer, World};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Address, Command, LeaveReason, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{ErrorCode, Source};
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use railgun_protocol::transport_parameters::{DtlsRole, TransportDirection};
use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const JOINS: u32 = 10_000;
const SEATS: u32 = 25;
const HANDSHAKES_MAX: usize = 500;

/// A ClientHello as a client sends it first.
fn client_hello(call: &Call) -> Vec<u8> {
    let certificate = Certificate::generate().unwrap();
    let fingerprints = call.world.peers[call.talker_send].dtls_parameters().fingerprints;
    let (version, now) = (DtlsVersion::Dtls12, call.world.now);
    let mut dtls = DtlsTransport::new(certificate, version, DtlsRole::Server, &fingerprints, now).unwrap();
    dtls.start(now);
    let mut buffer = [0; POLL_BUFFER_LEN];
    match dtls.poll(&mut buffer) {
        DtlsOutput::Packet(len) => buffer[..len].to_vec(),
        other => panic!("no ClientHello: {other:?}"),
    }
}

fn seat(number: u32) -> (Address, SessionId) {
    let room = World::room(&format!("flood-{}", number / SEATS));
    (room, SessionId::from_bits(1_000 + u128::from(number)))
}

/// A check and a ClientHello from an address of its own; whatever comes back is dropped.
fn begin(call: &mut Call, number: u32, direction: TransportDirection, hello: &[u8]) {
    let (room, session) = seat(number);
    let world = &mut call.world;
    let reply = world.command(&room, Command::CreateTransport { session, direction }).unwrap();
    let Reply::TransportCreated { transport, parameters, .. } = reply else { panic!("{reply:?}") };
    let [_, a, b, c] = number.to_be_bytes();
    let port = if direction == Send { 5_001 } else { 5_002 };
    let address = SocketAddr::from(([11, a, b, c], port));
    let dtls = call.world.peers[0].dtls_parameters();
    let world = &mut call.world;
    world.command(&room, Command::ConnectTransport { session, transport, dtls }).unwrap();
    let mut peer = Peer::new(transport, address, &parameters, 9_000 + u64::from(number), world.now);
    for mut bytes in [peer.check(), hello.to_vec()] {
        let mut datagrams =
            [Datagram { source: address, bytes: &mut bytes, arrived: world.now, ecn: Ecn::NotEct }];
        world.engine.handle_datagrams(&mut datagrams, world.now, |_| ());
        world.engine.sends().clear();
    }
    while world.engine.poll_notice().is_some() {}
}

/// Somebody who comes, connects both ways, and leaves.
fn newcomer(call: &mut Call) {
    let room = World::room("calm");
    let session = call.world.join(&room, 100_000, Tier::Free);
    let peers = call.world.peers.len();
    for direction in [Send, Recv] {
        let start = call.world.now;
        call.world.connect(&room, session, direction);
        let took = call.world.now - start;
        assert!(took < Duration::from_secs(1), "a newcomer was connected after {took:?}");
    }
    let leave = Command::Leave { session, reason: LeaveReason::Left, attachment: None };
    call.world.command(&room, leave).unwrap();
    call.world.peers.truncate(peers);
}

#[test]
fn and_no_more_than_allowed_are_in_progress() {
    let mut call = Call::new(27);
    let hello = client_hello(&call);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    (0..500).for_each(|_| call.tick(&[talker, listener]));
    call.world.events.clear();
    call.world.peers.iter_mut().for_each(|peer| peer.arrivals.clear());
    let before = LIVE.load(Ordering::Relaxed);
    let transports_before = call.world.engine.transport_counts();
    assert_eq!(transports_before.1, 0);

    let mut most = 0;
    for number in 0..JOINS {
        let (room, session) = seat(number);
        call.world.join(&room, session.to_bits(), Tier::Pro);
        for direction in [Send, Recv] {
            begin(&mut call, number, direction, &hello);
        }
        most = most.max(call.world.engine.transport_counts().1);
        if number % 20 == 0 {
            call.tick(&[talker, listener]);
            assert_eq!(call.heard(Source::Mic).len(), 1, "the call beside them goes on");
            call.world.peers[listener].arrivals.clear();
            call.world.events.clear();
        }
    }
    assert_eq!(most, HANDSHAKES_MAX);
    assert!(call.world.engine.counters().refused_handshakes > u64::from(JOINS));
    // When those who hold every place have had their five seconds, a newcomer gets one.
    (0..25).for_each(|_| call.tick(&[talker, listener]));
    assert_eq!(call.world.engine.transport_counts().1, HANDSHAKES_MAX);
    newcomer(&mut call);
    assert_eq!(
        call.world.engine.transport_counts().1,
        HANDSHAKES_MAX - 1,
        "it had two, and one was free then"
    );
    // A second transport of a direction would be a third handshake of the same participant.
    let (room, session) = seat(JOINS - 1);
    let again = call.world.command(&room, Command::CreateTransport { session, direction: Send });
    assert_eq!(again.unwrap_err().code, ErrorCode::InvalidState);

    // Ten seconds end every handshake; the seats go with their sockets.
    (0..550).for_each(|_| call.tick(&[talker, listener]));
    assert_eq!(call.world.engine.transport_counts().1, 0);
    assert!(call.world.engine.counters().handshakes_failed >= HANDSHAKES_MAX as u64);
    for number in 0..JOINS {
        let (room, session) = seat(number);
        let leave = Command::Leave { session, reason: LeaveReason::Lost, attachment: None };
        call.world.command(&room, leave).unwrap();
    }
    call.world.advance(Duration::from_secs(4));
    assert_eq!(call.world.engine.transport_counts(), transports_before);
    assert_eq!((call.world.engine.room_count(), call.world.engine.session_count()), (1, 2));

    call.world.events = Vec::new();
    call.world.sent = std::collections::HashMap::new();
    call.world.peers.iter_mut().for_each(|peer| peer.arrivals = Vec::new());
    let after = LIVE.load(Ordering::Relaxed);
    assert!(after <= before / 100 * 102, "{before} bytes before, {after} after");
    let check = call.world.peers[talker].check();
    call.world.send(call.world.peers[talker].address, check);
    call.assert_goes_on();
}
