//! Checks whose source is somebody else's address: a member who nominates a victim and guesses at the
//! proof, a recorded check that is sent again, a member who claims another's address. None of them aims
//! media.

use railgun_media_core::packet::rtcp::ReportBlock;
use railgun_peer::{Call, Offer, Peer, TICK, World};
use railgun_protocol::ids::UserId;
use railgun_protocol::media_rpc::{Command, JoinRequest, LeaveReason, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use railgun_protocol::transport_parameters::{DtlsParameters, DtlsRole};
use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

fn victim() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 7], 53))
}

/// A call that has gone on for 2 s.
fn in_call(seed: u8) -> Call {
    let mut call = Call::new(seed);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    (0..100).for_each(|_| call.tick(&[talker, listener]));
    call.world.peers[listener].arrivals.clear();
    call
}

/// Sends as the victim; how many bytes that was.
fn forge(call: &mut Call, datagram: Vec<u8>) -> u64 {
    let len = datagram.len() as u64;
    call.world.send(victim(), datagram);
    len
}

fn forge_check(call: &mut Call) -> u64 {
    let check = call.world.peers[call.listener_recv].check();
    forge(call, check)
}

fn ssrcs(call: &Call) -> [u32; 2] {
    [&call.mic, &call.camera].map(|it| it.consumer.rtp_parameters.encodings[0].ssrc.unwrap())
}

/// A minute in which the member forges a check each second, and after each tick what `lie` gives; the
/// bytes that the victim got.
fn minute(call: &mut Call, checking: &[usize], mut lie: impl FnMut(&mut Call) -> Option<Vec<u8>>) -> u64 {
    let before = call.world.bytes_to(victim());
    for step in 0..3_000 {
        if step % 50 == 0 {
            forge_check(call);
        }
        call.tick(checking);
        if let Some(lie) = lie(call) {
            forge(call, lie);
        }
    }
    call.world.bytes_to(victim()) - before
}

/// Of 4 Mbit/s and more that the member receives; what he may get of it for another is in the contract.
const A_MINUTE_MAX: u64 = 90_000;

#[test]
fn while_the_member_is_heard_at_his_own_address_a_victim_gets_little_and_he_loses_nothing() {
    let mut call = in_call(61);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    // His checks at his own address are 2.5 s apart.
    (0..50).for_each(|_| call.tick(&[talker, listener]));
    let own = call.world.peers[listener].address;
    let mut received = forge_check(&mut call);
    let asked = call.world.bytes_to(victim());
    assert!(asked > 0 && asked <= 3 * received && asked <= 600, "{asked} for {received}");
    call.world.peers[listener].arrivals.clear();
    for step in 0..500 {
        if step % 100 == 15 {
            let check = call.world.peers[listener].check();
            call.world.send(own, check);
        }
        call.tick(&[talker]);
    }
    assert_eq!(call.heard(Source::Mic).len(), 500);
    assert_eq!(call.heard(Source::Camera).len(), 500);
    let bytes = call.world.bytes_to(victim());
    // What went there before he was heard at his own address again: 0.3 s of speech.
    assert!(bytes <= 600 + 3_000, "{bytes}");
    let before = bytes;
    received += (0..10).map(|_| forge_check(&mut call)).sum::<u64>();
    let bytes = call.world.bytes_to(victim()) - before;
    assert!(bytes <= 3 * received && bytes <= 600 + 10 * 72, "{bytes} for {received}");
}

#[test]
fn a_victim_gets_at_most_90_kilobytes_a_minute_for_as_many_minutes_as_the_member_likes() {
    let mut call = in_call(62);
    let talker = call.talker_send;
    for _ in 0..5 {
        let bytes = minute(&mut call, &[talker], |_| None);
        assert!(bytes <= A_MINUTE_MAX, "{bytes}");
        // Checks and reports of his own keep his own path alive, which is where the rest goes.
        let listener = call.listener_recv;
        let check = call.world.peers[listener].check();
        call.world.send(call.world.peers[listener].address, check);
    }
}

