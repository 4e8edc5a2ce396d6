//! Deadlines and revocations, enforced by the node alone: after the command that brought a grant,
//! nothing but time reaches it.

use railgun_peer::{Call, Offer, World};
use railgun_protocol::media_rpc::{Audience, Command, Event, Grant, Reply, Slot};
use railgun_protocol::plan::{Permissions, RoomLimits, Tier};
use railgun_protocol::signal::{ErrorCode, GrantReason, Source, VideoSource};
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::time::Duration;

fn grant(tier: Tier, call: &Call, seconds: Option<u64>) -> Grant {
    let video_until = seconds.map(|seconds| call.world.wall + Duration::from_secs(seconds));
    Grant { permissions: Permissions::of(tier), video_until, relay_only: false }
}

fn set(call: &mut Call, grant: Grant, reason: GrantReason) {
    let command = Command::SetGrant { session: call.talker, grant, reason };
    assert_eq!(call.world.command(&call.room.clone(), command), Ok(Reply::Done));
}

/// A call whose talker sends its screen with sound as well.
fn call() -> Call {
    let mut call = Call::new(11);
    let (room, talker) = (call.room.clone(), call.talker);
    for (source, number) in [(Source::Screen, 2), (Source::ScreenAudio, 3)] {
        call.world.produce(&room, talker, call.talker_send, &Offer::new(source, number)).unwrap();
    }
    call.world.events.clear();
    call
}

/// The packets of the microphone that the listener got in so many ticks.
fn ticks(call: &mut Call, ticks: usize) -> usize {
    call.world.peers[call.listener_recv].arrivals.clear();
    for _ in 0..ticks {
        call.tick(&[call.talker_send, call.listener_recv]);
    }
    call.heard(Source::Mic).len()
}

/// Asserts that everything but the microphone was closed before everybody's eyes.
fn assert_only_the_microphone_is_left(call: &mut Call, reason: GrantReason) {
    let everyone = call.world.events.iter().filter(|event| event.audience == Audience::Everyone);
    let closed = everyone.filter(|event| matches!(event.event, Event::ProducerClosed { .. })).count();
    assert_eq!(closed, 3, "{:#?}", call.world.events);
    let told: Vec<_> = call.world.heard_by(call.talker).into_iter().cloned().collect();
    let free = Permissions::of(Tier::Free);
    let limits = RoomLimits::of(Tier::Pro);
    assert_eq!(told.last(), Some(&Event::Permissions { permissions: free, limits, reason }));
    let (room, talker) = (call.room.clone(), call.talker);
    let again = Offer::new(Source::Camera, 20);
    let refused = call.world.produce(&room, talker, call.talker_send, &again).unwrap_err();
    assert_eq!(refused.code, ErrorCode::CapabilityRequired);
    assert_eq!(call.say(Source::Mic, b"still here"), [b"still here".to_vec()]);
}

#[test]
fn at_the_deadline_video_and_screen_are_closed_and_every_packet_of_speech_arrives() {
    let mut call = call();
    let until = grant(Tier::Pro, &call, Some(10));
    set(&mut call, until, GrantReason::Refreshed);
    let permissions = Permissions::of(Tier::Pro);
    let (limits, reason) = (RoomLimits::of(Tier::Pro), GrantReason::Refreshed);
    assert_eq!(call.world.heard_by(call.talker), [&Event::Permissions { permissions, limits, reason }]);
    call.world.events.clear();
    assert_eq!(ticks(&mut call, 499), 499);
    assert!(!call.world.events.iter().any(|event| matches!(event.event, Event::ProducerClosed { .. })));
    call.world.events.clear();
    // From just before the deadline to within a second after it.
    assert_eq!(ticks(&mut call, 40), 40);
    assert_only_the_microphone_is_left(&mut call, GrantReason::Expired);
    let told = call.world.heard_by(call.listener);
    let consumers = told.iter().filter(|event| matches!(event, Event::ConsumerClosed { .. })).count();
    assert_eq!(consumers, 1, "the listener's of the camera: {told:#?}");
    call.world.events.clear();
    ticks(&mut call, 200);
    assert!(!call.world.events.iter().any(|event| matches!(event.event, Event::Permissions { .. })));
}

