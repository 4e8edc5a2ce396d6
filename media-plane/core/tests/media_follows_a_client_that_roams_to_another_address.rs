//! A client whose network changes nominates its new address. Media goes there once the client echoes
//! what only that address was sent; until then speech goes there as well, if the old address is
//! silent. What is lost is a round trip of pictures.

use railgun_media_core::packet::rtp::RtpHeader;
use railgun_peer::{Arrival, Call, TICK};
use railgun_protocol::media_rpc::Command;
use railgun_protocol::signal::Source;
use std::net::SocketAddr;
use std::time::Duration;

const HOLE_MAX: Duration = Duration::from_millis(300);
const NEW: ([u8; 4], u16) = ([10, 77, 0, 9], 6000);

/// What a client answers with, and how often.
#[derive(Clone, Copy)]
struct Client {
    feedback_every: Option<Duration>,
    reports_every: Duration,
}

/// Chromium with pictures, and without.
const WITH_PICTURES: Client =
    Client { feedback_every: Some(Duration::from_millis(100)), reports_every: Duration::from_secs(1) };
const SPEECH_ALONE: Client = Client { feedback_every: None, reports_every: Duration::from_millis(7_500) };

fn new_address() -> SocketAddr {
    SocketAddr::from(NEW)
}

fn in_call(seed: u8) -> Call {
    let mut call = Call::new(seed);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    (0..100).for_each(|_| call.tick(&[talker, listener]));
    call.world.peers[listener].arrivals.clear();
    call
}

/// In which the listener has just left its address for `NEW` and not yet spoken from there.
fn moved(seed: u8) -> Call {
    let mut call = in_call(seed);
    call.world.peers[call.listener_recv].address = new_address();
    call
}

/// Only speech is received.
fn without_pictures(call: &mut Call) {
    let (room, session, consumer) = (call.room.clone(), call.listener, call.camera.consumer.consumer);
    call.world.command(&room, Command::PauseConsumer { session, consumer }).unwrap();
}

fn speak(call: &mut Call, datagram: Vec<u8>) {
    call.world.send(call.world.peers[call.listener_recv].address, datagram);
}

/// The listener goes on as this client for so long, checking as Chromium does: three times 48 ms apart,
/// then every 480 ms. Gives after which ticks a packet of the source came, from the first on.
fn go_on(call: &mut Call, client: Client, time: Duration, source: Source) -> Vec<u32> {
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let (mut heard, mut since) = (Vec::new(), call.heard(source).len());
    let ssrcs = [&call.mic, &call.camera].map(|it| it.consumer.rtp_parameters.encodings[0].ssrc.unwrap());
    let every =
        |step: u32, interval: Duration| (TICK * step).as_millis().is_multiple_of(interval.as_millis());
    for step in 0..u32::try_from(time.as_millis() / TICK.as_millis()).unwrap() {
        if step % 24 == 0 || matches!(step, 3 | 5) {
            let check = call.world.peers[listener].check();
            speak(call, check);
        }
        if client.feedback_every.is_some_and(|interval| every(step, interval))
            && let Some(feedback) = call.world.peers[listener].feedback()
        {
            speak(call, feedback);
        }
        if step > 0 && every(step, client.reports_every) {
            let report = call.world.peers[listener].report_times(&ssrcs);
            speak(call, report);
        }
        call.tick(&[talker]);
        if call.heard(source).len() > since {
            heard.push(step);
        }
        since = call.heard(source).len();
    }
    heard
}

/// The longest time without a packet.
fn hole(heard: &[u32]) -> Duration {
    let ends = [0].into_iter().chain(heard.iter().map(|step| step + 1));
    let gaps = ends.zip(heard).map(|(end, next)| next.saturating_sub(end));
    TICK * gaps.max().unwrap_or(u32::MAX / 20_000)
}

#[test]
fn nothing_goes_to_an_address_before_a_check_from_there() {
    let mut call = moved(40);
    let talker = call.talker_send;
    (0..50).for_each(|_| call.tick(&[talker]));
    assert_eq!(call.world.bytes_to(new_address()), 0);
}