/// He knows what he was sent last, at his own address, and so what comes next.
#[test]
fn feedback_on_the_number_after_the_last_proves_nothing() {
    let mut call = in_call(63);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let own = call.world.peers[listener].address;
    let mut last_minute = 0;
    for _ in 0..3 {
        last_minute = minute(&mut call, &[talker, listener], |call| {
            let next = call.world.peers[listener].newest_number().unwrap().wrapping_add(1);
            Some(call.world.peers[listener].acknowledge(&[next.wrapping_sub(1), next]))
        });
        assert!(last_minute <= A_MINUTE_MAX, "{last_minute}");
    }
    assert_eq!(call.world.engine.counters().wrong_guesses, 8, "and then the address was given up");
    assert_eq!(last_minute, 0, "not even an answer");
    call.world.peers[listener].arrivals.clear();
    (0..50).for_each(|_| call.tick(&[talker]));
    assert_eq!(call.heard(Source::Camera).len(), 50, "his own path is kept");
    assert!(call.world.now - call.world.sent[&own].last_at <= TICK);
}

#[test]
fn feedback_on_all_numbers_that_fit_into_it_proves_nothing() {
    let mut call = in_call(64);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let mut from = call.world.peers[listener].newest_number().unwrap().wrapping_add(4_000);
    let bytes = minute(&mut call, &[talker, listener], |call| {
        let window: Vec<u16> = (0..1_200).map(|n| from.wrapping_add(n)).collect();
        from = from.wrapping_add(1_200);
        Some(call.world.peers[listener].acknowledge(&window))
    });
    assert!(bytes <= A_MINUTE_MAX / 9, "{bytes}");
    assert_eq!(call.world.engine.counters().wrong_guesses, 8);
}

#[test]
fn reports_that_guess_the_time_prove_nothing_and_count_block_by_block() {
    let mut call = in_call(65);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let [mic, _] = ssrcs(&call);
    forge_check(&mut call);
    call.tick(&[talker]);
    // 65536ths of a second since 1900; a true report's time would be ahead of it by 14 random bits.
    let unix = call.world.wall.duration_since(UNIX_EPOCH).unwrap();
    let now =
        ((unix.as_secs() + 2_208_988_800) << 16) + u64::from(unix.subsec_nanos()) * 65_536 / 1_000_000_000;
    let now = u32::try_from(now & 0xffff_ffff).unwrap();
    let guesses: Vec<ReportBlock> = (1..32)
        .map(|n| ReportBlock { ssrc: mic, last_sr: now + n * 500, ..ReportBlock::default() })
        .collect();
    let report = call.world.peers[listener].report_blocks(&guesses, None);
    forge(&mut call, report);
    assert_eq!(call.world.engine.counters().wrong_guesses, 8);
    let bytes = call.world.bytes_to(victim());
    (0..500).for_each(|_| call.tick(&[talker]));
    assert_eq!(call.world.bytes_to(victim()), bytes);
}

#[test]
fn reports_on_times_and_packets_from_before_the_move_are_neither_proof_nor_guess() {
    let mut call = in_call(66);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let ssrcs = ssrcs(&call);
    forge_check(&mut call);
    let bytes = minute(&mut call, &[talker, listener], |call| {
        let peer = &mut call.world.peers[listener];
        let numbers = peer.feedback();
        numbers.or_else(|| Some(peer.report_times(&ssrcs)))
    });
    assert!(bytes <= A_MINUTE_MAX, "{bytes}");
    let counters = call.world.engine.counters();
    assert_eq!((counters.wrong_guesses, counters.refused_addresses), (0, 0));
}

/// He lets a day and more go by after each guess, so that none of his user's counts any more.
#[test]
fn eight_wrong_guesses_in_a_transports_life_end_the_address_however_far_apart() {
    let mut call = in_call(70);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    for guess in 1..=9_u64 {
        (0..3).for_each(|_| call.tick(&[talker, listener]));
        forge_check(&mut call);
        let unsent = call.world.peers[listener].newest_number().unwrap().wrapping_add(1);
        let lie = call.world.peers[listener].acknowledge(&[unsent]);
        forge(&mut call, lie);
        let counters = call.world.engine.counters();
        assert_eq!(counters.wrong_guesses, guess.min(8));
        // From the eighth on he is not even asked.
        assert_eq!(counters.refused_addresses, guess.saturating_sub(7), "after {guess}");
        // Consent ends after 30 s.
        for _ in 0..25 * 180 {
            for place in [talker, listener] {
                let check = call.world.peers[place].check();
                call.world.send(call.world.peers[place].address, check);
            }
            call.world.advance(Duration::from_secs(20));
        }
    }
}

