//! What is asked of a transport whose handshake failed is `TRANSPORT_FAILED`, to its owner alone; asking
//! for a transport of that direction gives another, with which everything works. One that was connected by
//! signaling and never reached by ICE is replaced as well, once a handshake's time has passed; and none is
//! replaced without end.

use railgun_peer::{Call, Offer, Peer, World};
use railgun_protocol::ids::{SessionId, TransportId, UserId};
use railgun_protocol::limits::{DTLS_HANDSHAKE_TIMEOUT, TRANSPORTS_BURST};
use railgun_protocol::media_rpc::{Command, Event, JoinRequest, LeaveReason, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{ErrorCode, Source};
use railgun_protocol::transport_parameters::TransportDirection::{self, Recv, Send};
use railgun_protocol::transport_parameters::{DtlsParameters, DtlsState};
use std::net::SocketAddr;
use std::time::Duration;

/// A transport whose client shows another certificate than it signalled.
fn failed(
    call: &mut Call,
    session: SessionId,
    direction: TransportDirection,
) -> (TransportId, DtlsParameters) {
    let (room, world) = (call.room.clone(), &mut call.world);
    let reply = world.command(&room, Command::CreateTransport { session, direction });
    let Ok(Reply::TransportCreated { transport, parameters, .. }) = reply else { panic!("{reply:?}") };
    let place = world.peers.len();
    let address = SocketAddr::from(([10, 66, 0, u8::try_from(place).unwrap()], 5000));
    let peer = Peer::new(transport, address, &parameters, 70 + place as u64, world.now);
    let mut dtls = peer.dtls_parameters();
    dtls.fingerprints[0].value = ["AB"; 32].join(":");
    world.peers.push(peer);
    let connect = Command::ConnectTransport { session, transport, dtls: dtls.clone() };
    world.command(&room, connect).unwrap();
    world.peers[place].start(world.now);
    let has_failed = |event: &&Event| matches!(event, Event::TransportState { transport: of, dtls: DtlsState::Failed, .. } if *of == transport);
    for _ in 0..200 {
        world.exchange();
        if world.heard_by(session).iter().any(&has_failed) {
            return (transport, dtls);
        }
        world.advance(Duration::from_millis(10));
    }
    panic!("the handshake went through");
}

fn refusal(call: &mut Call, command: Command) -> ErrorCode {
    call.world.command(&call.room.clone(), command).unwrap_err().code
}

#[test]
fn everything_that_needs_it_is_refused_and_another_one_works() {
    let mut call = Call::new(31);
    let room = call.room.clone();
    let session = call.world.join(&room, 3, Tier::Pro);
    let stranger = call.world.join(&room, 4, Tier::Pro);
    let (sending, dtls) = failed(&mut call, session, Send);
    let (receiving, _) = failed(&mut call, session, Recv);
    let microphone = Offer::new(Source::Mic, 9);
    let refused = call.world.produce_on(&room, session, sending, &microphone).unwrap_err();
    assert_eq!(refused.code, ErrorCode::TransportFailed);
    let refused = call.world.consume(&room, session, call.mic.producer).unwrap_err();
    assert_eq!(refused.code, ErrorCode::TransportFailed);
    let again = Command::ConnectTransport { session, transport: sending, dtls: dtls.clone() };
    assert_eq!(refusal(&mut call, again), ErrorCode::TransportFailed);
    for transport in [sending, receiving] {
        let restart = Command::RestartIce { session, transport };
        assert_eq!(refusal(&mut call, restart), ErrorCode::TransportFailed);
    }
    let foreign = Command::ConnectTransport { session: stranger, transport: sending, dtls };
    assert_eq!(refusal(&mut call, foreign), ErrorCode::NotFound);

    let sends = call.world.connect(&room, session, Send);
    call.world.connect(&room, session, Recv);
    call.world.produce(&room, session, sends, &microphone).unwrap();
    call.world.consume(&room, session, call.mic.producer).unwrap();
    let gone = Command::RestartIce { session, transport: sending };
    assert_eq!(refusal(&mut call, gone), ErrorCode::NotFound);
    call.assert_goes_on();
}

#[test]
fn one_that_ice_never_reached_is_replaced_after_ten_seconds_and_not_before() {
    let mut call = Call::new(32);
    let room = call.room.clone();
    let session = call.world.join(&room, 3, Tier::Pro);
    for direction in [Send, Recv] {
        let before = call.world.open(&room, session, direction);
        let create = Command::CreateTransport { session, direction };
        assert_eq!(refusal(&mut call, create.clone()), ErrorCode::InvalidState);
        call.world.advance(DTLS_HANDSHAKE_TIMEOUT - Duration::from_millis(1));
        assert_eq!(refusal(&mut call, create.clone()), ErrorCode::InvalidState);
        call.world.advance(Duration::from_millis(1));
        let reply = call.world.command(&room, create).unwrap();
        let Reply::TransportCreated { transport, .. } = reply else { panic!("{reply:?}") };
        assert_ne!(transport, before);
        let restart = Command::RestartIce { session, transport: before };
        assert_eq!(refusal(&mut call, restart), ErrorCode::NotFound);
    }
    let sends = call.world.connect(&room, session, Send);
    call.world.connect(&room, session, Recv);
    call.world.produce(&room, session, sends, &Offer::new(Source::Mic, 9)).unwrap();
    call.world.consume(&room, session, call.mic.producer).unwrap();
}

#[test]
fn a_client_whose_network_took_its_time_connects_all_the_same() {
    let mut call = Call::new(33);
    let room = call.room.clone();
    let session = call.world.join(&room, 3, Tier::Pro);
    let reply = call.world.command(&room, Command::CreateTransport { session, direction: Send });
    let Ok(Reply::TransportCreated { transport, parameters, .. }) = reply else { panic!("{reply:?}") };
    let now = call.world.now;
    let peer = Peer::new(transport, SocketAddr::from(([10, 66, 1, 1], 5000)), &parameters, 90, now);
    let dtls = peer.dtls_parameters();
    let place = call.world.peers.len();
    call.world.peers.push(peer);
    call.world.command(&room, Command::ConnectTransport { session, transport, dtls }).unwrap();
    call.world.advance(Duration::from_secs(12));
    call.world.peers[place].start(call.world.now);
    for _ in 0..100 {
        call.world.advance(Duration::from_millis(10));
    }
    assert!(call.world.peers[place].is_connected());
}

#[test]
fn transports_are_not_made_without_end_by_whatever_session_of_a_user() {
    let mut call = Call::new(34);
    let room = call.room.clone();
    let user = UserId::new("eve").unwrap();
    let (mut made, mut refused) = (0, 0);
    for session in 0..60 {
        let request = JoinRequest { user: user.clone(), ..World::join_request(100 + session, Tier::Pro) };
        let session = call.world.join_with(&room, request);
        for direction in [Send, Recv] {
            match call.world.command(&room, Command::CreateTransport { session, direction }) {
                Ok(_) => made += 1,
                Err(error) => {
                    assert_eq!(error.code, ErrorCode::RateLimited);
                    let wait = error.details["retryAfterMs"].as_u64().unwrap();
                    assert!((1..=3_001).contains(&wait), "{wait}");
                    refused += 1;
                }
            }
        }
        let leave = Command::Leave { session, reason: LeaveReason::Left, attachment: None };
        call.world.command(&room, leave).unwrap();
        call.world.advance(Duration::from_millis(500));
    }
    assert_eq!(made + refused, 120);
    assert!((TRANSPORTS_BURST + 9..=TRANSPORTS_BURST + 10).contains(&made), "{made} in 30 s");
    // Others make theirs.
    let session = call.world.join(&room, 3, Tier::Pro);
    call.world.command(&room, Command::CreateTransport { session, direction: Send }).unwrap();
    // And one that was made is given again for nothing.
    for _ in 0..100 {
        call.world.command(&room, Command::CreateTransport { session, direction: Send }).unwrap();
    }
}