#[test]
fn speech_and_pictures_are_back_within_300_ms() {
    for seed in 41..46 {
        for source in [Source::Mic, Source::Camera] {
            let heard = go_on(&mut moved(seed), WITH_PICTURES, Duration::from_secs(3), source);
            let last = heard.last().copied().unwrap_or_default();
            assert!(hole(&heard) <= HOLE_MAX && last == 149, "{source:?}: {heard:?}");
        }
    }
}

#[test]
fn pictures_alone_follow_as_fast() {
    let mut call = moved(47);
    let (room, session, consumer) = (call.room.clone(), call.listener, call.mic.consumer.consumer);
    call.world.command(&room, Command::PauseConsumer { session, consumer }).unwrap();
    let heard = go_on(&mut call, WITH_PICTURES, Duration::from_secs(3), Source::Camera);
    assert!(hole(&heard) <= HOLE_MAX, "{heard:?}");
}

#[test]
fn speech_alone_goes_on_although_the_report_that_proves_comes_after_seven_seconds() {
    let mut call = moved(48);
    without_pictures(&mut call);
    let heard = go_on(&mut call, SPEECH_ALONE, Duration::from_secs(20), Source::Mic);
    assert!(hole(&heard) <= HOLE_MAX, "{heard:?}");
    assert!(heard.len() > 990, "20 s of speech: {}", heard.len());
    let old = SocketAddr::from(([10, 9, 0, 1], 5000));
    let before = call.world.bytes_to(old);
    go_on(&mut call, SPEECH_ALONE, Duration::from_secs(2), Source::Mic);
    assert_eq!(call.world.bytes_to(old), before, "and nothing goes where it was any more");
}

#[test]
fn who_hears_nothing_echoes_the_time_that_it_is_asked_for() {
    let mut call = moved(49);
    let (room, session) = (call.room.clone(), call.listener);
    for consumer in [call.mic.consumer.consumer, call.camera.consumer.consumer] {
        call.world.command(&room, Command::PauseConsumer { session, consumer }).unwrap();
    }
    let listener = call.listener_recv;
    let check = call.world.peers[listener].check();
    speak(&mut call, check);
    call.world.advance(Duration::from_secs(5));
    let echo = call.world.peers[listener].last_reference();
    assert!(echo.is_some());
    let report = call.world.peers[listener].report_blocks(&[], echo);
    speak(&mut call, report);
    for consumer in [call.mic.consumer.consumer, call.camera.consumer.consumer] {
        call.world.command(&room, Command::ResumeConsumer { session, consumer }).unwrap();
    }
    let heard = go_on(&mut call, SPEECH_ALONE, Duration::from_secs(1), Source::Camera);
    assert_eq!(heard.len(), 50, "at once, without any proof more");
}

/// Both addresses work, and the client only prefers the other one: nothing is lost, and what was sent
/// to both is taken once.
#[test]
fn a_client_that_prefers_another_pair_loses_no_packet() {
    for (seed, client) in [(50, WITH_PICTURES), (51, SPEECH_ALONE)] {
        let mut call = in_call(seed);
        let listener = call.listener_recv;
        let old = call.world.peers[listener].address;
        call.world.peers[listener].others = vec![old];
        call.world.peers[listener].address = new_address();
        if client.feedback_every.is_none() {
            without_pictures(&mut call);
        }
        let dropped = call.world.engine.counters().dropped_packets;
        let heard = go_on(&mut call, client, Duration::from_secs(20), Source::Mic);
        assert_eq!(heard.len(), 1_000);
        assert_eq!(call.heard(Source::Mic).len(), 1_000);
        let pictures = if client.feedback_every.is_some() { 1_000 } else { 0 };
        assert_eq!(call.heard(Source::Camera).len(), pictures);
        assert_eq!(call.world.engine.counters().dropped_packets, dropped);
        let before = call.world.bytes_to(old);
        go_on(&mut call, client, Duration::from_secs(1), Source::Mic);
        assert_eq!(call.world.bytes_to(old), before, "it was proved");
    }
}

