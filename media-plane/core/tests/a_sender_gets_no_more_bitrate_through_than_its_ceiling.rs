//! Who sends more than its grant allows is told its limit, loses what is above it with some headroom,
//! and after a while the producer. The limit is the user's: producing again, joining again and another
//! device find it as it was left. A member beside it notices nothing.

use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound};
use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_peer::{Arrival, Call, KEY_FRAME, MID_ID, Offer};
use railgun_protocol::ids::{ProducerId, SessionId, UserId};
use railgun_protocol::media_rpc::{Audience, Command, Event, Grant, JoinRequest, LeaveReason};
use railgun_protocol::plan::{Permissions, Tier};
use railgun_protocol::signal::{GrantReason, ProducerCloseReason, Source};
use railgun_protocol::transport_parameters::TransportDirection::Send;
use std::time::Duration;

/// A call, and a Free member beside it whose producer the listener gets too.
struct Abuse {
    call: Call,
    member: SessionId,
    peer: usize,
    offer: Offer,
    producer: ProducerId,
    ssrc: u32,
    next: u64,
    ticks: u32,
}

impl Abuse {
    fn new(seed: u8, tier: Tier, source: Source) -> Self {
        let mut call = Call::new(seed);
        let room = call.room.clone();
        let member = call.world.join(&room, 3, tier);
        let peer = call.world.connect(&room, member, Send);
        let offer = Offer::new(source, 40);
        let producer = call.world.produce(&room, member, peer, &offer).unwrap();
        let consumer = call.world.consume(&room, call.listener, producer).unwrap();
        let ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
        Self { call, member, peer, offer, producer, ssrc, next: 100, ticks: 0 }
    }

    /// So many packets of the member's in each 20 ms of a call that goes on; the payload bytes of it
    /// that reach the listener.
    fn send(&mut self, seconds: u32, packets: u32, payload: &[u8]) -> u64 {
        let mut passed = 0;
        for _ in 0..seconds * 50 {
            self.ticks += 1;
            if self.ticks % 125 == 1 {
                let check = self.call.world.peers[self.peer].check();
                self.call.world.send(self.call.world.peers[self.peer].address, check);
            }
            self.call.world.peers[self.call.listener_recv].arrivals.clear();
            for _ in 0..packets {
                self.packet(payload);
            }
            let (talker, listener) = (self.call.talker_send, self.call.listener_recv);
            self.call.tick(&[talker, listener]);
            assert_eq!(self.call.heard(Source::Mic).len(), 1, "the call beside it goes on");
            assert_eq!(self.call.heard(Source::Camera).len(), 1);
            passed += self.heard();
        }
        passed
    }

    fn packet(&mut self, payload: &[u8]) {
        let header = HeaderWriter {
            marker: true,
            payload_type: self.offer.payload_type,
            sequence: u16::try_from(self.next & 0xffff).unwrap(),
            timestamp: u32::try_from(self.next & 0xffff_ffff).unwrap(),
            ssrc: self.offer.ssrc,
        };
        let mid = [(MID_ID, self.offer.mid.as_bytes())];
        let packet = self.call.world.peers[self.peer].seal_rtp(header, self.next, &mid, payload);
        self.next += 1;
        self.call.world.send(self.call.world.peers[self.peer].address, packet);
    }

    fn heard(&self) -> u64 {
        let arrivals = self.call.world.peers[self.call.listener_recv].arrivals.iter();
        let bytes = arrivals.filter_map(|arrival| match arrival {
            Arrival::Rtp(packet) => {
                let header = railgun_media_core::packet::rtp::RtpHeader::parse(packet).unwrap();
                (header.ssrc == self.ssrc).then(|| packet.len() - header.header_len)
            }
            _ => None,
        });
        bytes.sum::<usize>() as u64
    }

