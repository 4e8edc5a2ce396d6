//! A receiver that asks for the dependency descriptor gets it with the decode targets that can be made
//! of what it is sent, the first time and when it lost a packet.

use railgun_media_core::packet::rtcp::write_nack;
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_peer::{Arrival, MID_ID, World};
use railgun_protocol::ids::{ConsumerId, SessionId};
use railgun_protocol::media_rpc::{Address, Command, ConsumerDescription, Reply};
use railgun_protocol::ortc::{MediaCodec, extension_id, router_rtp_capabilities};
use railgun_protocol::plan::Tier;
use railgun_protocol::rtp_parameters::{Direction, MediaKind, RtpCapabilities, RtpParameters, extension_uri};
use railgun_protocol::signal::{ConsumerLayers, Source};
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use serde_json::json;

/// Of the sender's choice.
const DESCRIPTOR_ID: u8 = 13;
const SSRC: u32 = 0x7000;

/// Zeros and ones as the specification's syntax puts them one after the other.
fn bytes(bits: &str) -> Vec<u8> {
    let bits: Vec<char> = bits.chars().filter(|bit| !bit.is_whitespace()).collect();
    let octet = |bits: &[char]| (0..8).fold(0, |sum, at| sum << 1 | u8::from(bits.get(at) == Some(&'1')));
    bits.chunks(8).map(octet).collect()
}

/// A key frame with a structure of two temporal layers, whose templates are 60 to 62.
fn key_frame() -> Vec<u8> {
    bytes(
        "1 1 111100 0000000001100100  10000
         111100 00001  00 01 11  10 10  10 10  00 01  0  1 0001 0  1 0000 0
         10  0000 0010 0001  1 0000001001111111 0000000101100111  00",
    )
}

/// A later frame of this template.
fn frame(template: u8, number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    vec![0xc0 | template, high, low]
}

struct Stage {
    world: World,
    room: Address,
    listener: SessionId,
    send: usize,
    recv: usize,
    consumer: ConsumerDescription,
    next: u64,
}

impl Stage {
    fn new(asks: bool) -> Self {
        let mut world = World::new(35);
        let room = World::room("descriptors");
        let talker = world.join(&room, 1, Tier::Pro);
        let listener = world.join(&room, 2, Tier::Free);
        let send = world.connect(&room, talker, Send);
        let recv = world.connect(&room, listener, Recv);
        let transport = world.peers[send].id;
        let (kind, source, rtp_parameters) = (MediaKind::Video, Source::Camera, Box::new(parameters()));
        let produce = Command::Produce { session: talker, transport, kind, source, rtp_parameters };
        let Ok(Reply::Produced { producer, .. }) = world.command(&room, produce) else { panic!("refused") };
        let rtp_capabilities = Some(capabilities(asks));
        let consume = Command::Consume { session: listener, transport: None, producer, rtp_capabilities };
        let Ok(Reply::Consumed(consumer)) = world.command(&room, consume) else { panic!("refused") };
        let mut stage = Self { world, room, listener, send, recv, consumer: *consumer, next: 10 };
        let resume = Command::ResumeConsumer { session: listener, consumer: stage.id() };
        stage.world.command(&stage.room, resume).unwrap();
        stage
    }

    fn id(&self) -> ConsumerId {
        self.consumer.consumer
    }

    fn prefer(&mut self, temporal: u8) {
        let layers = ConsumerLayers { spatial_layer: 0, temporal_layer: Some(temporal) };
        let (session, consumer) = (self.listener, self.id());
        let command = Command::SetPreferredLayers { session, consumer, layers };
        self.world.command(&self.room, command).unwrap();
    }

    /// Sends a frame with this descriptor; the sequence number and descriptor that the listener gets.
    fn frame(&mut self, descriptor: &[u8]) -> Vec<(u16, Option<Vec<u8>>)> {
        let header = HeaderWriter {
            marker: true,
            payload_type: 45,
            sequence: u16::try_from(self.next).unwrap(),
            timestamp: u32::try_from(self.next).unwrap() * 3_000,
            ssrc: SSRC,
        };
        let elements = [(MID_ID, &b"0"[..]), (DESCRIPTOR_ID, descriptor)];
        let packet = self.world.peers[self.send].seal_rtp(header, self.next, &elements, b"encrypted");
        self.next += 1;
        self.world.send(self.world.peers[self.send].address, packet);
        self.got()
    }

