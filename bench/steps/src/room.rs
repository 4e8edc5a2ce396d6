//! One sender and its consumers in one room, connected by ICE and DTLS, in the midst of a call.

use crate::step::Step;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::{Datagram, Engine, EngineConfig, steps};
use railgun_peer::{MID_ID, Offer, TRANSPORT_CC_ID, World};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
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
/// Frames of 1.6 s.
const UNTIL_UNPACED: u64 = 100;
/// Well below the half minute that consent lasts.
const FRAMES_PER_CONSENT: u64 = 500;

/// What a step does with a burst; with how many packets.
pub(crate) type Work = fn(&mut Engine, &mut [Datagram<'_>; BURST], Instant) -> usize;

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
            world.join_with(&room, request)
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
        // The key frame with which forwarding begins, and so many that receivers which report nothing are known, to
        // whom nothing is paced.
        for _ in 0..UNTIL_UNPACED {
            assert_eq!(room.forward_next(), FORWARDED, "everybody gets the stream");
        }
        room
    }

    /// Does this with one burst after the other, each opened before.
    pub(crate) fn step(self, work: Work) -> Box<dyn Step> {
        self.step_after(Self::next_opened, work)
    }

    /// [`Self::step`] with something else before each run.
    pub(crate) fn step_after(self, prepare: fn(&mut Self), work: Work) -> Box<dyn Step> {
        Box::new(RoomStep { room: self, prepare, work })
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
        steps::forget(&mut self.world.engine);
        self.packets = std::array::from_fn(|place| self.seal(place));
        self.frames += 1;
    }

    fn seal(&mut self, place: usize) -> Vec<u8> {
        let index = self.next;
        self.next += 1;
        let [.., high, low] = index.to_be_bytes();
        let [.., f2, f1, f0] = self.frames.to_be_bytes();
        let is_video = self.offer.source == Source::Camera;
        let timestamp = u32::from_be_bytes([f2, f1, f0, if is_video { 0 } else { low }]);
        let header = self.offer.header(index, timestamp, is_video && place + 1 == BURST);
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

    /// Does something with the present burst.
    fn with(&mut self, work: Work) -> usize {
        let source = self.world.peers[self.talker].address;
        let arrived = self.world.now;
        let mut burst =
            self.packets.each_mut().map(|bytes| Datagram { source, bytes, arrived, ecn: Ecn::NotEct });
        work(&mut self.world.engine, &mut burst, self.world.now)
    }

    /// The next burst, opened.
    fn next_opened(&mut self) {
        self.next_burst();
        assert_eq!(self.with(|engine, burst, now| steps::ingest(engine, burst, now)), BURST);
    }

    /// Forwards the next burst to all consumers. Returns the number of packets sent.
    pub(crate) fn forward_next(&mut self) -> usize {
        self.next_opened();
        self.with(fan_out)
    }
}

/// An opened burst to all consumers; how many packets went out.
pub(crate) fn fan_out(engine: &mut Engine, burst: &mut [Datagram<'_>; BURST], now: Instant) -> usize {
    usize::try_from(steps::fan_out(engine, burst, now)).unwrap_or(usize::MAX)
}

struct RoomStep {
    room: Room,
    prepare: fn(&mut Room),
    work: Work,
}

impl Step for RoomStep {
    fn prepare(&mut self) {
        (self.prepare)(&mut self.room);
    }

    fn run(&mut self) -> usize {
        self.room.with(self.work)
    }
}
