//! A camera in three layers, known by their RIDs alone: a consumer gets the highest that is sent,
//! as one stream that begins and changes with key frames only.
#![allow(clippy::cast_possible_truncation, reason = "small numbers of the test's own")]

use railgun_media_core::packet::rtcp::{RtcpPacket, SenderInfo, parse_compound, write_sender_report};
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_peer::{Arrival, MID_ID, Offer, RID_ID, World};
use railgun_protocol::ids::ProducerId;
use railgun_protocol::plan::Tier;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::time::Duration;

const FRAME: Duration = Duration::from_millis(33);
const TICKS: u32 = 2970;

/// One layer as its encoder sends it, with numbers of its own.
struct Layer {
    number: u8,
    ssrc: u32,
    index: u64,
    timestamp: u32,
    picture: u16,
    is_sent: bool,
    owes_key_frame: bool,
}

struct Sender {
    world: World,
    peer: usize,
    recv: usize,
    offer: Offer,
    producer: ProducerId,
    layers: Vec<Layer>,
    consumer_ssrc: u32,
    frames: u64,
}

/// A frame as the consumer got it.
#[derive(Debug)]
struct Frame {
    sequence: u16,
    timestamp: u32,
    picture: u16,
    layer: u8,
    is_key: bool,
}

impl Sender {
    fn new() -> Self {
        let mut world = World::new(4);
        let room = World::room("simulcast");
        let talker = world.join(&room, 1, Tier::Pro);
        let listener = world.join(&room, 2, Tier::Free);
        let peer = world.connect(&room, talker, Send);
        let recv = world.connect(&room, listener, Recv);
        let offer = Offer::simulcast(5, 3);
        let producer = world.produce(&room, talker, peer, &offer).unwrap();
        let consumer = world.consume(&room, listener, producer).unwrap();
        assert_eq!(consumer.rtp_parameters.encodings.len(), 1);
        let consumer_ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
        let layer = |number: u8| Layer {
            number,
            ssrc: 0x5000 + u32::from(number),
            index: 40_000 + 9_000 * u64::from(number),
            timestamp: 0x9000_0000u32.wrapping_mul(u32::from(number) + 1),
            picture: 32_700 + 11 * u16::from(number),
            is_sent: true,
            owes_key_frame: true,
        };
        let layers = (0..3).map(layer).collect();
        Self { world, peer, recv, offer, producer, layers, consumer_ssrc, frames: 0 }
    }

    /// Somebody else joins; what that one gets is looked at from now on.
    fn latecomer(&mut self) {
        let room = World::room("simulcast");
        let listener = self.world.join(&room, 3, Tier::Free);
        self.recv = self.world.connect(&room, listener, Recv);
        let consumer = self.world.consume(&room, listener, self.producer).unwrap();
        self.consumer_ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    }

    /// One frame of each layer that is being sent, a key frame where one was asked for.
    fn frame(&mut self) {
        self.answer_requests();
        let address = self.world.peers[self.peer].address;
        for at in 0..self.layers.len() {
            let layer = &mut self.layers[at];
            let first = !layer.owes_key_frame as u8;
            let [high, low] = layer.picture.to_be_bytes();
            let payload = [0x90, 0x80, 0x80 | high, low, first, layer.number];
            let rid = format!("r{}", layer.number);
            let elements = [(MID_ID, self.offer.mid.as_bytes()), (RID_ID, rid.as_bytes())];
            let header = HeaderWriter {
                marker: true,
                payload_type: self.offer.payload_type,
                sequence: (layer.index & 0xffff) as u16,
                timestamp: layer.timestamp,
                ssrc: layer.ssrc,
            };
            let packet = self.world.peers[self.peer].seal_rtp(header, layer.index, &elements, &payload);
            let is_sent = layer.is_sent;
            if is_sent {
                layer.index += 1;
                layer.owes_key_frame = false;
                layer.picture = (layer.picture + 1) & 0x7fff;
            }
            layer.timestamp = layer.timestamp.wrapping_add(TICKS);
            if is_sent {
                self.world.send(address, packet);
            }
        }
        if self.frames % 30 == 3 {
            self.report();
        }
        self.frames += 1;
        self.world.advance(FRAME);
    }

    fn answer_requests(&mut self) {
        for arrival in std::mem::take(&mut self.world.peers[self.peer].arrivals) {
            let Arrival::Rtcp(compound) = arrival else { continue };
            for packet in parse_compound(&compound).unwrap() {
                if let RtcpPacket::Pli(pli) = packet {
                    let asked = self.layers.iter_mut().find(|layer| layer.ssrc == pli.media_ssrc);
                    asked.expect("one of the layers").owes_key_frame = true;
                }
            }
        }
    }