/// What was sent to the new address, told from the old one.
#[test]
fn an_echo_from_another_address_proves_nothing() {
    let mut call = in_call(67);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let own = call.world.peers[listener].address;
    call.world.peers[listener].others = vec![victim()];
    forge_check(&mut call);
    call.tick(&[talker]);
    let feedback = call.world.peers[listener].feedback().unwrap();
    call.world.send(own, feedback);
    let ssrcs = ssrcs(&call);
    let report = call.world.peers[listener].report_times(&ssrcs);
    call.world.send(own, report);
    let bytes = minute(&mut call, &[talker], |_| None);
    assert!(bytes <= A_MINUTE_MAX, "{bytes}");
}

/// Seats and transports are made anew; the minute is the user's.
#[test]
fn a_member_who_joins_again_and_again_gets_no_more_for_his_victim() {
    let mut call = in_call(68);
    let (talker, room) = (call.talker_send, call.room.clone());
    let before = call.world.bytes_to(victim());
    for session in 10..16 {
        for step in 0..500 {
            if step % 50 == 0 {
                forge_check(&mut call);
            }
            call.tick(&[talker]);
        }
        let leave = Command::Leave { session: call.listener, reason: LeaveReason::Left, attachment: None };
        call.world.command(&room, leave).unwrap();
        let user = UserId::new("user-2").unwrap();
        call.listener =
            call.world.join_with(&room, JoinRequest { user, ..World::join_request(session, Tier::Free) });
        call.listener_recv = call.world.connect(&room, call.listener, Recv);
        call.mic.consumer = call.world.consume(&room, call.listener, call.mic.producer).unwrap();
        call.camera.consumer = call.world.consume(&room, call.listener, call.camera.producer).unwrap();
    }
    let bytes = call.world.bytes_to(victim()) - before;
    assert!(bytes > 20_000 && bytes <= A_MINUTE_MAX, "{bytes}");
}

/// When, in a handshake at his own address, a member nominates the victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nominated {
    /// Only the last of our flights goes to the victim, which nobody has to answer.
    BeforeTheLastFlight,
    /// So does our certificate, which he got at his own address before: it is sent again, since he waits.
    BetweenOurFlightAndItsRepetition,
}

/// A call in which he is the listener, and what he is sent at the victim's is lost from now on.
fn shaken_hands_while(seed: u8, nominated: Nominated) -> Call {
    let mut call = in_call(seed);
    let (room, own) = (call.room.clone(), SocketAddr::from(([10, 9, 9, 9], 5000)));
    let session = call.world.join(&room, 3, Tier::Free);
    let created = Command::CreateTransport { session, direction: Recv };
    let Ok(Reply::TransportCreated { transport, parameters, .. }) = call.world.command(&room, created) else {
        panic!("no transport")
    };
    let mut peer = Peer::new(transport, own, &parameters, 900, call.world.now);
    let dtls = peer.dtls_parameters();
    peer.start(call.world.now);
    call.world.peers.push(peer);
    let place = call.world.peers.len() - 1;
    // Whose checks are forged.
    (call.listener, call.listener_recv) = (session, place);
    call.world.command(&room, Command::ConnectTransport { session, transport, dtls }).unwrap();
    let mut flights = 0;
    while !call.world.peers[place].is_connected() {
        let flight = call.world.peers[place].take_outgoing();
        assert!(!flight.is_empty(), "after {flights} flights");
        flights += 1;
        // Check and hello; certificate to Finished.
        if flights == 2 {
            forge_check(&mut call);
            if nominated == Nominated::BetweenOurFlightAndItsRepetition {
                // Three times this is room for it.
                (0..20).for_each(|_| _ = forge_check(&mut call));
                let before = call.world.bytes_to(victim());
                call.world.now += Duration::from_secs(2);
                call.world.engine.handle_timeout(call.world.now);
                // What is due goes out with the next datagram, whose answer is shorter than it.
                let check = forge_check(&mut call);
                let bytes = call.world.bytes_to(victim()) - before;
                assert!(bytes > check + 200, "{bytes}: not our flight again");
            }
            // Where the node's last flight goes.
            call.world.peers[place].others = vec![victim()];
        }
        flight.into_iter().for_each(|datagram| call.world.send(own, datagram));
    }
    assert_eq!(flights, 2, "he was to nominate before the last");
    call.world.peers[place].others.clear();
    call.mic.consumer = call.world.consume(&room, session, call.mic.producer).unwrap();
    call.camera.consumer = call.world.consume(&room, session, call.camera.producer).unwrap();
    call
}