    /// Closes the producer and makes another; false if there may be none now.
    fn renew(&mut self) -> bool {
        let (room, session, producer) = (self.call.room.clone(), self.member, self.producer);
        // It may be closed already.
        _ = self.call.world.command(&room, Command::CloseProducer { session, producer });
        self.offer = Offer::new(self.offer.source, self.offer.ssrc / 2 % 1_000 + 1);
        let Ok(producer) = self.call.world.produce(&room, session, self.peer, &self.offer) else {
            return false;
        };
        let consumer = self.call.world.consume(&room, self.call.listener, producer).unwrap();
        (self.producer, self.next) = (producer, 100);
        self.ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
        true
    }

    /// Leaves, and comes back by another session of the same user.
    fn join_again(&mut self, session: u128, tier: Tier) {
        let room = self.call.room.clone();
        let leave = Command::Leave { session: self.member, reason: LeaveReason::Left, attachment: None };
        self.call.world.command(&room, leave).unwrap();
        let user = UserId::new("user-3").unwrap();
        let request = JoinRequest { user, ..railgun_peer::World::join_request(session, tier) };
        self.member = self.call.world.join_with(&room, request);
        self.peer = self.call.world.connect(&room, self.member, Send);
        assert!(self.renew());
    }

    /// Reasons with which the producer was said to be closed.
    fn closed(&self) -> Vec<Option<ProducerCloseReason>> {
        let events = self.call.world.events.iter();
        let closed = events.filter_map(|event| match &event.event {
            Event::ProducerClosed { producer, reason, .. } if *producer == self.producer => {
                assert_eq!(event.audience, Audience::Everyone, "its owner too");
                Some(*reason)
            }
            _ => None,
        });
        closed.collect()
    }

    /// The limits that the member was told since this was asked last, in bits a second.
    fn told(&mut self) -> Vec<u64> {
        let mut limits = Vec::new();
        for arrival in std::mem::take(&mut self.call.world.peers[self.peer].arrivals) {
            let Arrival::Rtcp(compound) = arrival else { continue };
            for packet in parse_compound(&compound).unwrap() {
                if let RtcpPacket::Remb(remb) = packet {
                    assert_eq!(remb.ssrcs().collect::<Vec<_>>(), [self.offer.ssrc]);
                    limits.push(remb.bitrate);
                }
            }
        }
        limits
    }
}

#[test]
fn speech_within_the_ceiling_passes_whole() {
    let mut abuse = Abuse::new(21, Tier::Free, Source::Mic);
    // 32 kbit/s of Opus.
    assert_eq!(abuse.send(20, 1, &[1; 80]), 20 * 50 * 80);
    assert_eq!(abuse.call.world.engine.counters().policed_packets, 0);
    assert!(abuse.closed().is_empty());
    assert!(abuse.told().is_empty(), "Opus has its ceiling in its parameters");
}

#[test]
fn twenty_megabits_on_a_free_microphone_become_48_kilobits_and_then_nothing() {
    let mut abuse = Abuse::new(22, Tier::Free, Source::Mic);
    abuse.send(1, 1, &[1; 80]);
    let passed = abuse.send(8, 50, &[1; 1_000]) * 8;
    assert!(passed <= 9 * 48_000, "{passed} bits in eight seconds and a burst of one");
    assert!(passed >= 7 * 44_000, "{passed}");
    assert!(abuse.closed().is_empty());
    abuse.send(4, 50, &[1; 1_000]);
    assert_eq!(abuse.closed(), [Some(ProducerCloseReason::Bitrate)]);
    assert_eq!(abuse.send(1, 50, &[1; 1_000]), 0);
}

#[test]
fn a_hundred_thousand_packets_a_second_of_one_byte_are_few_that_get_through() {
    let mut abuse = Abuse::new(23, Tier::Free, Source::Mic);
    let passed = abuse.send(2, 2_000, &[1]);
    assert!(passed <= 3 * 48_000 / (8 * 13), "{passed} of 200,000");
    assert!(abuse.call.world.engine.counters().policed_packets > 198_000);
}