    /// Sender reports: the layers' timestamps of one moment.
    fn report(&mut self) {
        let address = self.world.peers[self.peer].address;
        let ntp = (100 << 32) + (self.frames << 32) * 33 / 1_000;
        for at in 0..self.layers.len() {
            let layer = &self.layers[at];
            let info = SenderInfo { ssrc: layer.ssrc, ntp, rtp_time: layer.timestamp, packets: 1, octets: 1 };
            let mut message = [0; 100];
            let len = write_sender_report(&mut message, &info, &[]).unwrap();
            let sealed = self.world.peers[self.peer].seal_rtcp(&message[..len]);
            if layer.is_sent {
                self.world.send(address, sealed);
            }
        }
    }

    fn frames(&mut self, count: u32) -> Vec<Frame> {
        (0..count).for_each(|_| self.frame());
        let arrivals = std::mem::take(&mut self.world.peers[self.recv].arrivals);
        let frame = |arrival| match arrival {
            Arrival::Rtp(packet) => {
                let header = RtpHeader::parse(&packet).unwrap();
                assert_eq!(header.ssrc, self.consumer_ssrc);
                let payload = &packet[header.header_len..];
                Some(Frame {
                    sequence: header.sequence,
                    timestamp: header.timestamp,
                    picture: u16::from_be_bytes([payload[2] & 0x7f, payload[3]]),
                    is_key: payload[4] & 1 == 0,
                    layer: payload[5],
                })
            }
            _ => None,
        };
        arrivals.into_iter().filter_map(frame).collect()
    }
}

#[test]
fn the_highest_layer_that_is_sent_as_one_continuous_stream() {
    let mut sender = Sender::new();
    let mut all = sender.frames(60);
    assert!(all[0].is_key, "begins with a key frame");
    assert_eq!(all.last().unwrap().layer, 2, "and is soon at the top");
    // The encoder drops its top layer, as browsers do when bandwidth is short.
    sender.layers[2].is_sent = false;
    all.extend(sender.frames(150));
    assert_eq!(all.last().unwrap().layer, 1);
    sender.layers[2].is_sent = true;
    all.extend(sender.frames(90));
    assert_eq!(all.last().unwrap().layer, 2);

    for pair in all.windows(2) {
        let [before, after] = pair else { unreachable!() };
        assert_eq!(after.sequence, before.sequence.wrapping_add(1), "{before:?} {after:?}");
        assert_eq!(after.picture, (before.picture + 1) & 0x7fff, "{before:?} {after:?}");
        let step = after.timestamp.wrapping_sub(before.timestamp);
        assert!(step > 0 && step < 1 << 31, "time goes on: {before:?} {after:?}");
        if before.layer != after.layer {
            assert!(after.is_key, "a change of layers is a key frame: {before:?} {after:?}");
        } else {
            assert_eq!(step % TICKS, 0, "{before:?} {after:?}");
        }
    }
    // Both layers' sender reports were there for the last change, and say that the key frame shows
    // the moment of the frame before it: only the millisecond that keeps time going lies between.
    let last = all.windows(2).rev().find(|pair| pair[0].layer != pair[1].layer).unwrap();
    assert_eq!(last[1].timestamp.wrapping_sub(last[0].timestamp), 90);
}

#[test]
fn the_lowest_layer_until_the_receiver_reports_though_all_of_them_would_fit() {
    let mut sender = Sender::new();
    sender.frames(90);
    sender.latecomer();
    let frames = sender.frames(20);
    assert!(frames.len() > 15 && frames[0].is_key && frames.iter().all(|it| it.layer == 0), "{frames:?}");
}

#[test]
fn all_layers_are_gone_to_though_they_take_too_little_to_be_probed_for() {
    let mut sender = Sender::new();
    sender.frames(90);
    sender.latecomer();
    let mut all = Vec::new();
    for _ in 0..120 {
        all.extend(sender.frames(1));
        let peer = &mut sender.world.peers[sender.recv];
        let address = peer.address;
        if let Some(feedback) = peer.feedback() {
            sender.world.send(address, feedback);
        }
    }
    assert_eq!((all[0].layer, all.last().unwrap().layer), (0, 2), "{all:?}");
}

#[test]
fn a_rid_means_nothing_without_its_mid() {
    let mut sender = Sender::new();
    sender.frames(10);
    let header = HeaderWriter {
        marker: true,
        payload_type: sender.offer.payload_type,
        sequence: 1,
        timestamp: 1,
        ssrc: 0x6666,
    };
    let before = sender.world.engine.counters().unknown_streams;
    for mid in [&b"77"[..], b""] {
        let elements = [(MID_ID, mid), (RID_ID, &b"r0"[..])];
        let elements = if mid.is_empty() { &elements[1..] } else { &elements[..] };
        let packet = sender.world.peers[sender.peer].seal_rtp(header, 1, elements, &[0x10, 0, 9]);
        sender.world.send(sender.world.peers[sender.peer].address, packet);
    }
    assert_eq!(sender.world.engine.counters().unknown_streams, before + 2);
}