#[test]
fn a_clock_that_is_set_moves_no_deadline() {
    let mut call = call();
    let until = grant(Tier::Pro, &call, Some(10));
    set(&mut call, until, GrantReason::Refreshed);
    call.world.wall += Duration::from_secs(86_400 * 365);
    ticks(&mut call, 490);
    call.world.wall -= Duration::from_secs(86_400 * 700);
    assert!(!call.world.events.iter().any(|event| matches!(event.event, Event::ProducerClosed { .. })));
    call.world.events.clear();
    ticks(&mut call, 60);
    assert_only_the_microphone_is_left(&mut call, GrantReason::Expired);
}

#[test]
fn a_revocation_works_at_once_and_an_upgrade_gives_video_back() {
    let mut call = call();
    let free = grant(Tier::Free, &call, None);
    set(&mut call, free, GrantReason::Revoked);
    assert_only_the_microphone_is_left(&mut call, GrantReason::Revoked);
    let pro = grant(Tier::Pro, &call, None);
    set(&mut call, pro, GrantReason::Upgraded);
    let (room, talker) = (call.room.clone(), call.talker);
    call.world.produce(&room, talker, call.talker_send, &Offer::new(Source::Camera, 21)).unwrap();
    // Refreshed before its end, a deadline is forgotten; one that has passed counts at once.
    let soon = grant(Tier::Pro, &call, Some(1));
    set(&mut call, soon, GrantReason::Refreshed);
    set(&mut call, pro, GrantReason::Refreshed);
    ticks(&mut call, 200);
    call.world.events.clear();
    let mut past = pro;
    past.video_until = Some(call.world.wall - Duration::from_secs(5));
    set(&mut call, past, GrantReason::Refreshed);
    ticks(&mut call, 1);
    let closed = call.world.events.iter().filter(|it| matches!(it.event, Event::ProducerClosed { .. }));
    assert_eq!(closed.count(), 1);
}

#[test]
fn a_slot_and_a_place_in_the_queue_end_with_the_grant() {
    let mut world = World::new(12);
    let room = World::room("grants");
    let mut people = Vec::new();
    for number in 1..=3 {
        let mut request = World::join_request(number, Tier::Pro);
        request.limits.video_publishers = 1;
        if number < 3 {
            request.grant.video_until =
                Some(world.wall + Duration::from_secs(10 * u64::try_from(number).unwrap()));
        }
        people.push(world.join_with(&room, request));
    }
    for session in &people {
        world
            .command(&room, Command::RequestSlot { session: *session, source: VideoSource::Screen })
            .unwrap();
    }
    world.events.clear();
    world.advance(Duration::from_millis(10_500));
    let granted = |session| {
        let heard = world.heard_by(session);
        heard.iter().any(|event| matches!(event, Event::VideoGranted { source: VideoSource::Screen, .. }))
    };
    assert!(granted(people[1]) && !granted(people[2]));
    world.events.clear();
    world.advance(Duration::from_secs(10));
    let asked =
        world.command(&room, Command::RequestSlot { session: people[2], source: VideoSource::Screen });
    assert!(matches!(asked, Ok(Reply::Slot(state)) if matches!(state.slot, Slot::Held(_))), "{asked:?}");
}

#[test]
fn deadlines_come_with_a_join_as_well() {
    let mut world = World::new(13);
    let room = World::room("grants");
    let mut request = World::join_request(1, Tier::Pro);
    request.grant.video_until = Some(world.wall + Duration::from_secs(3));
    let session = world.join_with(&room, request);
    let listener = world.join(&room, 2, Tier::Free);
    let (send, _) = (world.connect(&room, session, Send), world.connect(&room, listener, Recv));
    world.produce(&room, session, send, &Offer::new(Source::Camera, 1)).unwrap();
    world.advance(Duration::from_secs(4));
    assert!(world.heard_by(listener).iter().any(|it| matches!(it, Event::ProducerClosed { .. })));
}
