//! A member with valid keys sends what no client would: broken padding and descriptors, foreign
//! payload types, RTCP about others and of absurd content. A call beside it goes on.

use railgun_media_core::EngineConfig;
use railgun_media_core::packet::rtcp::Pli;
use railgun_media_core::packet::rtcp::{
    FirEntry, SenderInfo, write_bye, write_fir, write_nack, write_pli, write_sender_report,
};
use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_peer::{Arrival, Call, Offer, World};
use railgun_protocol::media_rpc::Event;
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::time::Duration;

struct Hostile {
    call: Call,
    rng: ChaCha12Rng,
    send: usize,
    recv: usize,
    /// SSRC and next index of the mic, the camera, and the camera's retransmissions.
    streams: [(u32, u64); 3],
    /// Of others' producers and consumers, and of nobody.
    foreign: Vec<u32>,
}

impl Hostile {
    fn new(seed: u8) -> Self {
        // It is about what the packets say, not how many there are.
        let config = EngineConfig { bitrate_headroom_percent: u32::MAX, ..World::config(seed) };
        let mut call = Call::in_world(World::with(config));
        let room = call.room.clone();
        let member = call.world.join(&room, 3, Tier::Pro);
        let send = call.world.connect(&room, member, Send);
        let recv = call.world.connect(&room, member, Recv);
        let (mic, camera) = (Offer::new(Source::Mic, 40), Offer::new(Source::Camera, 41));
        for offer in [&mic, &camera] {
            let producer = call.world.produce(&room, member, send, offer).unwrap();
            // The listener is to get all of it.
            call.world.consume(&room, call.listener, producer).unwrap();
        }
        call.world.consume(&room, member, call.mic.producer).unwrap();
        let of_listener = |sending: &railgun_peer::Sending| sending.consumer.rtp_parameters.encodings[0].ssrc;
        let foreign = [
            Some(call.mic.offer.ssrc),
            Some(call.camera.offer.ssrc),
            of_listener(&call.mic),
            of_listener(&call.camera),
            Some(0),
        ];
        Self {
            rng: ChaCha12Rng::seed_from_u64(seed.into()),
            send,
            recv,
            streams: [mic.ssrc, camera.ssrc, camera.ssrc + 1].map(|ssrc| (ssrc, 100)),
            foreign: foreign.into_iter().flatten().collect(),
            call,
        }
    }

    fn bytes(&mut self, max: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.rng.random_range(0..=max)];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn send_rtp(&mut self) {
        let stream = self.rng.random_range(0..3);
        // Rarely a jump, so that sequences have holes and roll over.
        let jump = if self.rng.random_range(0..500) == 0 { 2_000 } else { 0 };
        let fits = self.rng.random_range(0..4) > 0;
        let (ssrc, index) = &mut self.streams[stream];
        *index += 1 + jump;
        let header = HeaderWriter {
            marker: self.rng.random(),
            payload_type: [111, 96, 97, 0, 127][if fits { stream } else { self.rng.random_range(0..5) }],
            sequence: u16::try_from(*index & 0xffff).unwrap(),
            timestamp: self.rng.random(),
            ssrc: *ssrc,
        };
        let index = *index;
        // All fields of the VP8 descriptor, cut anywhere; or anything.
        let mut payload = self.bytes(24);
        if let [first, second, ..] = &mut payload[..] {
            *first |= 0x80;
            *second |= 0xf0;
        }
        let is_padded = self.rng.random_range(0..4) == 0;
        if is_padded && let Some(last) = payload.last_mut() {
            *last = [0, 1, 255, 24][self.rng.random_range(0..4)];
        }
        let peer = &self.call.world.peers[self.send];
        let packet = match is_padded {
            true => peer.seal_padded(header, index, &payload),
            false => peer.seal_rtp(header, index, &[], &payload),
        };
        self.call.world.send(self.call.world.peers[self.send].address, packet);
    }

    fn send_rtcp(&mut self, place: usize, compound: &[u8]) {
        let sealed = self.call.world.peers[place].seal_rtcp(compound);
        self.call.world.send(self.call.world.peers[place].address, sealed);
    }

