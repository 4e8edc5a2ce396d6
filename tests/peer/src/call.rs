//! Two people in a call, the smallest thing that can be disturbed.

use crate::parameters::{AUDIO_LEVEL_ID, MID_ID, Offer};
use crate::peer::Arrival;
use crate::world::World;
use railgun_media_core::packet::rtcp::{ReportBlock, write_receiver_report};
use railgun_media_core::packet::rtp::RtpHeader;
use railgun_protocol::ids::{ProducerId, SessionId};
use railgun_protocol::media_rpc::{Address, ConsumerDescription};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::time::Duration;

/// The first two bytes of a VP8 payload that begins a key frame.
pub const KEY_FRAME: [u8; 2] = [0x10, 0x50];

/// How far [`Call::tick`] moves the time.
pub const TICK: Duration = Duration::from_millis(20);

/// A talker with microphone and camera, and a listener who gets both.
#[derive(Debug)]
pub struct Call {
    pub world: World,
    pub room: Address,
    pub talker: SessionId,
    pub listener: SessionId,
    pub mic: Sending,
    pub camera: Sending,
    /// Places in `world.peers`.
    pub talker_send: usize,
    pub listener_recv: usize,
    ticks: u64,
}

/// One source of the talker, and how the listener gets it.
#[derive(Debug)]
pub struct Sending {
    pub offer: Offer,
    pub producer: ProducerId,
    pub consumer: ConsumerDescription,
    /// Roll-over counter and sequence number of the next packet.
    pub next: u64,
}

impl Call {
    pub fn new(seed: u8) -> Self {
        Self::in_world(World::new(seed))
    }

    pub fn in_world(mut world: World) -> Self {
        let room = World::room("call");
        let talker = world.join(&room, 1, Tier::Pro);
        let listener = world.join(&room, 2, Tier::Free);
        let talker_send = world.connect(&room, talker, Send);
        let listener_recv = world.connect(&room, listener, Recv);
        let mut start = |source, number| {
            let offer = Offer::new(source, number);
            let producer = world.produce(&room, talker, talker_send, &offer).expect("a producer");
            let consumer = world.consume(&room, listener, producer).expect("a consumer");
            Sending { offer, producer, consumer, next: 100 }
        };
        let (mic, camera) = (start(Source::Mic, 0), start(Source::Camera, 1));
        Self { world, room, talker, listener, mic, camera, talker_send, listener_recv, ticks: 0 }
    }

    /// The talker's next packet of this source, sealed.
    pub fn packet(&mut self, source: Source, payload: &[u8]) -> Vec<u8> {
        self.packet_with(source, payload, &[])
    }

    /// Sends a packet of the microphone that says how loud it is, 0 the loudest and 127 silence.
    pub fn speak(&mut self, level: u8) {
        let packet = self.packet_with(Source::Mic, &[5; 80], &[(AUDIO_LEVEL_ID, &[0x80 | level])]);
        self.world.send(self.world.peers[self.talker_send].address, packet);
    }

    fn packet_with(&mut self, source: Source, payload: &[u8], extensions: &[(u8, &[u8])]) -> Vec<u8> {
        let sending = if source == Source::Mic { &mut self.mic } else { &mut self.camera };
        let index = sending.next;
        sending.next += 1;
        let timestamp = u32::try_from(index & 0xffff_ffff).unwrap_or_default().wrapping_mul(960);
        let header = sending.offer.header(index, timestamp, true);
        let mid = [(MID_ID, sending.offer.mid.as_bytes())];
        let extensions = [&mid[..], extensions].concat();
        self.world.peers[self.talker_send].seal_rtp(header, index, &extensions, payload)
    }

    /// Sends the next packet of this source and gives the payloads that the listener got of it.
    pub fn say(&mut self, source: Source, payload: &[u8]) -> Vec<Vec<u8>> {
        self.world.peers[self.listener_recv].arrivals.clear();
        let packet = self.packet(source, payload);
        let address = self.world.peers[self.talker_send].address;
        self.world.send(address, packet);
        self.heard(source)
    }

    /// [`TICK`] of the call: a packet of each source, and every 2.5 s a check from each of
    /// `checking`, which are places in `world.peers`.
    pub fn tick(&mut self, checking: &[usize]) {
        if self.ticks.is_multiple_of(125) {
            for place in checking {
                let check = self.world.peers[*place].check();
                self.world.send(self.world.peers[*place].address, check);
            }
        }
        self.ticks += 1;
        let picture = [&KEY_FRAME[..], &[7; 1_000]].concat();
        for (source, payload) in [(Source::Mic, &[5; 80][..]), (Source::Camera, &picture)] {
            let packet = self.packet(source, payload);
            self.world.send(self.world.peers[self.talker_send].address, packet);
        }
        self.world.advance(TICK);
    }

    /// The listener's receiver report on this source, sealed: the newest it ever got.
    pub fn report(&mut self, source: Source) -> Vec<u8> {
        let ssrc = self.ssrc_of(source).expect("the consumer's");
        let highest = self.world.peers[self.listener_recv].highest_index(ssrc).unwrap_or_default();
        self.report_of(ssrc, u32::try_from(highest & 0xffff_ffff).unwrap_or_default())
    }

    /// The listener's receiver report on any stream, whatever it got, sealed.
    pub fn report_of(&mut self, ssrc: u32, highest_sequence: u32) -> Vec<u8> {
        let block = ReportBlock { ssrc, highest_sequence, ..ReportBlock::default() };
        let mut report = [0; 32];
        let len = write_receiver_report(&mut report, 1, &[block]).expect("room");
        self.world.peers[self.listener_recv].seal_rtcp(&report[..len])
    }

    /// The payloads of this source among what the listener got since it was last asked to forget.
    pub fn heard(&self, source: Source) -> Vec<Vec<u8>> {
        let ssrc = self.ssrc_of(source);
        let payload = |arrival: &Arrival| match arrival {
            Arrival::Rtp(packet) => {
                let header = RtpHeader::parse(packet).ok()?;
                (Some(header.ssrc) == ssrc).then(|| packet[header.header_len..].to_vec())
            }
            _ => None,
        };
        self.world.peers[self.listener_recv].arrivals.iter().filter_map(payload).collect()
    }

    /// Under which the listener gets this source.
    fn ssrc_of(&self, source: Source) -> Option<u32> {
        let sending = if source == Source::Mic { &self.mic } else { &self.camera };
        sending.consumer.rtp_parameters.encodings.first().and_then(|encoding| encoding.ssrc)
    }

    /// Fails unless a packet of each source still gets through, exactly once.
    pub fn assert_goes_on(&mut self) {
        assert_eq!(self.say(Source::Mic, b"speech"), [b"speech".to_vec()]);
        let picture = [&KEY_FRAME[..], b"picture"].concat();
        let mut came = self.say(Source::Camera, &picture);
        // Pictures before it may wait in the pacer, for 0.8 s at most.
        for _ in 0..50 {
            if came.contains(&picture) {
                break;
            }
            self.world.advance(TICK);
            came.extend(self.heard(Source::Camera));
        }
        assert_eq!(came.iter().filter(|it| **it == picture).count(), 1);
    }
}
