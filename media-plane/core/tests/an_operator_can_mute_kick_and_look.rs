//! What operators do to a room, as its people see it.

use railgun_peer::{Call, World};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Address, Command, Event, Reply};
use railgun_protocol::plan::{RoomLimits, Tier};
use railgun_protocol::signal::{ErrorCode, MuteReason, Source};
use std::time::Duration;

#[test]
fn a_muted_participant_is_told_and_may_speak_again() {
    let mut call = Call::new(41);
    let (room, session) = (call.room.clone(), call.talker);
    call.world.events.clear();
    for _ in 0..2 {
        assert_eq!(call.world.command(&room, Command::Mute { session }), Ok(Reply::Done));
    }
    let muted = Event::Muted { reason: MuteReason::Admin, strikes: 0 };
    let told = call.world.heard_by(session);
    assert_eq!(told.iter().filter(|event| ***event == muted).count(), 1, "muting the muted is nothing");
    let paused = |event: &&&Event| matches!(event, Event::ProducerPaused { .. });
    assert_eq!(call.world.heard_by(call.listener).iter().filter(paused).count(), 1);
    assert!(call.say(Source::Mic, b"hush").is_empty());
    let producer = call.mic.producer;
    call.world.command(&room, Command::ResumeProducer { session, producer }).unwrap();
    call.assert_goes_on();
    let silent = Command::Mute { session: call.listener };
    assert_eq!(call.world.command(&room, silent), Ok(Reply::Done), "who sends nothing is muted already");
}

#[test]
fn a_kicked_participant_is_told_for_how_long_and_is_gone() {
    let mut call = Call::new(42);
    let (room, session) = (call.room.clone(), call.talker);
    call.world.events.clear();
    let banned_for = Some(Duration::from_secs(60));
    let kick = Command::Kick { session, reason: "admin".into(), banned_for };
    assert_eq!(call.world.command(&room, kick.clone()), Ok(Reply::Done));
    let kicked = Event::Kicked { reason: "admin".into(), banned_for };
    assert_eq!(call.world.heard_by(session).first(), Some(&&kicked));
    let left =
        |event: &&&Event| matches!(event, Event::ParticipantLeft { session: of, .. } if *of == session);
    assert_eq!(call.world.heard_by(call.listener).iter().filter(left).count(), 1);
    assert!(call.say(Source::Mic, b"hello?").is_empty());
    assert_eq!(call.world.command(&room, kick).unwrap_err().code, ErrorCode::NotFound);
}

#[test]
fn an_inspection_shows_everybody_and_changes_nothing() {
    let mut call = Call::new(43);
    let room = call.room.clone();
    call.world.events.clear();
    let Ok(Reply::Inspected(snapshot)) = call.world.command(&room, Command::Inspect) else {
        panic!("not inspected")
    };
    let people: Vec<SessionId> = snapshot.participants.iter().map(|it| it.session_id).collect();
    assert_eq!(people, [call.talker, call.listener]);
    assert_eq!(snapshot.participants[0].producers.len(), 2);
    assert!(call.world.events.is_empty());
    for absent in [World::room("elsewhere"), Address { epoch: 2, ..room }] {
        assert!(call.world.command(&absent, Command::Inspect).is_err());
    }
}

#[test]
fn a_channel_that_gets_smaller_keeps_whoever_is_in_and_takes_nobody_else() {
    let mut world = World::new(44);
    let room = World::room("tiers");
    for number in 1..=10 {
        world.join(&room, number, Tier::Free);
    }
    world.events.clear();
    let limits = RoomLimits::of(Tier::Free);
    assert_eq!(world.command(&room, Command::SetLimits { limits }), Ok(Reply::Done));
    assert!(world.events.is_empty());
    let mut eleventh = World::join_request(11, Tier::Free);
    eleventh.limits = limits;
    let refused = world.command(&room, Command::Join(Box::new(eleventh))).unwrap_err();
    assert_eq!(refused.code, ErrorCode::ChannelFull);
}
