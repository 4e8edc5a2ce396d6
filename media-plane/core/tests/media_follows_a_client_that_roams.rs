//! A client whose network changes nominates its new address; media moves there within the
//! amplification bound, and without it once a report says that packets arrive.

use railgun_peer::Call;
use railgun_shared::media_rpc::Command;
use railgun_shared::signal::Source;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const GAP_MAX: Duration = Duration::from_millis(1_500);
const NEW: ([u8; 4], u16) = ([10, 77, 0, 9], 6000);

/// A call in which the listener has just left its address for `NEW` and not yet spoken from there.
fn moved(seed: u8) -> Call {
    let mut call = Call::new(seed);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    (0..100).for_each(|_| call.tick(&[talker, listener]));
    call.world.peers[listener].address = SocketAddr::from(NEW);
    call.world.peers[listener].arrivals.clear();
    call
}

/// Sends from the listener's address; how many bytes that was.
fn speak(call: &mut Call, datagram: Vec<u8>) -> u64 {
    let len = datagram.len() as u64;
    call.world.send(call.world.peers[call.listener_recv].address, datagram);
    len
}

#[test]
fn a_nomination_moves_media_at_once_and_a_report_lifts_the_bound() {
    let mut call = moved(41);
    let (new, old) = (SocketAddr::from(NEW), SocketAddr::from(([10, 9, 0, 1], 5000)));
    let (talker, listener) = (call.talker_send, call.listener_recv);
    call.tick(&[talker]);
    assert_eq!(call.world.bytes_to(new), 0, "nothing before a check");

    let check = call.world.peers[listener].check();
    let received = speak(&mut call, check);
    let before = call.world.bytes_to(old);
    (0..50).for_each(|_| call.tick(&[talker]));
    assert!(!call.heard(Source::Mic).is_empty(), "speech fits the bound");
    assert!(call.world.bytes_to(new) <= 3 * received, "{} for {received}", call.world.bytes_to(new));
    assert_eq!(call.world.bytes_to(old), before, "and nothing goes where it was");

    let report = call.report(Source::Mic);
    speak(&mut call, report);
    call.world.peers[listener].arrivals.clear();
    (0..50).for_each(|_| call.tick(&[talker]));
    assert_eq!(call.heard(Source::Mic).len(), 50);
    assert_eq!(call.heard(Source::Camera).len(), 50);
}

#[test]
fn a_report_on_packets_from_before_the_move_lifts_nothing() {
    let mut call = moved(42);
    let (new, listener) = (SocketAddr::from(NEW), call.listener_recv);
    let talker = call.talker_send;
    // The newest packet that came to the old address, told from both.
    let (mic, camera) = (call.report(Source::Mic), call.report(Source::Camera));
    let check = call.world.peers[listener].check();
    let mut received = speak(&mut call, check);
    received += speak(&mut call, mic);
    received += speak(&mut call, camera);
    (0..100).for_each(|_| call.tick(&[talker]));
    assert!(call.world.bytes_to(new) <= 3 * received);
    // A late acknowledgment of what went to the new address, but from the old one.
    let report = call.report(Source::Mic);
    let old = SocketAddr::from(([10, 9, 0, 1], 5000));
    call.world.send(old, report);
    (0..100).for_each(|_| call.tick(&[talker]));
    assert!(call.world.bytes_to(new) <= 3 * received);
}

#[test]
fn pictures_alone_follow_as_fast() {
    let mut call = moved(43);
    let (room, session) = (call.room.clone(), call.listener);
    let consumer = call.mic.consumer.consumer;
    call.world.command(&room, Command::PauseConsumer { session, consumer }).unwrap();
    let gap = follow(&mut call, &[Source::Camera]);
    assert!(gap <= GAP_MAX, "{gap:?}");
}

/// A client at its new address that checks as Chromium does, three times 48 ms apart and then every
/// 480 ms, and reports every 100 ms, until it gets all of these sources; how long that took.
fn follow(call: &mut Call, sources: &[Source]) -> Duration {
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let moved_at: Instant = call.world.now;
    for step in 0..150u32 {
        if step % 24 == 0 || matches!(step, 3 | 5) {
            let check = call.world.peers[listener].check();
            speak(call, check);
        }
        call.tick(&[talker]);
        if step % 5 == 0 {
            for source in sources {
                let report = call.report(*source);
                speak(call, report);
            }
        }
        if sources.iter().all(|source| call.heard(*source).len() > 1) && step > 0 {
            return call.world.now - moved_at;
        }
    }
    panic!("media never followed")
}

#[test]
fn speech_and_pictures_are_back_within_a_second_and_a_half() {
    for seed in 50..60 {
        let gap = follow(&mut moved(seed), &[Source::Mic, Source::Camera]);
        assert!(gap <= GAP_MAX, "{gap:?}");
    }
}