    fn got(&mut self) -> Vec<(u16, Option<Vec<u8>>)> {
        let arrivals = std::mem::take(&mut self.world.peers[self.recv].arrivals);
        let packets = arrivals.iter().filter_map(|arrival| match arrival {
            Arrival::Rtp(packet) => {
                let header = RtpHeader::parse(packet).unwrap();
                let descriptor = header.extension(packet, extension_id::DEPENDENCY_DESCRIPTOR);
                Some((header.sequence, descriptor.map(<[u8]>::to_vec)))
            }
            _ => None,
        });
        packets.collect()
    }
}

fn parameters() -> RtpParameters {
    serde_json::from_value(json!({
        "mid": "0",
        "codecs": [{"mimeType": "video/AV1", "payloadType": 45, "clockRate": 90000, "parameters": {},
            "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]},
            {"mimeType": "video/rtx", "payloadType": 46, "clockRate": 90000, "parameters": {"apt": 45}}],
        "headerExtensions": [{"uri": extension_uri::MID, "id": MID_ID},
            {"uri": extension_uri::DEPENDENCY_DESCRIPTOR, "id": DESCRIPTOR_ID}],
        "encodings": [{"ssrc": SSRC, "rtx": {"ssrc": SSRC + 1}, "scalabilityMode": "L1T2"}],
        "rtcp": {"cname": "c"},
    }))
    .unwrap()
}

/// What the router offers, the other way round, as a client makes it: nothing is received that the
/// router does not send.
fn capabilities(asks: bool) -> RtpCapabilities {
    let mut capabilities = router_rtp_capabilities(&[MediaCodec::Opus, MediaCodec::Av1], 64_000);
    capabilities.header_extensions.retain_mut(|extension| {
        let is_descriptor = extension.uri == extension_uri::DEPENDENCY_DESCRIPTOR;
        let is_sent = extension.direction != Direction::RecvOnly;
        extension.direction = Direction::SendRecv;
        is_sent || is_descriptor && asks
    });
    capabilities
}

#[test]
fn both_targets_when_all_is_forwarded_and_one_when_half_is() {
    let mut stage = Stage::new(true);
    let first = stage.frame(&key_frame());
    assert_eq!(first.len(), 1);
    assert!(first[0].1.as_ref().is_some_and(|data| data.len() >= key_frame().len()), "with its structure");
    // The flag of the mask, then the mask: both targets.
    let whole = |template, number| [frame(template, number), bytes("01000 11")].concat();
    let base = |template, number| [frame(template, number), bytes("01000 01")].concat();
    assert_eq!(stage.frame(&frame(62, 101))[0].1, Some(whole(62, 101)));
    assert_eq!(stage.frame(&frame(61, 102))[0].1, Some(whole(61, 102)));
    stage.prefer(0);
    assert_eq!(stage.frame(&frame(61, 104))[0].1, Some(base(61, 104)));
    assert_eq!(stage.frame(&frame(62, 105)), [], "of the layer that is not forwarded");
    let last = stage.frame(&frame(61, 106));
    assert_eq!(last[0].1, Some(base(61, 106)));

    let ssrc = stage.consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    let mut message = [0; 40];
    let len = write_nack(&mut message, 1, ssrc, &[last[0].0]).unwrap();
    let sealed = stage.world.peers[stage.recv].seal_rtcp(&message[..len]);
    stage.world.send(stage.world.peers[stage.recv].address, sealed);
    let again: Vec<_> = stage.got().into_iter().map(|(_, descriptor)| descriptor).collect();
    assert_eq!(again, [Some(base(61, 106))], "by retransmission the same");
}

#[test]
fn and_nobody_gets_it_unasked() {
    let mut stage = Stage::new(false);
    let got = stage.frame(&key_frame());
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].1, None);
}
