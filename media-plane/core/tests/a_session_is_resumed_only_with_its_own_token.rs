//! Resume at the node: who may take a session up, what it finds, and which tokens are dead.

use railgun_peer::{Call, World};
use railgun_protocol::ids::{DeviceId, SessionId, UserId};
use railgun_protocol::media_rpc::{
    Address, Audience, Command, Event, LeaveReason, OwnState, Reply, ResumeRequest, Rights, RoomSnapshot,
    Slot, TokenDigest,
};
use railgun_protocol::plan::{Permissions, RoomLimits, Tier};
use railgun_protocol::signal::{ErrorCode, Source, StateUpdate, VideoSource};
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};

fn digest(byte: u8) -> TokenDigest {
    TokenDigest([byte; 32])
}

/// A room with a session that can be resumed with token 1, and a bystander.
fn room() -> (World, Address, SessionId) {
    let mut world = World::new(21);
    let room = World::room("resume");
    world.join(&room, 7, Tier::Free);
    let mut request = World::join_request(1, Tier::Pro);
    request.device = DeviceId::new("laptop").ok();
    request.resume = Some(digest(1));
    let session = world.join_with(&room, request);
    world.events.clear();
    (world, room, session)
}

fn request(session: SessionId, token: u8, next: u8) -> ResumeRequest {
    let joined = World::join_request(1, Tier::Pro);
    ResumeRequest {
        session,
        user: joined.user,
        device: DeviceId::new("laptop").ok(),
        token: digest(token),
        next_token: digest(next),
        rights: Some(Rights { grant: joined.grant, limits: joined.limits }),
    }
}

fn resume(world: &mut World, room: &Address, request: ResumeRequest) -> Option<(RoomSnapshot, OwnState)> {
    match world.command(room, Command::Resume(Box::new(request))) {
        Ok(Reply::Resumed(room, own)) => Some((room, *own)),
        Err(refused) if refused.code == ErrorCode::ResumeFailed => None,
        other => panic!("not the answer to a resume: {other:?}"),
    }
}

fn touch(world: &mut World, room: &Address, session: SessionId) {
    let update = StateUpdate { muted: Some(true), deafened: None, speaking: None };
    world.command(room, Command::UpdateState { session, update }).unwrap();
}

#[test]
fn who_resumes_finds_everything_as_it_was() {
    let mut call = Call::new(22);
    let room = call.room.clone();
    let mut again = World::join_request(2, Tier::Free);
    again.resume = Some(digest(1));
    let listener = call.world.join_with(&room, again);
    assert_eq!(listener, call.listener, "the same seat, with a token now");
    call.world.events.clear();
    let joined = World::join_request(2, Tier::Free);
    let request = ResumeRequest {
        session: listener,
        user: joined.user,
        device: None,
        token: digest(1),
        next_token: digest(2),
        rights: Some(Rights { grant: joined.grant, limits: joined.limits }),
    };
    let (snapshot, own) = resume(&mut call.world, &room, request).expect("resumed");
    assert_eq!(snapshot.attachment, 2);
    assert_eq!(snapshot.participants.len(), 1);
    assert_eq!(snapshot.participants[0].producers.len(), 2);
    let transports: Vec<_> = own.transports.iter().map(|(direction, _)| *direction).collect();
    assert_eq!(transports, [Recv]);
    assert_eq!(own.transports[0].1, call.world.peers[call.listener_recv].id);
    let consumers: Vec<_> = own.consumers.iter().map(|it| (it.consumer_id, it.producer_id)).collect();
    let expected = [&call.mic, &call.camera].map(|it| (it.consumer.consumer, it.producer));
    assert_eq!(consumers, expected);
    let told: Vec<_> = call.world.events.iter().map(|it| (it.audience, it.event.clone())).collect();
    assert_eq!(told, [(Audience::Only(listener), Event::Superseded)], "nobody else hears of it");
    call.assert_goes_on();
}

#[test]
fn its_own_producers_and_slots_are_told_too() {
    let (mut world, room, session) = room();
    let transport = world.open(&room, session, Send);
    let offer = railgun_peer::Offer::new(Source::Mic, 1);
    let producer = world.produce_on(&room, session, transport, &offer).unwrap();
    world.command(&room, Command::PauseProducer { session, producer }).unwrap();
    world.command(&room, Command::RequestSlot { session, source: VideoSource::Camera }).unwrap();
    let (_, own) = resume(&mut world, &room, request(session, 1, 2)).unwrap();
    assert_eq!(own.transports, [(Send, transport)]);
    assert_eq!((own.producers[0].producer_id, own.producers[0].paused), (producer, true));
    let [(VideoSource::Camera, state)] = own.slots[..] else { panic!("{own:?}") };
    assert!(matches!(state.slot, Slot::Held(_)), "{state:?}");
}

