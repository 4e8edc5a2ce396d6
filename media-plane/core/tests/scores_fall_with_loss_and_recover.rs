//! What people are told of the quality of what they send and get, from 0 to 10.

use railgun_media_core::packet::rtcp::{ReportBlock, write_receiver_report};
use railgun_peer::Call;
use railgun_protocol::media_rpc::{Audience, Event};
use railgun_protocol::signal::Source;
use std::time::Duration;

/// Twenty milliseconds of speech each, of which `arrives` says which get to the node.
fn speak(call: &mut Call, seconds: u32, arrives: impl Fn(u32) -> bool) {
    let address = call.world.peers[call.talker_send].address;
    for n in 0..seconds * 50 {
        let packet = call.packet(Source::Mic, b"speech");
        if arrives(n) {
            call.world.send(address, packet);
        }
        if n % 125 == 0 {
            keep_consent(call);
        }
        call.world.advance(Duration::from_millis(20));
    }
}

/// The checks that both clients make every few seconds.
fn keep_consent(call: &mut Call) {
    for peer in [call.talker_send, call.listener_recv] {
        let peer = &mut call.world.peers[peer];
        let (check, address) = (peer.check(), peer.address);
        call.world.send(address, check);
    }
}

/// The scores told since the last call.
fn told(call: &mut Call, of: impl Fn(&Event) -> Option<u8>) -> Vec<u8> {
    let events = std::mem::take(&mut call.world.events);
    events.iter().filter_map(|event| of(&event.event)).collect()
}

#[test]
fn a_sender_hears_how_its_microphone_comes_in() {
    let mut call = Call::new(31);
    let mic = call.mic.producer;
    let score = |event: &Event| match event {
        Event::ProducerScore { producer, score } if *producer == mic => Some(*score),
        _ => None,
    };
    speak(&mut call, 3, |_| true);
    let to_talker = Audience::Only(call.talker);
    let scores = call.world.events.iter().filter(|it| score(&it.event).is_some());
    assert!(scores.clone().count() > 0 && scores.into_iter().all(|it| it.audience == to_talker));
    assert_eq!(told(&mut call, score).last(), Some(&10));

    speak(&mut call, 5, |n| n % 10 >= 4);
    let falling = told(&mut call, score);
    assert!(falling.is_sorted_by(|a, b| a > b), "{falling:?}");
    assert!(falling.last().is_some_and(|score| (1..=6).contains(score)), "{falling:?}");

    speak(&mut call, 30, |_| true);
    let rising = told(&mut call, score);
    assert!(rising.is_sorted() && rising.last() == Some(&10), "{rising:?}");

    // Silence, as DTX makes it, says nothing until five seconds have passed without any packet.
    call.world.advance(Duration::from_secs(4));
    assert!(told(&mut call, score).is_empty());
    call.world.advance(Duration::from_secs(3));
    assert_eq!(told(&mut call, score), [0]);
}

#[test]
fn a_receiver_hears_how_it_gets_somebody() {
    let mut call = Call::new(31);
    let consumer = call.mic.consumer.consumer;
    let ssrc = call.mic.consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    let score = |event: &Event| match event {
        Event::ConsumerScore { consumer: of, score } if *of == consumer => Some(*score),
        _ => None,
    };
    let report = |call: &mut Call, fraction_lost| {
        speak(call, 1, |_| true);
        let block = ReportBlock {
            ssrc,
            fraction_lost,
            total_lost: 0,
            highest_sequence: 0,
            jitter: 0,
            last_sr: 0,
            delay_since_last_sr: 0,
        };
        let mut message = [0; 100];
        let len = write_receiver_report(&mut message, 1, &[block]).unwrap();
        let peer = &mut call.world.peers[call.listener_recv];
        let (sealed, address) = (peer.seal_rtcp(&message[..len]), peer.address);
        call.world.send(address, sealed);
    };
    report(&mut call, 0);
    (0..4).for_each(|_| report(&mut call, 100));
    speak(&mut call, 2, |_| true);
    let falling = told(&mut call, score);
    assert!(falling.first() == Some(&10) && falling.is_sorted_by(|a, b| a > b), "{falling:?}");
    assert!(falling.last().is_some_and(|score| *score <= 5), "{falling:?}");
    (0..20).for_each(|_| report(&mut call, 0));
    speak(&mut call, 2, |_| true);
    let rising = told(&mut call, score);
    assert!(rising.is_sorted() && rising.last().is_some_and(|score| *score >= 9), "{rising:?}");
}
