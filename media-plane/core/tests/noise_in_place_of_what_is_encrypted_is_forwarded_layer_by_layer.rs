//! End-to-end encryption leaves in the clear what packetisers need: VP8's payload header, H264's NAL headers, AV1's
//! OBU headers, VP9's payload descriptor. With noise in place of all the rest, each codec's layers are forwarded as
//! ever: a stretch begins with a key frame, holds whole frames, and follows what its consumer prefers.
#![allow(clippy::cast_possible_truncation, reason = "small numbers of the test's own")]

use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound};
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_peer::{Arrival, MID_ID, RID_ID, World};
use railgun_protocol::ids::{ConsumerId, SessionId};
use railgun_protocol::media_rpc::{Address, Command, EncryptionRule, JoinRequest, Reply};
use railgun_protocol::ortc::{DEFAULT_CODECS, router_rtp_capabilities};
use railgun_protocol::plan::Tier;
use railgun_protocol::rtp_parameters::{MediaKind, RtpParameters, extension_uri};
use railgun_protocol::signal::{ConsumerLayers, Encryption, Source};
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;

const PAYLOAD_TYPE: u8 = 100;
const FRAME: Duration = Duration::from_millis(33);
const FRAMES: usize = 45;
/// Encrypted bytes of a packet; no two packets have the same.
const NOISE: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Codec {
    Vp8,
    /// Two spatial layers in one stream.
    Vp9,
    /// With parameter sets ahead of each IDR picture, or without.
    H264 {
        has_sets: bool,
    },
    Av1,
}