#[test]
fn a_camera_is_told_its_limit_and_keeps_to_it_or_loses_the_rest() {
    let mut abuse = Abuse::new(24, Tier::Pro, Source::Camera);
    let picture = [&KEY_FRAME[..], &[7; 1_198]].concat();
    // 2.4 Mbit/s.
    assert_eq!(abuse.send(5, 5, &picture), 5 * 250 * 1_200);
    let told = abuse.told();
    assert!(told.len() >= 4, "{told:?}");
    assert!(told.iter().all(|limit| (2_499_000..=2_500_000).contains(limit)), "{told:?}");
    // 9.6 Mbit/s.
    let passed = abuse.send(5, 20, &picture) * 8;
    assert!(passed <= 6 * 3_750_000, "{passed}");
    assert!(passed >= 4 * 3_500_000, "{passed}");
    // It takes the hint.
    assert!(abuse.closed().is_empty());
    assert_eq!(abuse.send(10, 5, &picture), 10 * 250 * 1_200);
    abuse.call.world.advance(Duration::from_millis(1));
    assert!(abuse.closed().is_empty());
    assert!(abuse.call.world.events.iter().all(|event| event.audience != Audience::Only(abuse.member)
        || !matches!(event.event, Event::ConsumerClosed { .. })));
}

/// Bits that one second lets through of a Free microphone, and of a camera and a screen together.
const MIC: u64 = 48_000;
const VIDEOS: u64 = 4_400_000;

#[test]
fn closing_and_producing_again_gives_nothing_new() {
    let mut abuse = Abuse::new(25, Tier::Free, Source::Mic);
    let (mut passed, mut made) = (0, 0);
    // As often as a room lets it, with every bucket used up at once.
    for _ in 0..8 {
        made += u32::from(abuse.renew());
        passed += abuse.send(1, 50, &[1; 1_000]) * 8;
    }
    assert!(made >= 8, "{made}");
    assert!(passed <= 9 * MIC, "{passed} bits in eight seconds and a burst of one");
    assert!(passed >= 7 * MIC, "{passed}");
    // Nor does what it was warned of begin anew.
    abuse.send(3, 50, &[1; 1_000]);
    assert_eq!(abuse.closed(), [Some(ProducerCloseReason::Bitrate)]);
    assert!(abuse.renew());
    abuse.send(2, 50, &[1; 1_000]);
    assert_eq!(abuse.closed(), [Some(ProducerCloseReason::Bitrate)], "at its first second over the limit");
}

#[test]
fn joining_again_gives_nothing_new() {
    let mut abuse = Abuse::new(26, Tier::Free, Source::Mic);
    let start = abuse.call.world.now;
    let mut passed = 0;
    for join in 0..6 {
        passed += abuse.send(1, 50, &[1; 1_000]) * 8;
        abuse.join_again(100 + join, Tier::Free);
    }
    let seconds = u64::try_from((abuse.call.world.now - start).as_millis()).unwrap().div_ceil(1_000);
    assert!(passed <= (seconds + 1) * MIC, "{passed} bits in {seconds} seconds and a burst of one");
    assert!(passed >= 5 * MIC, "{passed}");
}

#[test]
fn two_devices_speak_without_taking_from_each_other() {
    let mut abuse = Abuse::new(27, Tier::Free, Source::Mic);
    let room = abuse.call.room.clone();
    let user = UserId::new("user-3").unwrap();
    let request = JoinRequest { user, ..railgun_peer::World::join_request(9, Tier::Free) };
    let laptop = abuse.call.world.join_with(&room, request);
    let peer = abuse.call.world.connect(&room, laptop, Send);
    let offer = Offer::new(Source::Mic, 41);
    abuse.call.world.produce(&room, laptop, peer, &offer).unwrap();
    for index in 0..500 {
        let header = offer.header(index, 0, true);
        let packet = abuse.call.world.peers[peer].seal_rtp(header, index, &[(MID_ID, b"41")], &[1; 80]);
        abuse.call.world.send(abuse.call.world.peers[peer].address, packet);
        abuse.packet(&[1; 80]);
        let talkers = (abuse.call.talker_send, abuse.call.listener_recv);
        abuse.call.tick(&[talkers.0, talkers.1]);
    }
    assert_eq!(abuse.call.world.engine.counters().policed_packets, 0, "64 kbit/s of two microphones");
}