#[test]
fn a_handshake_at_one_address_proves_no_other() {
    for (seed, nominated) in
        [(69, Nominated::BeforeTheLastFlight), (71, Nominated::BetweenOurFlightAndItsRepetition)]
    {
        let mut call = shaken_hands_while(seed, nominated);
        let (talker, victims) = (call.talker_send, call.world.bytes_to(victim()));
        let own = call.world.peers[call.listener_recv].address;
        (0..50).for_each(|_| call.tick(&[talker]));
        let second = call.world.bytes_to(victim()) - victims;
        assert!(second <= 600 + 8_000 + 1_000, "{nominated:?}: {second} in the first second");
        let at_own = call.heard(Source::Camera).len();
        match nominated {
            Nominated::BeforeTheLastFlight => assert_eq!(at_own, 50, "{own} is proved"),
            // Either could have been told of it by the other.
            Nominated::BetweenOurFlightAndItsRepetition => assert_eq!(at_own, 0),
        }
        let bytes = second + minute(&mut call, &[talker], |_| None);
        assert!(bytes <= A_MINUTE_MAX, "{nominated:?}: {bytes}");
    }
}

/// The node begins the handshake, with an address of which nothing is known but one check.
#[test]
fn a_victim_is_sent_three_times_the_check_and_no_more_of_a_handshake() {
    let mut call = in_call(71);
    let room = call.room.clone();
    let session = call.world.join(&room, 3, Tier::Free);
    let created = Command::CreateTransport { session, direction: Recv };
    let Ok(Reply::TransportCreated { transport, parameters, .. }) = call.world.command(&room, created) else {
        panic!("no transport")
    };
    let mut peer = Peer::new(transport, victim(), &parameters, 900, call.world.now);
    let dtls = DtlsParameters { role: DtlsRole::Server, ..peer.dtls_parameters() };
    call.world.command(&room, Command::ConnectTransport { session, transport, dtls }).unwrap();
    let received = forge(&mut call, peer.check());
    let talker = call.talker_send;
    (0..600).for_each(|_| call.tick(&[talker]));
    let bytes = call.world.bytes_to(victim());
    assert!(bytes > received && bytes <= 3 * received, "{bytes} for {received}");
}

#[test]
fn a_check_sent_again_from_elsewhere_moves_nothing() {
    let mut call = in_call(64);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let own = call.world.peers[listener].address;
    let recorded = call.world.peers[listener].check();
    call.world.send(own, recorded.clone());
    call.world.peers[listener].arrivals.clear();
    for n in 0..100_000u32 {
        let [_, a, b, c] = n.to_be_bytes();
        call.world.send(SocketAddr::from(([198, a, b, c], 5000)), recorded.clone());
    }
    assert_eq!(call.world.sent.len(), 2, "nobody else was sent anything, not even an answer");
    (0..50).for_each(|_| call.tick(&[talker, listener]));
    assert_eq!(call.heard(Source::Mic).len(), 50);
    assert_eq!(call.world.sent.len(), 2);
}

#[test]
fn a_member_cannot_take_the_address_of_another_who_checks() {
    let mut call = in_call(65);
    let room = call.room.clone();
    let intruder = call.world.join(&room, 3, Tier::Free);
    let taker = call.world.connect(&room, intruder, Send);
    call.world.produce(&room, intruder, taker, &Offer::new(Source::Mic, 40)).unwrap();
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let refused = call.world.engine.counters().refused_checks;
    call.world.peers[listener].arrivals.clear();
    for _ in 0..600 {
        for place in [talker, listener] {
            let claim = call.world.peers[taker].check();
            call.world.send(call.world.peers[place].address, claim);
        }
        for _ in 0..5 {
            call.tick(&[talker, listener, taker]);
        }
    }
    assert_eq!(call.heard(Source::Mic).len(), 3_000, "a minute of speech");
    assert_eq!(call.heard(Source::Camera).len(), 3_000);
    assert_eq!(call.world.engine.counters().refused_checks, refused + 1_200);
    // Who is gone for long has no claim; whoever has the address then may use it.
    call.world.advance(Duration::from_secs(12));
    let claim = call.world.peers[taker].check();
    call.world.send(call.world.peers[listener].address, claim);
    assert_eq!(call.world.engine.counters().refused_checks, refused + 1_200);
}
