//! A frame of a high simulcast layer waits in the pacer when the lower layer's key frame comes: the rest of it is not sent,
//! and the receiver misses no packet.
#![allow(clippy::cast_possible_truncation, reason = "small numbers of the test's own")]

use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound, write_nack};
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_peer::{Arrival, MID_ID, Offer, RID_ID, World};
use railgun_protocol::ids::{ConsumerId, SessionId};
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::ConsumerLayers;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::time::{Duration, Instant};

const FRAME: Duration = Duration::from_millis(66);
const TICKS: u32 = 6_000;
const HIGH: usize = 1;
/// A frame of so many packets is more than the pacer lets go at once.
const LONG: u64 = 60;
const LEN: usize = 1_000;

struct Call {
    world: World,
    started: Instant,
    send: usize,
    recv: usize,
    viewer: SessionId,
    consumer: ConsumerId,
    /// Of its media; another SSRC is that of retransmissions.
    ssrc: u32,
    offer: Offer,
    /// Of each layer: the next packet's index, its picture, and whether a key frame was asked for.
    layers: [(u64, u16, bool); 2],
    timestamp: u32,
}

impl Call {
    fn new() -> Self {
        let mut world = World::new(61);
        let room = World::room("pacer");
        let talker = world.join(&room, 1, Tier::Pro);
        let viewer = world.join(&room, 2, Tier::Free);
        let [send, recv] = [world.connect(&room, talker, Send), world.connect(&room, viewer, Recv)];
        let offer = Offer::simulcast(5, 2);
        let camera = world.produce(&room, talker, send, &offer).unwrap();
        let consumed = world.consume(&room, viewer, camera).unwrap();
        let ssrc = consumed.rtp_parameters.encodings[0].ssrc.unwrap();
        let layers = [(1_000, 0, true), (50_000, 0, true)];
        let started = world.now;
        let consumer = consumed.consumer;
        Self { world, started, send, recv, viewer, consumer, ssrc, offer, layers, timestamp: 7 }
    }

    /// One frame of a layer in so many packets, a key frame where one was asked for.
    fn show(&mut self, layer: usize, packets: u64) {
        for arrival in std::mem::take(&mut self.world.peers[self.send].arrivals) {
            let Arrival::Rtcp(compound) = arrival else { continue };
            for packet in parse_compound(&compound).unwrap() {
                if let RtcpPacket::Pli(pli) = packet {
                    self.layers[(pli.media_ssrc - 0x5000) as usize].2 = true;
                }
            }
        }
        let (index, picture, is_key) = &mut self.layers[layer];
        let [high, low] = picture.to_be_bytes();
        for part in 1..=packets {
            let mut payload = [7; LEN];
            let first = if part == 1 { 0x90 } else { 0x80 };
            payload[..6].copy_from_slice(&[first, 0x80, 0x80 | high, low, u8::from(!*is_key), layer as u8]);
            let rid = format!("r{layer}");
            let elements = [(MID_ID, self.offer.mid.as_bytes()), (RID_ID, rid.as_bytes())];
            let header = HeaderWriter {
                marker: part == packets,
                payload_type: self.offer.payload_type,
                sequence: (*index & 0xffff) as u16,
                timestamp: self.timestamp,
                ssrc: 0x5000 + layer as u32,
            };
            let packet = self.world.peers[self.send].seal_rtp(header, *index, &elements, &payload);
            *index += 1;
            let address = self.world.peers[self.send].address;
            self.world.send(address, packet);
        }
        *picture += 1;
        self.layers[layer].2 = false;
    }

    /// So many frames of both layers, with the receiver's reports.
    fn go_on(&mut self, frames: u32) {
        for _ in 0..frames {
            self.timestamp = self.timestamp.wrapping_add(TICKS);
            (0..self.layers.len()).for_each(|layer| self.show(layer, 1));
            self.world.advance(FRAME);
            let peer = &mut self.world.peers[self.recv];
            let (address, arrivals) = (peer.address, peer.take_arrivals());
            if let Some(feedback) = peer.feedback_on(arrivals, self.started) {
                let sealed = peer.seal_rtcp(&feedback);
                self.world.send(address, sealed);
            }
        }
    }

