//! The node's own gate: commands come straight to it, as from a control-plane that checks nothing.

use railgun_peer::{Offer, World};
use railgun_protocol::media_rpc::{Command, Event};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{ErrorCode, Source};
use railgun_protocol::transport_parameters::TransportDirection::Send;
use std::time::Duration;

#[test]
fn a_camera_and_a_screen_need_pro_and_a_microphone_does_not() {
    let mut world = World::new(1);
    let room = World::room("free");
    let session = world.join(&room, 1, Tier::Free);
    let peer = world.connect(&room, session, Send);
    for (source, capability) in [
        (Source::Camera, "VIDEO_CALLING"),
        (Source::Screen, "SCREEN_SHARE"),
        (Source::ScreenAudio, "SCREEN_SHARE"),
    ] {
        let refused = world.produce(&room, session, peer, &Offer::new(source, 1)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::CapabilityRequired);
        assert_eq!(refused.details["capability"], capability);
    }
    world.produce(&room, session, peer, &Offer::new(Source::Mic, 1)).unwrap();
    let told = world.events.iter().filter(|it| matches!(it.event, Event::NewProducer { .. })).count();
    assert_eq!(told, 1, "only the microphone was announced");
}

#[test]
fn video_may_not_pass_as_a_microphone() {
    let mut world = World::new(1);
    let room = World::room("free");
    let session = world.join(&room, 1, Tier::Free);
    let peer = world.connect(&room, session, Send);
    let mut offer = Offer::new(Source::Camera, 1);
    offer.source = Source::Mic;
    let command = Command::Produce {
        session,
        transport: world.peers[peer].id,
        kind: Source::Camera.kind(),
        source: Source::Mic,
        rtp_parameters: Box::new(offer.parameters.clone()),
    };
    assert_eq!(world.command(&room, command).unwrap_err().code, ErrorCode::InvalidPayload);
    // Said to be audio, its codecs are still video's.
    assert!(world.produce(&room, session, peer, &offer).is_err());
}

#[test]
fn video_ends_where_the_grant_does() {
    let mut world = World::new(1);
    let room = World::room("pro");
    let mut request = World::join_request(1, Tier::Pro);
    let until = std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_010);
    request.grant.video_until = Some(until);
    let session = request.session;
    world.command(&room, Command::Join(Box::new(request))).unwrap();
    let peer = world.connect(&room, session, Send);
    world.advance(Duration::from_secs(11));
    let refused = world.produce(&room, session, peer, &Offer::new(Source::Camera, 1)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::CapabilityRequired);
    world.produce(&room, session, peer, &Offer::new(Source::Mic, 2)).unwrap();
}
