//! Active speaker, levels and noise loops, from packets to events.

use railgun_peer::{Call, TICK};
use railgun_protocol::media_rpc::{Audience, Command, Event};
use railgun_protocol::signal::{ErrorCode, KickReason, MuteReason, Source, Speaker};
use std::time::Duration;

const SECOND: usize = 50;

/// A call in which only packets of the microphone flow.
fn call() -> Call {
    let mut call = Call::new(31);
    call.world.advance(Duration::from_secs(3));
    call.world.events.clear();
    call
}

/// So many frames of that level, with the checks that keep the call alive.
fn speak(call: &mut Call, frames: usize, level: impl Fn(usize) -> Option<u8>) {
    for frame in 0..frames {
        if frame.is_multiple_of(2 * SECOND) {
            for place in [call.talker_send, call.listener_recv] {
                let check = call.world.peers[place].check();
                call.world.send(call.world.peers[place].address, check);
            }
        }
        if let Some(level) = level(frame) {
            call.speak(level);
        }
        call.world.advance(TICK);
    }
}

fn count(call: &Call, is: impl Fn(&Event) -> bool) -> usize {
    call.world.events.iter().filter(|event| is(&event.event)).count()
}

fn levels(event: &Event) -> bool {
    matches!(event, Event::AudioLevels(_))
}

fn muted(call: &Call) -> Vec<(MuteReason, u8)> {
    let of = |event: &&Event| match event {
        Event::Muted { reason, strikes } => Some((*reason, *strikes)),
        _ => None,
    };
    call.world.heard_by(call.talker).iter().filter_map(of).collect()
}

#[test]
fn a_speaker_is_told_to_everybody_and_moves_no_sequence() {
    let mut call = call();
    let seq = |call: &Call| call.world.events.last().map(|event| event.room_seq);
    let update =
        railgun_protocol::signal::StateUpdate { muted: Some(false), deafened: Some(true), speaking: None };
    let state = Command::UpdateState { session: call.talker, update };
    call.world.command(&call.room.clone(), state).unwrap();
    let before = seq(&call);
    speak(&mut call, 4 * SECOND, |frame| Some(if frame % 20 < 15 { 25 } else { 35 }));
    let user_id = call.world.events.iter().find_map(|event| match &event.event {
        Event::ActiveSpeaker(Some(Speaker { user_id, session_id })) if *session_id == call.talker => {
            Some(user_id)
        }
        _ => None,
    });
    assert_eq!(user_id.map(ToString::to_string).as_deref(), Some("user-1"));
    let told = count(&call, levels);
    assert!((12..=16).contains(&told), "about four a second: {told}");
    assert!(
        call.world.events.iter().filter(|it| levels(&it.event)).all(|it| it.audience == Audience::Everyone)
    );
    assert_eq!(seq(&call), before);

    call.world.events.clear();
    speak(&mut call, 3 * SECOND, |_| Some(90));
    assert_eq!(count(&call, |it| *it == Event::AudioLevels(Vec::new())), 1, "{:#?}", call.world.events);
    assert_eq!(count(&call, |it| *it == Event::ActiveSpeaker(None)), 1);
    call.world.events.clear();
    speak(&mut call, 5 * SECOND, |_| Some(90));
    assert_eq!(count(&call, |it| levels(it) || matches!(it, Event::ActiveSpeaker(_))), 0);
}

#[test]
fn equal_levels_are_told_once_and_a_paused_microphone_is_not_heard() {
    let mut call = call();
    speak(&mut call, 4 * SECOND, |_| Some(40));
    assert_eq!(count(&call, levels), 1);
    let (room, session, producer) = (call.room.clone(), call.talker, call.mic.producer);
    call.world.command(&room, Command::PauseProducer { session, producer }).unwrap();
    speak(&mut call, 2 * SECOND, |_| Some(20));
    assert_eq!(count(&call, levels), 2, "the second says that nobody is heard");
    assert_eq!(count(&call, |it| *it == Event::ActiveSpeaker(None)), 1);
}

#[test]
fn a_noise_loop_is_muted_twice_and_put_out_the_third_time() {
    let mut call = call();
    let (room, session, producer) = (call.room.clone(), call.talker, call.mic.producer);
    for strikes in 1..=2 {
        call.world.events.clear();
        speak(&mut call, 10 * SECOND - 5, |_| Some(12));
        assert_eq!(muted(&call), []);
        speak(&mut call, SECOND, |_| Some(13));
        assert_eq!(muted(&call), [(MuteReason::NoiseLoop, strikes)]);
        let paused = |it: &Event| matches!(it, Event::ProducerPaused { producer: of, .. } if *of == producer);
        assert_eq!(count(&call, paused), 1);
        call.world.peers[call.listener_recv].arrivals.clear();
        speak(&mut call, SECOND, |_| Some(12));
        assert!(call.heard(Source::Mic).is_empty(), "it is paused");
        call.world.command(&room, Command::ResumeProducer { session, producer }).unwrap();
        speak(&mut call, SECOND, |_| Some(12));
        assert!(call.heard(Source::Mic).len() >= SECOND - 2, "its owner may speak again");
        // Only what comes after counts for the next.
        speak(&mut call, 1, |_| Some(60));
    }
    call.world.events.clear();
    speak(&mut call, 11 * SECOND, |_| Some(12));
    let ban = Some(Duration::from_secs(300));
    let kicked = Event::Kicked { reason: KickReason::NoiseLoop, banned_for: ban };
    assert!(call.world.heard_by(call.talker).contains(&&kicked), "{:#?}", call.world.events);
    assert_eq!(count(&call, |it| matches!(it, Event::ParticipantLeft { .. })), 1);
    let refused = call.world.command(&room, Command::ResumeProducer { session, producer }).unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotFound);
}

#[test]
fn speech_music_and_tones_in_bursts_are_no_noise_loops() {
    let mut call = call();
    speak(&mut call, 30 * SECOND, |frame| Some(if frame % 10 == 0 { 22 } else { 18 }));
    speak(&mut call, 30 * SECOND, |frame| Some(if frame % 50 < 20 { 10 } else { 127 }));
    speak(&mut call, 30 * SECOND, |frame| (frame % 50 < 20).then_some(10));
    speak(&mut call, 30 * SECOND, |_| Some(30));
    assert_eq!(muted(&call), []);
}