/// Five addresses, of which the client prefers one after the other.
#[test]
fn a_client_with_five_addresses_may_change_its_mind_every_second() {
    let mut call = in_call(52);
    let listener = call.listener_recv;
    let addresses: Vec<SocketAddr> = (0..4)
        .map(|n| SocketAddr::from(([10, 77, 0, n], 6000)))
        .chain([call.world.peers[listener].address])
        .collect();
    call.world.peers[listener].others = addresses.clone();
    let rounds = addresses.iter().cycle().take(20);
    for address in rounds {
        call.world.peers[listener].address = *address;
        go_on(&mut call, WITH_PICTURES, Duration::from_secs(1), Source::Mic);
    }
    assert_eq!(call.heard(Source::Mic).len(), 1_000);
    assert_eq!(call.heard(Source::Camera).len(), 1_000);
}

#[test]
fn transport_wide_numbers_go_on_behind_the_jump_and_repeat_never() {
    let mut call = moved(53);
    go_on(&mut call, WITH_PICTURES, Duration::from_secs(3), Source::Camera);
    let number = |arrival: &Arrival| match arrival {
        Arrival::Rtp(packet) => {
            let header = RtpHeader::parse(packet).ok()?;
            header.extension(packet, 5)?.first_chunk().map(|number| u16::from_be_bytes(*number))
        }
        _ => None,
    };
    let numbers: Vec<u16> = call.world.peers[call.listener_recv].arrivals.iter().filter_map(number).collect();
    let steps: Vec<u16> = numbers.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    assert!(numbers.len() > 100 && steps.iter().all(|step| *step == 1), "{numbers:?}");
}

/// The sender reports of a change speak of a moment that is ahead, and of exactly that one.
#[test]
fn a_report_that_asks_for_a_proof_keeps_sound_and_picture_together() {
    let mut call = in_call(54);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    call.tick(&[talker]);
    let streams = [(&call.mic, 48_000_u64), (&call.camera, 90_000)]
        .map(|(it, rate)| (it.consumer.rtp_parameters.encodings[0].ssrc.unwrap(), rate));
    let last = |ssrc: u32| {
        let headers = call.world.peers[listener].arrivals.iter().rev().filter_map(|arrival| match arrival {
            Arrival::Rtp(packet) => RtpHeader::parse(packet).ok(),
            _ => None,
        });
        headers.into_iter().find(|header| header.ssrc == ssrc).unwrap().timestamp
    };
    // Sent one tick ago.
    let timestamps = streams.map(|(ssrc, _)| last(ssrc));
    call.world.peers[listener].address = new_address();
    let check = call.world.peers[listener].check();
    speak(&mut call, check);
    let unix = call.world.wall.duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = (((unix.as_secs() + 2_208_988_800) & 0xffff_ffff) << 32)
        | ((u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000);
    for ((ssrc, rate), timestamp) in streams.into_iter().zip(timestamps) {
        let (ntp, rtp) = call.world.peers[listener].last_report(ssrc).unwrap();
        let ahead = ntp - now;
        assert!(ahead < 1 << 30, "less than a quarter of a second");
        let tick = u64::try_from(TICK.as_millis()).unwrap();
        let since = ((ahead + (tick * (1 << 32)) / 1_000) * rate) >> 32;
        let told = u64::from(rtp.wrapping_sub(timestamp));
        assert!(told.abs_diff(since) <= 1, "{told} for {since}");
    }
}

/// A talker sends from a new address: what it is told goes there once it echoed the node's time.
#[test]
fn feedback_follows_a_talker_that_roams() {
    let mut call = in_call(55);
    let talker = call.talker_send;
    call.world.peers[talker].address = new_address();
    let check = call.world.peers[talker].check();
    call.world.send(new_address(), check);
    call.tick(&[]);
    let echo = call.world.peers[talker].last_reference();
    assert!(echo.is_some(), "it is asked");
    let report = call.world.peers[talker].report_blocks(&[], echo);
    call.world.send(new_address(), report);
    let before = call.world.bytes_to(new_address());
    (0..50).for_each(|_| call.tick(&[]));
    assert!(call.world.bytes_to(new_address()) > before, "reports on what it sends");
    assert_eq!(call.heard(Source::Mic).len(), 51, "and what it says is heard");
}