#[test]
fn a_stolen_token_is_nothing_to_another_user_device_or_session() {
    let (mut world, room, session) = room();
    let good = request(session, 1, 9);
    let other_user = ResumeRequest { user: UserId::new("user-7").unwrap(), ..good.clone() };
    let other_device = ResumeRequest { device: DeviceId::new("phone").ok(), ..good.clone() };
    let no_device = ResumeRequest { device: None, ..good.clone() };
    let other_session = ResumeRequest { session: SessionId::from_bits(7), ..good.clone() };
    let no_session = ResumeRequest { session: SessionId::from_bits(99), ..good.clone() };
    let guessed = request(session, 3, 9);
    for wrong in [other_user, other_device, no_device, other_session, no_session, guessed] {
        assert_eq!(resume(&mut world, &room, wrong), None);
    }
    let elsewhere = World::room("elsewhere");
    assert_eq!(resume(&mut world, &elsewhere, good.clone()), None);
    let later = Address { epoch: 2, ..room.clone() };
    assert_eq!(resume(&mut world, &later, good.clone()), None);
    assert!(world.events.is_empty(), "nothing happened: {:?}", world.events);
    let (snapshot, _) = resume(&mut world, &room, good).expect("the token is as good as before");
    assert_eq!(snapshot.attachment, 2);
}

#[test]
fn a_session_that_gave_no_token_cannot_be_resumed() {
    let (mut world, room, _) = room();
    let mut wrong = request(SessionId::from_bits(7), 0, 9);
    (wrong.user, wrong.device) = (UserId::new("user-7").unwrap(), None);
    assert_eq!(resume(&mut world, &room, wrong), None);
}

#[test]
fn an_old_token_dies_with_the_next_command_and_not_before() {
    let (mut world, room, session) = room();
    for (token, next, attachment) in [(1, 2, 2), (1, 3, 3), (3, 4, 4)] {
        let (snapshot, _) = resume(&mut world, &room, request(session, token, next)).unwrap();
        assert_eq!(snapshot.attachment, attachment);
    }
    assert_eq!(resume(&mut world, &room, request(session, 1, 9)), None, "the third one was used");
    assert_eq!(resume(&mut world, &room, request(session, 2, 9)), None, "its reply was overtaken");
    // What others do to a session does not show that its socket lives.
    let grant = World::join_request(1, Tier::Pro).grant;
    for command in [
        Command::Detach { session, attachment: 4 },
        Command::SetGrant { session, grant, reason: railgun_protocol::signal::GrantReason::Refreshed },
        Command::Mute { session },
        Command::Leave { session, reason: LeaveReason::Lost, attachment: Some(3) },
    ] {
        world.command(&room, command).unwrap();
    }
    assert!(resume(&mut world, &room, request(session, 3, 4)).is_some());
    assert_eq!(world.command(&room, Command::ConfirmResume { session }), Ok(Reply::Done));
    assert_eq!(resume(&mut world, &room, request(session, 3, 9)), None, "replayed");
    assert!(resume(&mut world, &room, request(session, 4, 5)).is_some());
    touch(&mut world, &room, session);
    assert_eq!(resume(&mut world, &room, request(session, 4, 9)), None, "any command confirms");
    assert!(resume(&mut world, &room, request(session, 5, 6)).is_some());
}

#[test]
fn a_lost_socket_takes_nothing_from_the_one_that_resumed() {
    let (mut world, room, session) = room();
    resume(&mut world, &room, request(session, 1, 2)).unwrap();
    world.events.clear();
    let stale = Command::Leave { session, reason: LeaveReason::Left, attachment: Some(1) };
    assert_eq!(world.command(&room, stale), Ok(Reply::Left));
    assert!(world.events.is_empty(), "{:?}", world.events);
    touch(&mut world, &room, session);
    let own = Command::Leave { session, reason: LeaveReason::Left, attachment: Some(2) };
    assert_eq!(world.command(&room, own), Ok(Reply::Left));
    assert!(world.events.iter().any(|it| matches!(it.event, Event::ParticipantLeft { .. })));
    assert_eq!(resume(&mut world, &room, request(session, 2, 3)), None, "too late");
}

#[test]
fn the_grant_of_a_resume_counts() {
    let (mut world, room, session) = room();
    let transport = world.open(&room, session, Send);
    let offer = railgun_peer::Offer::new(Source::Camera, 1);
    world.produce_on(&room, session, transport, &offer).unwrap();
    let mut poorer = request(session, 1, 2);
    let rights = poorer.rights.as_mut().unwrap();
    rights.grant.permissions = Permissions::of(Tier::Free);
    rights.limits = RoomLimits::of(Tier::Free);
    let (_, own) = resume(&mut world, &room, poorer).unwrap();
    assert!(own.producers.is_empty() && own.slots.is_empty(), "{own:?}");
}

/// The replica cannot read records: it asks for no rights, and is told those that there are.
#[test]
fn who_resumes_without_rights_keeps_those_that_the_node_has() {
    let (mut world, room, session) = room();
    let kept = World::join_request(1, Tier::Pro);
    let keeping = |token, next| ResumeRequest { rights: None, ..request(session, token, next) };
    let (_, own) = resume(&mut world, &room, keeping(1, 2)).unwrap();
    assert_eq!(own.rights, Some(Rights { grant: kept.grant, limits: kept.limits }));
    // What was taken away stays away.
    let free = World::join_request(1, Tier::Free).grant;
    let reason = railgun_protocol::signal::GrantReason::Revoked;
    world.command(&room, Command::SetGrant { session, grant: free, reason }).unwrap();
    let (_, own) = resume(&mut world, &room, keeping(2, 3)).unwrap();
    assert_eq!(own.rights.map(|rights| rights.grant), Some(free));
    assert!(resume(&mut world, &room, keeping(9, 10)).is_none(), "a token is needed all the same");
    let (_, own) = resume(&mut world, &room, request(session, 3, 4)).unwrap();
    assert_eq!(own.rights, None, "the replica brought its own");
}