    fn prefer(&mut self, spatial_layer: u8) {
        let layers = ConsumerLayers { spatial_layer, temporal_layer: None };
        let (session, consumer) = (self.viewer, self.consumer);
        let command = Command::SetPreferredLayers { session, consumer, layers };
        let reply = self.world.command(&World::room("pacer"), command);
        assert!(matches!(reply, Ok(Reply::PreferredLayersSet { .. })), "{reply:?}");
    }

    /// (SSRC, sequence number, layer) of what the receiver got since it was asked last.
    fn came(&mut self) -> Vec<(u32, u16, u8)> {
        let arrivals = std::mem::take(&mut self.world.peers[self.recv].arrivals);
        let rtp = arrivals.into_iter().filter_map(|it| match it {
            Arrival::Rtp(packet) => {
                let header = RtpHeader::parse(&packet).unwrap();
                Some((header.ssrc, header.sequence, packet[header.header_len + 5]))
            }
            _ => None,
        });
        rtp.collect()
    }
}

#[test]
fn the_rest_of_a_long_frame_gives_way_to_the_lower_layers_key_frame_without_a_gap() {
    let mut call = Call::new();
    call.go_on(60);
    let mut before = call.came();
    // Without what was probed with.
    before.retain(|it| it.0 == call.ssrc);
    let (_, last, layer) = *before.last().unwrap();
    assert_eq!(usize::from(layer), HIGH, "both layers fit");

    call.timestamp = call.timestamp.wrapping_add(TICKS);
    call.show(HIGH, LONG);
    let at_once = call.came().len();
    call.world.advance(Duration::from_millis(100));
    call.prefer(0);
    call.layers[0].2 = true;
    call.timestamp = call.timestamp.wrapping_add(TICKS);
    call.show(0, 3);
    call.world.advance(Duration::from_millis(900));
    let after = call.came();
    let high = after.iter().filter(|it| usize::from(it.2) == HIGH).count();
    assert!(
        high > 0 && at_once + high < 45,
        "{at_once} packets of the long frame at once, {high} in their turn"
    );
    assert_eq!(after.len() - high, 3, "the key frame is whole: {after:?}");
    let numbers: Vec<u16> = after.iter().map(|it| it.1).collect();
    let expected: Vec<u16> =
        (1..).map(|ahead| last.wrapping_add(at_once as u16 + ahead)).take(after.len()).collect();
    assert_eq!(numbers, expected, "no number is missing, and none is used twice");

    let command = Command::GetStats { session: call.viewer, transport: None };
    let Reply::Stats(stats) = call.world.command(&World::room("pacer"), command).unwrap() else { panic!() };
    let [consumer] = &stats.consumers[..] else { panic!("{stats:?}") };
    assert_eq!(consumer.sent.packets, (before.len() + at_once + after.len()) as u64);
    assert_eq!(consumer.skipped_packets, Some(0));

    // What was never sent is not sent again.
    let peer = &mut call.world.peers[call.recv];
    let newest = *numbers.last().unwrap();
    let lost: Vec<u16> = (0..10).map(|ahead| newest.wrapping_add(1 + ahead)).collect();
    let mut out = [0; 200];
    let len = write_nack(&mut out, 1, call.ssrc, &lost).unwrap();
    let (sealed, address) = (peer.seal_rtcp(&out[..len]), peer.address);
    call.world.send(address, sealed);
    assert_eq!(call.came(), []);

    // The call goes on from there.
    call.go_on(30);
    let rest = call.came();
    assert!(rest.len() >= 29 && rest.iter().all(|it| it.2 == 0), "{rest:?}");
    assert_eq!(rest[0].1, newest.wrapping_add(1));
}
