//! The resume window: 15 s after a socket was lost the seat goes, unless ICE consent (RFC 7675) is fresh
//! on every connected transport; then media goes on for 60 s at most, and the person, whom the others see
//! as reconnecting, holds up nobody.

use railgun_peer::{Call, World};
use railgun_protocol::ids::{DeviceId, SessionId};
use railgun_protocol::limits::{CONSENT_TIMEOUT, RESUME_WINDOW, RESUME_WINDOW_MAX};
use railgun_protocol::media_rpc::{
    Address, Command, Event, JoinRequest, LeaveReason, Reply, ResumeRequest, Rights, Slot, SlotState,
    TokenDigest,
};
use railgun_protocol::plan::{RoomLimits, Tier};
use railgun_protocol::signal::{ErrorCode, KickReason, VideoSource};
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn left(world: &World, session: SessionId) -> bool {
    let is_it = |event: &Event| matches!(event, Event::ParticipantLeft { session: of, .. } if *of == session);
    world.events.iter().any(|event| is_it(&event.event))
}

/// What the others were told of whether it is reconnecting, oldest first.
fn reconnecting(world: &World, session: SessionId) -> Vec<bool> {
    let told = world.events.iter().filter_map(|event| match event.event {
        Event::ParticipantState { session: of, reconnecting, .. } if of == session => Some(reconnecting),
        _ => None,
    });
    told.collect()
}

/// After how long without a socket the listener of a call leaves, while it checks until `checks_until`.
fn leaves_after(seed: u8, checks_until: Duration) -> Duration {
    let mut call = Call::new(seed);
    let (room, listener) = (call.room.clone(), call.listener);
    let (talker_send, listener_recv) = (call.talker_send, call.listener_recv);
    let lost_at = call.world.now;
    for second in 1..=90 {
        let checking = [talker_send, listener_recv];
        let checking = if second <= checks_until.as_secs() { &checking[..] } else { &checking[..1] };
        while call.world.now < lost_at + SECOND * second.try_into().unwrap() {
            call.tick(checking);
        }
        let lasted = call.world.now - lost_at;
        if lasted > RESUME_WINDOW {
            call.world.silence(&room, listener, 1, lasted);
        }
        if left(&call.world, listener) {
            return lasted;
        }
        assert_eq!(
            reconnecting(&call.world, listener),
            Vec::from_iter((lasted > RESUME_WINDOW).then_some(true))
        );
    }
    panic!("it never leaves");
}

#[test]
fn the_window_ends_with_consent_and_after_a_minute_at_last() {
    let with_checks = leaves_after(51, SECOND * 90);
    assert!(with_checks >= RESUME_WINDOW_MAX && with_checks <= RESUME_WINDOW_MAX + SECOND, "{with_checks:?}");
    // The machine is gone as well: the last check was just before.
    let without = leaves_after(52, Duration::ZERO);
    assert!(without > RESUME_WINDOW && without <= CONSENT_TIMEOUT + SECOND, "{without:?}");
    let half = leaves_after(53, SECOND * 10);
    assert!(half > CONSENT_TIMEOUT && half <= CONSENT_TIMEOUT + SECOND * 11, "{half:?}");
}

#[test]
fn every_connected_transport_has_to_have_consent_and_there_has_to_be_one() {
    let (mut world, room) = (World::new(54), World::room("r"));
    world.join(&room, 1, Tier::Pro);
    let none = world.join(&room, 2, Tier::Pro);
    let both = world.join(&room, 3, Tier::Pro);
    let (sending, _) = (world.connect(&room, both, Send), world.connect(&room, both, Recv));
    for _ in 0..(CONSENT_TIMEOUT.as_secs() + 2) {
        let check = world.peers[sending].check();
        world.send(world.peers[sending].address, check);
        world.advance(SECOND);
    }
    world.silence(&room, none, 1, RESUME_WINDOW + SECOND);
    world.silence(&room, both, 1, RESUME_WINDOW + SECOND);
    assert!(left(&world, none), "nothing shows that anybody is there");
    assert!(left(&world, both), "one of two paths is dead");
}

/// A seat with a fresh transport, and a resume token.
fn connected(world: &mut World, room: &Address, request: JoinRequest) -> SessionId {
    let session = world.join_with(room, JoinRequest { resume: Some(TokenDigest([1; 32])), ..request });
    world.connect(room, session, Send);
    session
}

fn lose(world: &mut World, room: &Address, session: SessionId) {
    world.silence(room, session, 1, RESUME_WINDOW + SECOND);
    assert!(!left(world, session));
}

fn resume(world: &mut World, room: &Address, session: SessionId) -> Result<u32, ErrorCode> {
    let joined = World::join_request(session.to_bits(), Tier::Pro);
    let request = ResumeRequest {
        session,
        user: joined.user,
        device: joined.device,
        token: TokenDigest([1; 32]),
        next_token: TokenDigest([2; 32]),
        rights: Some(Rights { grant: joined.grant, limits: joined.limits }),
    };
    match world.command(room, Command::Resume(Box::new(request))) {
        Ok(Reply::Resumed(room, _)) => Ok(room.attachment),
        Ok(other) => panic!("{other:?}"),
        Err(refused) => Err(refused.code),
    }
}

