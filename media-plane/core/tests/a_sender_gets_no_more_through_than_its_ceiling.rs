//! Who sends more than its grant allows is told its limit, loses what is above it with some headroom,
//! and after a while the producer. A member beside it notices nothing.

use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound};
use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_peer::{Arrival, Call, KEY_FRAME, MID_ID, Offer};
use railgun_shared::ids::{ProducerId, SessionId};
use railgun_shared::media_rpc::{Audience, Event};
use railgun_shared::plan::Tier;
use railgun_shared::signal::Source;
use railgun_shared::transport_parameters::TransportDirection::Send;
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

    /// Reasons with which the producer was said to be closed.
    fn closed(&self) -> Vec<Option<String>> {
        let events = self.call.world.events.iter();
        let closed = events.filter_map(|event| match &event.event {
            Event::ProducerClosed { producer, reason, .. } if *producer == self.producer => {
                assert_eq!(event.audience, Audience::Everyone, "its owner too");
                Some(reason.clone())
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
    assert_eq!(abuse.closed(), [Some("bitrate".to_owned())]);
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