    /// A compound that lies about a foreign stream.
    fn lie(&mut self) -> Vec<u8> {
        let ssrc = self.foreign[self.rng.random_range(0..self.foreign.len())];
        let mut out = [0; 200];
        let len = match self.rng.random_range(0..7) {
            0 => write_bye(&mut out, &[ssrc]),
            1 => write_nack(&mut out, 1, ssrc, &[0, 1, 2, 300, 65_535]),
            2 => write_pli(&mut out, Pli { sender_ssrc: 1, media_ssrc: ssrc }),
            3 => write_fir(&mut out, 1, &[FirEntry { ssrc, sequence: 0 }]),
            4 => {
                let info =
                    SenderInfo { ssrc, ntp: u64::MAX, rtp_time: u32::MAX, packets: 0, octets: u32::MAX };
                write_sender_report(&mut out, &info, &[])
            }
            5 => {
                let ssrc = self.streams[1].0;
                let info = SenderInfo { ssrc, ntp: self.rng.random(), rtp_time: 0, packets: 0, octets: 0 };
                write_sender_report(&mut out, &info, &[])
            }
            _ => {
                // REMB with a count of 255 and one source.
                let remb =
                    [0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 255, 255, 255, 255];
                out[..20].copy_from_slice(&remb);
                out[20..24].copy_from_slice(&ssrc.to_be_bytes());
                Ok(24)
            }
        };
        out[..len.unwrap()].to_vec()
    }

    /// Bytes that begin as RTCP does.
    fn noise(&mut self) -> Vec<u8> {
        let mut bytes = self.bytes(120);
        bytes.resize(bytes.len().max(8) & !3, 0);
        bytes[0] = 0x80 | self.rng.random_range(0..64);
        bytes[1] = self.rng.random_range(200..208);
        let words = u16::try_from(bytes.len() / 4 - 1).unwrap();
        bytes[2..4].copy_from_slice(&words.to_be_bytes());
        bytes
    }

    fn check_the_others(&mut self) {
        let is_closed =
            |event: &Event| matches!(event, Event::ProducerClosed { .. } | Event::ConsumerClosed { .. });
        assert!(!self.call.world.events.iter().any(|event| is_closed(&event.event)));
        self.call.assert_goes_on();
        let arrivals = std::mem::take(&mut self.call.world.peers[self.call.listener_recv].arrivals);
        assert!(!arrivals.iter().any(|arrival| matches!(arrival, Arrival::Unopened(_))));
    }
}

#[test]
fn a_million_payloads_of_a_member_with_keys() {
    let mut hostile = Hostile::new(91);
    for round in 0..1_000u32 {
        for _ in 0..950 {
            hostile.send_rtp();
        }
        for _ in 0..25 {
            let place = if round % 2 == 0 { hostile.send } else { hostile.recv };
            let (lie, noise) = (hostile.lie(), hostile.noise());
            hostile.send_rtcp(place, &lie);
            hostile.send_rtcp(place, &noise);
        }
        hostile.call.world.peers[hostile.call.listener_recv].arrivals.clear();
        hostile.call.world.advance(Duration::from_millis(10));
        if round % 20 == 0 {
            hostile.check_the_others();
        }
    }
    hostile.check_the_others();
    assert!(hostile.call.world.engine.counters().forwarded_packets > 100_000, "much of it goes through");
}

#[test]
fn rtcp_about_others_has_no_effect_on_them() {
    let mut hostile = Hostile::new(92);
    hostile.check_the_others();
    hostile.call.world.advance(Duration::from_secs(1));
    let talker = hostile.call.talker_send;
    hostile.call.world.peers[talker].arrivals.clear();
    let before = *hostile.call.world.engine.counters();
    for _ in 0..2_000 {
        let lie = hostile.lie();
        hostile.send_rtcp(hostile.recv, &lie);
        hostile.send_rtcp(hostile.send, &lie);
    }
    let after = *hostile.call.world.engine.counters();
    assert_eq!(after.key_frame_requests, before.key_frame_requests, "only consumers may ask");
    assert_eq!(after.resent_packets + after.refused_resends, before.resent_packets + before.refused_resends);
    assert_eq!(hostile.call.world.peers[talker].arrivals, [], "the talker hears of none of it");
    hostile.check_the_others();
}

#[test]
fn a_compound_of_more_than_64_packets_is_refused_whole() {
    let mut hostile = Hostile::new(93);
    let before = hostile.call.world.engine.counters().malformed_packets;
    let one = [0x80, 201, 0, 1, 0, 0, 0, 1];
    hostile.send_rtcp(hostile.recv, &one.repeat(65));
    assert_eq!(hostile.call.world.engine.counters().malformed_packets, before + 1);
    hostile.send_rtcp(hostile.recv, &one.repeat(64));
    assert_eq!(hostile.call.world.engine.counters().malformed_packets, before + 1);
    hostile.check_the_others();
}