#[test]
fn camera_and_screen_have_a_total_as_well() {
    let mut abuse = Abuse::new(28, Tier::Pro, Source::Camera);
    let room = abuse.call.room.clone();
    let screen = Offer::new(Source::Screen, 42);
    let producer = abuse.call.world.produce(&room, abuse.member, abuse.peer, &screen).unwrap();
    let consumer = abuse.call.world.consume(&room, abuse.call.listener, producer).unwrap();
    let screen_ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    let camera = (abuse.offer.clone(), abuse.ssrc);
    let mut nexts = [100, 100];
    // So many packets each of camera and screen in each 20 ms; the bits of both that pass.
    let mut send = |abuse: &mut Abuse, seconds: u32, packets: [u32; 2]| {
        let picture = [&KEY_FRAME[..], &[7; 1_198]].concat();
        let mut passed = 0;
        for _ in 0..seconds * 50 {
            abuse.ticks += 1;
            if abuse.ticks % 125 == 1 {
                let check = abuse.call.world.peers[abuse.peer].check();
                abuse.call.world.send(abuse.call.world.peers[abuse.peer].address, check);
            }
            abuse.call.world.peers[abuse.call.listener_recv].arrivals.clear();
            for ((offer, next), packets) in [&camera.0, &screen].into_iter().zip(&mut nexts).zip(packets) {
                abuse.offer = offer.clone();
                abuse.next = *next;
                (0..packets).for_each(|_| abuse.packet(&picture));
                *next = abuse.next;
            }
            let (talker, listener) = (abuse.call.talker_send, abuse.call.listener_recv);
            abuse.call.tick(&[talker, listener]);
            for ssrc in [camera.1, screen_ssrc] {
                abuse.ssrc = ssrc;
                passed += abuse.heard() * 8;
            }
        }
        passed
    };
    // 2.4 and 1.44 Mbit/s pass whole.
    assert_eq!(send(&mut abuse, 5, [5, 3]), 5 * 50 * 8 * 1_200 * 8);
    assert_eq!(abuse.call.world.engine.counters().policed_packets, 0);
    // 3.36 and 1.92, each within its own ceiling and headroom.
    let passed = send(&mut abuse, 8, [7, 4]);
    assert!(passed <= 9 * VIDEOS, "{passed}");
    assert!(passed >= 7 * VIDEOS, "{passed}");
    assert!(abuse.closed().is_empty());
    // In the end one of them is closed, and the other is enough. The first five seconds were a burst.
    send(&mut abuse, 8, [7, 4]);
    let closed = |event: &&Event| matches!(event, Event::ProducerClosed { reason, .. } if *reason == Some(ProducerCloseReason::Bitrate));
    let count = |abuse: &Abuse| abuse.call.world.heard_by(abuse.member).into_iter().filter(closed).count();
    assert_eq!(count(&abuse), 1);
    send(&mut abuse, 10, [7, 4]);
    assert_eq!(count(&abuse), 1);
}

#[test]
fn a_microphone_that_is_on_keeps_its_allowance_and_the_next_has_less() {
    let mut abuse = Abuse::new(29, Tier::Pro, Source::Mic);
    // 64 kbit/s of Opus.
    assert_eq!(abuse.send(2, 1, &[1; 160]), 2 * 50 * 160);
    let grant = Grant { permissions: Permissions::of(Tier::Free), video_until: None, relay_only: false };
    let set = Command::SetGrant { session: abuse.member, grant, reason: GrantReason::Expired };
    abuse.call.world.command(&abuse.call.room.clone(), set).unwrap();
    assert_eq!(abuse.send(15, 1, &[1; 160]), 15 * 50 * 160);
    assert_eq!(abuse.call.world.engine.counters().policed_packets, 0);
    assert!(abuse.renew());
    let passed = abuse.send(5, 1, &[1; 160]) * 8;
    assert!(passed <= 6 * MIC, "{passed}");
    assert!(abuse.call.world.engine.counters().policed_packets > 0);
}
