//! One sender and its consumers in one room, connected by ICE and DTLS, in the midst of a call.

use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_media_core::{Datagram, Engine, EngineConfig};
use railgun_peer::{MID_ID, Offer, TRANSPORT_CC_ID, World};
use railgun_shared::media_rpc::Command;
use railgun_shared::plan::Tier;
use railgun_shared::signal::Source;
use railgun_shared::transport_parameters::TransportDirection::{Recv, Send};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(crate) const CONSUMERS: u16 = 16;
/// Packets of a frame, which arrive together.
pub(crate) const BURST: usize = 8;
/// What [`BURST`] packets are for all consumers.
pub(crate) const FORWARDED: usize = BURST * CONSUMERS as usize;
pub(crate) const VIDEO_PAYLOAD: usize = 1172;
const AUDIO_PAYLOAD: usize = 150;
/// From one burst to the next.
const FRAME: Duration = Duration::from_millis(16);
/// Well below the half minute that consent lasts.
const FRAMES_PER_CONSENT: u64 = 500;

pub(crate) struct Room {
    world: World,
    talker: usize,
    offer: Offer,
    frames: u64,
    /// Roll-over counter and sequence number of the source's next packet.
    next: u64,
    /// The present burst: sealed, and plain once it was ingested.
    packets: [Vec<u8>; BURST],
}

impl Room {
    pub(crate) fn video() -> Self {
        Self::new(Source::Camera)
    }

    pub(crate) fn audio() -> Self {
        Self::new(Source::Mic)
    }

    fn new(source: Source) -> Self {
        // The steps are measured, not a tier's ceiling.
        let config = EngineConfig { bitrate_headroom_percent: u32::MAX, ..World::config(1) };
        let (mut world, room) = (World::with(config), World::room("steps"));
        let join = |world: &mut World, number: u16, tier| {
            let mut request = World::join_request(u128::from(number) + 1, tier);
            request.limits.participants = CONSUMERS + 1;
            let session = request.session;
            world.command(&room, Command::Join(Box::new(request))).expect("a seat");
            session
        };
        let sending = join(&mut world, 0, Tier::Pro);
        let talker = world.connect(&room, sending, Send);
        let offer = Offer::new(source, 0);
        let producer = world.produce(&room, sending, talker, &offer).expect("a producer");
        for number in 1..=CONSUMERS {
            let listening = join(&mut world, number, Tier::Free);
            world.connect(&room, listening, Recv);
            world.consume(&room, listening, producer).expect("a consumer");
        }
        let packets = [const { Vec::new() }; BURST];
        let mut room = Self { world, talker, offer, frames: 0, next: 1000, packets };
        // The key frame with which forwarding begins, and one more.
        for _ in 0..2 {
            room.next_burst();
            assert_eq!(room.with(ingest_and_fan_out), FORWARDED, "everybody gets the stream");
        }
        room
    }

    /// The time moves on, what is due is done, and the source's next packets are there, sealed.
    pub(crate) fn next_burst(&mut self) {
        self.world.now += FRAME;
        if self.frames.is_multiple_of(FRAMES_PER_CONSENT) {
            for place in 0..self.world.peers.len() {
                let (address, check) = (self.world.peers[place].address, self.world.peers[place].check());
                self.world.send(address, check);
            }
        }
        self.world.engine.handle_timeout(self.world.now);
        while self.world.engine.poll_notice().is_some() {}
        self.world.peers.iter_mut().for_each(|peer| peer.arrivals.clear());
        railgun_media_core::steps::forget(&mut self.world.engine);
        self.packets = std::array::from_fn(|place| self.seal(place));
        self.frames += 1;
    }

    fn seal(&mut self, place: usize) -> Vec<u8> {
        let index = self.next;
        self.next += 1;
        let [.., high, low] = index.to_be_bytes();
        let [.., f2, f1, f0] = self.frames.to_be_bytes();
        let is_video = self.offer.source == Source::Camera;
        let header = HeaderWriter {
            marker: is_video && place + 1 == BURST,
            payload_type: self.offer.payload_type,
            sequence: u16::from_be_bytes([high, low]),
            timestamp: u32::from_be_bytes([f2, f1, f0, if is_video { 0 } else { low }]),
            ssrc: self.offer.ssrc,
        };
        let mut payload = vec![0x5a; if is_video { VIDEO_PAYLOAD } else { AUDIO_PAYLOAD }];
        if is_video {
            // RFC 7741: extended, start of partition 0 in the frame's first packet, a 15-bit picture id;
            // then a frame's first byte.
            let first = if place == 0 { 0x90 } else { 0x80 };
            let inter = u8::from(self.frames > 0);
            payload[..5].copy_from_slice(&[first, 0x80, 0x80 | f1, f0, 0x50 | inter]);
        }
        let elements: [(u8, &[u8]); 2] =
            [(MID_ID, self.offer.mid.as_bytes()), (TRANSPORT_CC_ID, &[high, low])];
        self.world.peers[self.talker].seal_rtp(header, index, &elements, &payload)
    }

    /// Does something with the present burst; what comes of it.
    pub(crate) fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Engine, &mut [Datagram<'_>; BURST], Instant) -> T,
    ) -> T {
        let source = self.source();
        let mut burst = self.packets.each_mut().map(|bytes| Datagram { source, bytes });
        work(&mut self.world.engine, &mut burst, self.world.now)
    }

    /// The next burst, opened.
    pub(crate) fn next_opened(&mut self) {
        self.next_burst();
        let opened = self.with(|engine, burst, now| railgun_media_core::steps::ingest(engine, burst, now));
        assert_eq!(opened, BURST);
    }

    fn source(&self) -> SocketAddr {
        self.world.peers[self.talker].address
    }
}

/// The whole path, as the node takes it.
pub(crate) fn ingest_and_fan_out(
    engine: &mut Engine,
    burst: &mut [Datagram<'_>; BURST],
    now: Instant,
) -> usize {
    let before = engine.counters().forwarded_packets;
    engine.handle_datagrams(burst, now, |_| ());
    usize::try_from(engine.counters().forwarded_packets - before).unwrap_or(usize::MAX)
}
