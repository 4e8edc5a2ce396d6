//! Echo and network tests: a room of one that ends by itself.

use railgun_peer::{Offer, World};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Address, Command, Event};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{ErrorCode, Source};
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::time::Duration;

fn start(world: &mut World) -> (Address, SessionId) {
    let room = World::room("diagnostics-1");
    let mut request = World::join_request(1, Tier::Free);
    request.diagnostics = true;
    let session = world.join_with(&room, request);
    (room, session)
}

#[test]
fn its_one_session_hears_itself() {
    let mut world = World::new(51);
    let (room, session) = start(&mut world);
    let send = world.connect(&room, session, Send);
    let recv = world.connect(&room, session, Recv);
    let offer = Offer::new(Source::Mic, 1);
    let producer = world.produce(&room, session, send, &offer).unwrap();
    world.consume(&room, session, producer).expect("its own");
    world.peers[recv].arrivals.clear();
    let header = railgun_media_core::packet::rtp::HeaderWriter {
        marker: true,
        payload_type: offer.payload_type,
        sequence: 1,
        timestamp: 960,
        ssrc: offer.ssrc,
    };
    let packet = world.peers[send].seal_rtp(header, 1, &[], b"echo");
    world.send(world.peers[send].address, packet);
    let is_echo = |it: &railgun_peer::Arrival| matches!(it, railgun_peer::Arrival::Rtp(bytes) if bytes.ends_with(b"echo"));
    assert_eq!(world.peers[recv].arrivals.iter().filter(|it| is_echo(it)).count(), 1);
}

#[test]
fn it_takes_nobody_else_and_no_call() {
    let mut world = World::new(52);
    let (room, _) = start(&mut world);
    let mut second = World::join_request(2, Tier::Pro);
    second.diagnostics = true;
    let refused = world.command(&room, Command::Join(Box::new(second.clone()))).unwrap_err();
    assert_eq!(refused.code, ErrorCode::ChannelFull);
    second.diagnostics = false;
    let refused = world.command(&room, Command::Join(Box::new(second))).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidState);
    let call = World::room("call");
    world.join(&call, 3, Tier::Free);
    let mut fourth = World::join_request(4, Tier::Free);
    fourth.diagnostics = true;
    let refused = world.command(&call, Command::Join(Box::new(fourth))).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidState);
}

#[test]
fn it_ends_after_sixty_seconds() {
    let mut world = World::new(53);
    let (room, session) = start(&mut world);
    world.advance(Duration::from_secs(30));
    let mut again = World::join_request(1, Tier::Free);
    again.diagnostics = true;
    world.join_with(&room, again);
    world.advance(Duration::from_millis(29_999));
    assert!(!world.events.iter().any(|it| it.event == Event::RoomClosed));
    world.advance(Duration::from_millis(1));
    let over = Event::Kicked { reason: "diagnostics_over".into(), banned_for: None };
    assert!(world.heard_by(session).contains(&&over), "{:#?}", world.events);
    assert_eq!(world.events.last().map(|it| &it.event), Some(&Event::RoomClosed));
    let (_, again) = start(&mut world);
    assert_eq!(again, session, "and another may begin");
}