#[test]
fn a_resume_ends_it_and_what_is_said_of_the_old_socket_counts_no_more() {
    let (mut world, room) = (World::new(55), World::room("r"));
    world.join(&room, 9, Tier::Pro);
    let session = connected(&mut world, &room, World::join_request(1, Tier::Pro));
    lose(&mut world, &room, session);
    let Ok(Reply::Joined(seen)) =
        world.command(&room, Command::Join(Box::new(World::join_request(8, Tier::Pro))))
    else {
        panic!("no seat")
    };
    let shown = seen.participants.iter().map(|it| (it.session_id == session, it.reconnecting));
    assert!(shown.clone().all(|(is_lost, reconnecting)| is_lost == reconnecting) && shown.len() == 2);
    assert_eq!(resume(&mut world, &room, session), Ok(2));
    world.silence(&room, session, 1, RESUME_WINDOW_MAX);
    assert!(!left(&world, session));
    assert_eq!(reconnecting(&world, session), [true, false]);
}

#[test]
fn a_full_room_gives_a_newcomer_the_seat_that_was_lost_the_longest() {
    let (mut world, room) = (World::new(56), World::room("r"));
    let limits = RoomLimits { participants: 3, ..RoomLimits::of(Tier::Pro) };
    let request = |session| JoinRequest { limits, ..World::join_request(session, Tier::Pro) };
    let [one, two, three] = [1, 2, 3].map(|session| connected(&mut world, &room, request(session)));
    let newcomer = |world: &mut World, session| {
        let joined = world.command(&room, Command::Join(Box::new(request(session))));
        joined.map(drop).map_err(|refused| refused.code)
    };
    assert_eq!(newcomer(&mut world, 4), Err(ErrorCode::ChannelFull));
    lose(&mut world, &room, two);
    world.advance(SECOND);
    lose(&mut world, &room, one);
    assert_eq!(newcomer(&mut world, 5), Ok(()));
    assert_eq!([one, two, three].map(|session| left(&world, session)), [false, true, false]);
    assert_eq!(resume(&mut world, &room, two), Err(ErrorCode::ResumeFailed));
    assert_eq!(newcomer(&mut world, 6), Ok(()));
    assert!(left(&world, one));
    assert_eq!(newcomer(&mut world, 7), Err(ErrorCode::ChannelFull), "nobody is lost any more");
}

#[test]
fn a_join_of_the_same_device_takes_the_lost_ones_place() {
    let (mut world, room) = (World::new(57), World::room("r"));
    let device = DeviceId::new("profile").ok();
    let request = |session| JoinRequest {
        device: device.clone(),
        limits: RoomLimits { participants: 1, ..RoomLimits::of(Tier::Pro) },
        user: World::join_request(1, Tier::Pro).user,
        ..World::join_request(session, Tier::Pro)
    };
    let lost = connected(&mut world, &room, request(1));
    lose(&mut world, &room, lost);
    world.join_with(&room, request(2));
    assert!(left(&world, lost));
}

#[test]
fn a_grant_and_a_place_in_the_queue_go_and_a_slot_in_use_stays() {
    let mut call = Call::new(58);
    let room = call.room.clone();
    let limits = RoomLimits { video_publishers: 2, ..RoomLimits::of(Tier::Pro) };
    call.world.command(&room, Command::SetLimits { limits }).unwrap();
    let request = |session| JoinRequest { limits, ..World::join_request(session, Tier::Pro) };
    let [holder, waiting] = [11, 12].map(|session| connected(&mut call.world, &room, request(session)));
    let last = call.world.join_with(&room, request(13));
    let ask = |world: &mut World, session| {
        let source = VideoSource::Camera;
        match world.command(&room, Command::RequestSlot { session, source }) {
            Ok(Reply::Slot(SlotState { slot, .. })) => slot,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(ask(&mut call.world, holder), Slot::Held(_)));
    assert_eq!([waiting, last].map(|session| ask(&mut call.world, session)), [1, 2].map(Slot::Waiting));
    let talker = call.talker;
    lose(&mut call.world, &room, talker);
    lose(&mut call.world, &room, waiting);
    assert_eq!(ask(&mut call.world, last), Slot::Waiting(1), "the talker's camera goes on");
    lose(&mut call.world, &room, holder);
    let granted = |event: &&Event| matches!(event, Event::VideoGranted { .. });
    assert_eq!(call.world.heard_by(last).into_iter().filter(granted).count(), 1);
}

#[test]
fn a_lost_session_is_put_out_like_any_other() {
    let (mut world, room) = (World::new(59), World::room("r"));
    world.join(&room, 9, Tier::Pro);
    let session = connected(&mut world, &room, World::join_request(1, Tier::Pro));
    lose(&mut world, &room, session);
    world.command(&room, Command::Kick { session, reason: KickReason::Banned, banned_for: None }).unwrap();
    assert!(left(&world, session));
    assert_eq!(resume(&mut world, &room, session), Err(ErrorCode::ResumeFailed));
}

#[test]
fn a_join_anew_finds_no_old_transport_and_a_repeated_one_finds_its_own() {
    let (mut world, room) = (World::new(60), World::room("r"));
    let session = connected(&mut world, &room, World::join_request(1, Tier::Pro));
    let create = Command::CreateTransport { session, direction: Send };
    world.join(&room, 1, Tier::Pro);
    let refused = world.command(&room, create.clone()).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidState, "the same seat, as it was");
    world.join_with(&room, JoinRequest { anew: true, ..World::join_request(1, Tier::Pro) });
    assert!(matches!(world.command(&room, create), Ok(Reply::TransportCreated { .. })));
    // The seat's room was never empty.
    assert!(!left(&world, session));
    let leave = Command::Leave { session, reason: LeaveReason::Lost, attachment: Some(1) };
    world.command(&room, leave).unwrap();
    assert!(!left(&world, session), "the socket of the join before");
}
