//! A session in privacy mode: its own address is sent nothing, whatever comes from there.

use crate::checks::{self, Check, ice};
use railgun_media_core::packet::stun::{BINDING_SUCCESS_MAX, BindingRequest};
use railgun_media_core::transport::ice_lite::{IceDrop, IceLite, Relays};
use railgun_peer::{RELAY, World};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Command, Event};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::GrantReason;
use railgun_protocol::transport_parameters::{IceState, TransportDirection};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TRIES: u16 = 10_000;

fn private(relays: &[&str]) -> IceLite {
    let mut ice = ice();
    let networks = relays.iter().map(|text| text.parse().unwrap()).collect();
    ice.accept_only(Arc::new(Relays::new(networks).unwrap()));
    ice
}

fn relay(port: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 1], port))
}

/// Somebody's own address, next to the relay's or far from it.
fn own(n: u16) -> SocketAddr {
    let [high, low] = n.to_be_bytes();
    match n % 3 {
        0 => SocketAddr::from(([203, 0, 113, 2 + low % 250], 1024 + n)),
        1 => SocketAddr::from(([10, 1, high, low], 50_000)),
        _ => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0xcb00, n], 50_000)),
    }
}

/// Delivers a valid, nominating check and says how many bytes were written for an answer.
fn answered(ice: &mut IceLite, source: SocketAddr, now: Instant) -> Result<usize, IceDrop> {
    let check = Check::to(ice).nominate().bytes();
    let request = BindingRequest::parse(&check).unwrap();
    let mut out = [0; BINDING_SUCCESS_MAX];
    let result = ice.handle_binding(&request, &check, source, now, &mut out);
    assert!(result.is_ok() || out == [0; BINDING_SUCCESS_MAX], "an answer was written for {source}");
    result.map(|answer| answer.len)
}

#[test]
fn a_check_from_anywhere_else_gets_no_byte_and_leaves_no_trace() {
    let mut ice = private(&["203.0.113.1"]);
    let now = Instant::now();
    for n in 0..TRIES {
        assert_eq!(answered(&mut ice, own(n), now), Err(IceDrop::NotRelayed));
        assert!(ice.tuple(own(n)).is_none());
    }
    assert_eq!((ice.state(), ice.selected(), ice.next_timeout()), (IceState::New, None, None));
    assert!(answered(&mut ice, relay(50_000), now).unwrap() > 0);
    assert_eq!((ice.state(), ice.selected()), (IceState::Completed, Some(relay(50_000))));
}

#[test]
fn a_call_through_a_relay_never_moves_to_ones_own_address() {
    let mut ice = private(&["203.0.113.1", "2001:db8:77::/64"]);
    let mut now = Instant::now();
    answered(&mut ice, relay(50_000), now).unwrap();
    for n in 0..TRIES {
        now += Duration::from_millis(20);
        assert_eq!(answered(&mut ice, own(n), now), Err(IceDrop::NotRelayed));
        if n % 1_000 == 0 {
            answered(&mut ice, relay(50_000), now).unwrap();
        }
        ice.handle_timeout(now);
        assert_eq!(ice.selected(), Some(relay(50_000)));
    }
    // Another port of the relay, or another relay, is as good.
    answered(&mut ice, relay(50_001), now).unwrap();
    assert_eq!(ice.selected(), Some(relay(50_001)));
    let other: SocketAddr = "[2001:db8:77::9]:50000".parse().unwrap();
    answered(&mut ice, other, now).unwrap();
    assert_eq!(ice.selected(), Some(other));
}

#[test]
fn it_holds_after_an_ice_restart() {
    let mut ice = private(&["203.0.113.1"]);
    let now = Instant::now();
    answered(&mut ice, relay(50_000), now).unwrap();
    ice.restart(&mut checks::rng(7));
    assert_eq!(answered(&mut ice, own(1), now), Err(IceDrop::NotRelayed));
    answered(&mut ice, relay(50_001), now).unwrap();
    assert_eq!(ice.selected(), Some(relay(50_001)));
}

#[test]
fn a_node_without_relays_answers_nobody_in_privacy_mode() {
    let mut ice = private(&[]);
    assert_eq!(answered(&mut ice, relay(50_000), Instant::now()), Err(IceDrop::NotRelayed));
}

#[test]
fn a_room_holds_a_session_to_its_grant() {
    let mut world = World::new(3);
    let room = World::room("call");
    let mut request = World::join_request(1, Tier::Free);
    request.grant.relay_only = true;
    let session = request.session;
    world.command(&room, Command::Join(Box::new(request))).unwrap();
    let peer = world.connect_from(SocketAddr::from(RELAY), &room, session, TransportDirection::Send);
    for n in 0..TRIES {
        let check = world.peers[peer].check();
        world.send(own(n), check);
        assert_eq!(world.bytes_to(own(n)), 0);
    }
    assert_eq!(world.engine.counters().unrelayed_checks, u64::from(TRIES));

    // Who is not in privacy mode comes from anywhere.
    let other = world.join(&room, 2, Tier::Free);
    world.connect(&room, other, TransportDirection::Send);
    assert_eq!(world.engine.counters().unrelayed_checks, u64::from(TRIES));
}

/// What the session was told last of its transport.
fn state_of(world: &World, session: SessionId) -> Option<IceState> {
    let ice = |event: &&Event| match event {
        Event::TransportState { ice, .. } => Some(*ice),
        _ => None,
    };
    world.heard_by(session).iter().rev().find_map(ice)
}

/// `voice:entitlement:refresh` with a token that says `privacyMode`, in a call that goes past the relays.
#[test]
fn a_refresh_into_privacy_mode_ends_what_does_not_come_through_a_relay() {
    let mut world = World::new(5);
    let room = World::room("call");
    let session = world.join(&room, 1, Tier::Free);
    let peer = world.connect_from(own(1), &room, session, TransportDirection::Recv);
    let through_relay = world.join(&room, 2, Tier::Free);
    let other = world.connect_from(SocketAddr::from(RELAY), &room, through_relay, TransportDirection::Recv);
    let answered = |world: &mut World, peer: usize, address| {
        let (check, before) = (world.peers[peer].check(), world.bytes_to(address));
        world.send(address, check);
        world.bytes_to(address) > before
    };
    assert!(answered(&mut world, peer, own(1)));

    for session in [session, through_relay] {
        let mut grant = World::join_request(1, Tier::Free).grant;
        grant.relay_only = true;
        let set = Command::SetGrant { session, grant, reason: GrantReason::Refreshed };
        world.command(&room, set).unwrap();
    }
    assert_eq!(state_of(&world, session), Some(IceState::Disconnected));
    let before = world.bytes_to(own(1));
    // Neither checks nor media nor reports reach the address that is to be hidden.
    for _ in 0..200 {
        world.advance(Duration::from_millis(50));
        let check = world.peers[peer].check();
        world.send(own(1), check);
    }
    assert_eq!(world.bytes_to(own(1)), before);
    // The relay goes on, and is a way back for who was cut off.
    assert!(answered(&mut world, other, SocketAddr::from(RELAY)));
    assert_eq!(state_of(&world, through_relay), Some(IceState::Completed));
    let relayed = relay(50_002);
    assert!(answered(&mut world, peer, relayed));
    assert_eq!(state_of(&world, session), Some(IceState::Completed));
}