impl Codec {
    fn parameters(self) -> RtpParameters {
        let (mime, fmtp) = match self {
            Self::Vp8 => ("video/VP8", json!({})),
            Self::Vp9 => ("video/VP9", json!({"profile-id": 0})),
            Self::H264 { .. } => (
                "video/H264",
                json!({"packetization-mode": 1, "profile-level-id": "42e01f", "level-asymmetry-allowed": 1}),
            ),
            Self::Av1 => ("video/AV1", json!({})),
        };
        let encodings = match self {
            Self::Vp9 => json!([{"ssrc": 0x5000, "scalabilityMode": "L2T1"}]),
            _ => json!([{"rid": "r0"}, {"rid": "r1"}]),
        };
        serde_json::from_value(json!({
            "mid": "7",
            "codecs": [{"mimeType": mime, "payloadType": PAYLOAD_TYPE, "clockRate": 90000, "parameters": fmtp,
                "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]}],
            "headerExtensions": [{"uri": extension_uri::MID, "id": MID_ID},
                {"uri": "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "id": RID_ID}],
            "encodings": encodings,
            "rtcp": {"cname": "c"},
        }))
        .unwrap()
    }

    /// What is in the clear of each packet of a frame, ahead of its noise.
    fn clear(self, is_key: bool, layer: u8, picture: u16) -> Vec<Vec<u8>> {
        let [high, low] = picture.to_be_bytes();
        match self {
            Self::Vp8 => {
                let descriptor = |start: u8| vec![start, 0x80, 0x80 | high, low];
                let first = [descriptor(0x90), vec![u8::from(!is_key), 0, 0]].concat();
                vec![first, descriptor(0x80)]
            }
            Self::Vp9 => {
                // I and L; P unless it is a key picture; D of the upper layer; then B, then E.
                let of = |edge: u8| {
                    let predicted = if is_key { 0 } else { 0x40 };
                    vec![0xa0 | predicted | edge, 0x80 | high, low, layer << 1 | layer, low]
                };
                vec![of(0x08), of(0x04)]
            }
            Self::H264 { has_sets } => {
                let unit = if is_key { 5 } else { 1 };
                let mut packets = vec![vec![0x7c, 0x80 | unit], vec![0x7c, 0x40 | unit]];
                if is_key && has_sets {
                    // An STAP-A with parameter sets, of which the last is all noise but for its header.
                    packets.insert(0, vec![0x78, 0, 2, 0x68, 0xce, 0, 1 + NOISE as u8, 0x67]);
                }
                packets
            }
            Self::Av1 => {
                let first = if is_key { vec![0x68, 3, 0x08, 0xaa, 0xbb, 0x30] } else { vec![0x50, 0x30] };
                vec![first, vec![0x90]]
            }
        }
    }
}

/// One encoding, or spatial layer of the only one.
struct Layer {
    ssrc: u32,
    index: u64,
    owes_key_frame: bool,
    frame: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Sent {
    layer: u8,
    frame: u32,
    is_key: bool,
    part: usize,
    parts: usize,
}

struct Camera {
    codec: Codec,
    world: World,
    room: Address,
    listener: SessionId,
    consumer: ConsumerId,
    send: usize,
    recv: usize,
    layers: Vec<Layer>,
    picture: u16,
    sent: HashMap<Vec<u8>, Sent>,
    rng: ChaCha12Rng,
}

impl Camera {
    fn new(codec: Codec, seed: u8) -> Self {
        let mut world = World::new(seed);
        let room = World::room("encrypted");
        let encryption = EncryptionRule { encryption: Encryption::EndToEnd, revision: 1 };
        let [talker, listener] = [1, 2].map(|session| {
            world.join_with(&room, JoinRequest { encryption, ..World::join_request(session, Tier::Pro) })
        });
        let send = world.connect(&room, talker, Send);
        let recv = world.connect(&room, listener, Recv);
        let transport = world.peers[send].id;
        let (kind, source) = (MediaKind::Video, Source::Camera);
        let rtp_parameters = Box::new(codec.parameters());
        let produce = Command::Produce { session: talker, transport, kind, source, rtp_parameters };
        let Ok(Reply::Produced { producer, .. }) = world.command(&room, produce) else { panic!("refused") };
        let mut capabilities = router_rtp_capabilities(&DEFAULT_CODECS, 64_000);
        // Of a client that does not ask for the dependency descriptor.
        capabilities.header_extensions.retain(|it| it.uri != extension_uri::DEPENDENCY_DESCRIPTOR);
        let consume = Command::Consume {
            session: listener,
            transport: None,
            producer,
            rtp_capabilities: Some(capabilities),
        };
        let Ok(Reply::Consumed(described)) = world.command(&room, consume) else { panic!("refused") };
        let consumer = described.consumer;
        world.command(&room, Command::ResumeConsumer { session: listener, consumer }).unwrap();
        let is_svc = codec == Codec::Vp9;
        let layer = |place: u32| Layer {
            ssrc: 0x5000 + if is_svc { 0 } else { place },
            index: 1_000,
            owes_key_frame: true,
            frame: 0,
        };
        Self {
            codec,
            world,
            room,
            listener,
            consumer,
            send,
            recv,
            layers: vec![layer(0), layer(1)],
            picture: 0x1234,
            sent: HashMap::new(),
            rng: ChaCha12Rng::seed_from_u64(seed.into()),
        }
    }

    fn prefer(&mut self, spatial_layer: u8) {
        let layers = ConsumerLayers { spatial_layer, temporal_layer: None };
        let (session, consumer) = (self.listener, self.consumer);
        self.world.command(&self.room, Command::SetPreferredLayers { session, consumer, layers }).unwrap();
    }

    fn answer_requests(&mut self) {
        for arrival in std::mem::take(&mut self.world.peers[self.send].arrivals) {
            let Arrival::Rtcp(compound) = arrival else { continue };
            for packet in parse_compound(&compound).unwrap() {
                if let RtcpPacket::Pli(pli) = packet {
                    let asked = self.layers.iter_mut().filter(|layer| layer.ssrc == pli.media_ssrc);
                    asked.for_each(|layer| layer.owes_key_frame = true);
                }
            }
        }
    }

    fn frame(&mut self) {
        self.answer_requests();
        self.picture = (self.picture + 1) & 0x7fff;
        for place in 0..self.layers.len() {
            self.encode(place);
        }
        self.world.advance(FRAME);
    }

    fn encode(&mut self, place: usize) {
        let is_svc = self.codec == Codec::Vp9;
        let is_key = std::mem::take(&mut self.layers[place].owes_key_frame);
        self.layers[place].frame += 1;
        let (layer, number) = (place as u8, self.layers[place].frame);
        let packets = self.codec.clear(is_key, layer, self.picture);
        let parts = packets.len();
        for (part, clear) in packets.into_iter().enumerate() {
            let noise: Vec<u8> = (0..NOISE).map(|_| self.rng.random()).collect();
            self.sent.insert(noise.clone(), Sent { layer, frame: number, is_key, part, parts });
            let of = &mut self.layers[if is_svc { 0 } else { place }];
            let header = HeaderWriter {
                marker: part + 1 == parts && (!is_svc || layer == 1),
                payload_type: PAYLOAD_TYPE,
                sequence: of.index as u16,
                timestamp: u32::from(self.picture) * 2970,
                ssrc: of.ssrc,
            };
            let rid = format!("r{place}");
            let elements = [(MID_ID, &b"7"[..]), (RID_ID, rid.as_bytes())];
            let elements = if is_svc { &elements[..1] } else { &elements[..] };
            let index = of.index;
            of.index += 1;
            let peer = &mut self.world.peers[self.send];
            let packet = peer.seal_rtp(header, index, elements, &[clear, noise].concat());
            let address = peer.address;
            self.world.send(address, packet);
        }
    }

    /// What the consumer got: each packet's sequence number, and what it was. Noise comes as it went.
    fn got(&mut self) -> Vec<(u16, Sent)> {
        let arrivals = std::mem::take(&mut self.world.peers[self.recv].arrivals);
        let packets = arrivals.into_iter().filter_map(|arrival| match arrival {
            Arrival::Rtp(packet) => {
                let header = RtpHeader::parse(&packet).unwrap();
                let noise = &packet[packet.len() - NOISE..];
                Some((header.sequence, *self.sent.get(noise).expect("what was sent")))
            }
            Arrival::Unopened(_) => panic!("an index was given twice, or wrongly"),
            Arrival::Rtcp(_) | Arrival::Stun(_) => None,
        });
        packets.collect()
    }

    fn frames(&mut self) -> Vec<(u16, Sent)> {
        (0..FRAMES).for_each(|_| self.frame());
        self.got()
    }
}

/// One stream, whose stretches begin with key frames and hold whole frames, one after the other.
fn assert_decodable(codec: Codec, got: &[(u16, Sent)]) {
    let first = got.first().expect("something arrives").1;
    assert!(first.is_key && first.part == 0, "{codec:?}: {first:?}");
    for pair in got.windows(2) {
        let [(sequence, before), (next, after)] = pair else { unreachable!() };
        assert_eq!(*next, sequence.wrapping_add(1), "{codec:?}: {before:?} {after:?}");
        let is_same_frame = (before.layer, before.frame) == (after.layer, after.frame);
        if is_same_frame {
            assert_eq!(after.part, before.part + 1, "{codec:?}: {before:?} {after:?}");
            continue;
        }
        assert_eq!((before.part + 1, after.part), (before.parts, 0), "{codec:?}: {before:?} {after:?}");
        if codec == Codec::Vp9 {
            // The layers of a picture follow each other, and go up with a key picture only.
            let last_of = |layer| {
                got.iter()
                    .map(|it| it.1)
                    .take_while(|it| it != after)
                    .filter(move |it| it.layer == layer)
                    .last()
            };
            let is_next = last_of(after.layer).is_none_or(|last| after.frame == last.frame + 1);
            assert!(is_next || after.is_key, "{before:?} {after:?}");
        } else if before.layer == after.layer {
            assert_eq!(after.frame, before.frame + 1, "{codec:?}: {before:?} {after:?}");
        } else {
            assert!(after.is_key, "{codec:?}: {before:?} {after:?}");
        }
    }
}

#[test]
fn of_every_codec_up_and_down() {
    let h264 = [true, false].map(|has_sets| Codec::H264 { has_sets });
    for codec in [Codec::Vp8, Codec::Vp9, h264[0], h264[1], Codec::Av1] {
        for seed in 1..=6 {
            let mut camera = Camera::new(codec, seed);
            let mut all = camera.frames();
            let at = |got: &[(u16, Sent)]| got.last().map(|it| it.1.layer);
            assert_eq!(at(&all), Some(1), "{codec:?}: begins high, {seed}");
            for layer in [0, 1] {
                camera.prefer(layer);
                let got = camera.frames();
                assert_eq!(at(&got), Some(layer), "{codec:?} to layer {layer}, {seed}");
                all.extend(got);
            }
            assert_decodable(codec, &all);
        }
    }
}
