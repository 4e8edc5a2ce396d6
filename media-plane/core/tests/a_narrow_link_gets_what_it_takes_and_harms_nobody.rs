//! Receivers whose links take less than the room sends: they keep speech and the pictures that matter
//! most to them, and others notice nothing.

use railgun_media_core::packet::rtcp::{ReportBlock, write_receiver_report};
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_peer::{Arrival, KEY_FRAME, MID_ID, Offer, TICK, World};
use railgun_protocol::ids::{ConsumerId, SessionId};
use railgun_protocol::media_rpc::{Address, Command, Event, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU8;

/// What a packet takes on the wire besides its RTP.
const UDP_IP: usize = 28;
/// 200 ms at the link's rate wait in front of it.
const QUEUE_TICKS: usize = 10;

/// The last stretch to a receiver: so many bytes in each tick, and a queue in front.
struct Link {
    bytes_per_tick: usize,
    queue: VecDeque<(u32, u16, usize)>,
    credit: usize,
    received: BTreeMap<u32, Received>,
}

#[derive(Default)]
struct Received {
    /// With the cycles that the receiver counts.
    highest: Option<u32>,
    reported: u32,
    count: u32,
    all: u32,
}

impl Link {
    fn new(bits_per_second: usize) -> Self {
        let bytes_per_tick = bits_per_second / 8 / 50;
        Self { bytes_per_tick, queue: VecDeque::new(), credit: 0, received: BTreeMap::new() }
    }

    fn take(&mut self, packet: &[u8]) {
        let header = RtpHeader::parse(packet).unwrap();
        let waiting: usize = self.queue.iter().map(|(.., len)| len).sum();
        if waiting < self.bytes_per_tick * QUEUE_TICKS {
            self.queue.push_back((header.ssrc, header.sequence, packet.len() + UDP_IP));
        }
    }

    fn tick(&mut self) {
        self.credit += self.bytes_per_tick;
        while let Some((ssrc, sequence, len)) = self.queue.front().copied() {
            if len > self.credit {
                return;
            }
            self.credit -= len;
            self.queue.pop_front();
            let it = self.received.entry(ssrc).or_default();
            let highest = *it.highest.get_or_insert_with(|| u32::from(sequence));
            let [.., high, low] = highest.to_be_bytes();
            let ahead = sequence.wrapping_sub(u16::from_be_bytes([high, low])).cast_signed();
            it.highest = Some(highest.wrapping_add_signed(ahead.max(0).into()));
            (it.count, it.all) = (it.count + 1, it.all + 1);
        }
        self.credit = 0;
    }

    fn report(&mut self) -> Vec<ReportBlock> {
        let blocks = self.received.iter_mut().filter_map(|(ssrc, it)| {
            let highest = it.highest?;
            let first = it.reported == 0;
            let expected = highest.wrapping_sub(std::mem::replace(&mut it.reported, highest));
            let count = std::mem::take(&mut it.count);
            let lost = if first { 0 } else { expected.saturating_sub(count) };
            let fraction = (lost * 256).checked_div(expected).unwrap_or(0).min(255);
            let fraction_lost = u8::try_from(fraction).unwrap();
            Some(ReportBlock { ssrc: *ssrc, highest_sequence: highest, fraction_lost, ..Default::default() })
        });
        blocks.collect()
    }
}

struct Talker {
    send: usize,
    sources: Vec<(Offer, u64)>,
}

struct Viewer {
    session: SessionId,
    recv: usize,
    link: Link,
    /// By talker: speech and pictures, as consumer and SSRC.
    consumers: Vec<[(ConsumerId, u32); 2]>,
}

struct Stage {
    world: World,
    room: Address,
    talkers: Vec<Talker>,
    viewers: Vec<Viewer>,
    ticks: u32,
}

impl Stage {
    /// So many talkers of 400 kbit/s and speech each, and a viewer for each link.
    fn new(talkers: u32, links: &[usize]) -> Self {
        let mut world = World::new(29);
        let room = World::room("links");
        let mut all = Vec::new();
        let mut producers = Vec::new();
        for number in 0..talkers {
            let session = world.join(&room, 1 + u128::from(number), Tier::Pro);
            let send = world.connect(&room, session, Send);
            let offers = [Offer::new(Source::Mic, 10 * number), Offer::new(Source::Camera, 10 * number + 1)];
            producers.push(offers.clone().map(|offer| world.produce(&room, session, send, &offer).unwrap()));
            all.push(Talker { send, sources: offers.into_iter().map(|offer| (offer, 100)).collect() });
        }
        let mut viewers = Vec::new();
        for (number, bits_per_second) in (100..).zip(links) {
            let session = world.join(&room, number, Tier::Free);
            let recv = world.connect(&room, session, Recv);
            let mut consume = |producer| {
                let consumer = world.consume(&room, session, producer).unwrap();
                (consumer.consumer, consumer.rtp_parameters.encodings[0].ssrc.unwrap())
            };
            let consumers = producers.iter().map(|both| both.map(&mut consume)).collect();
            viewers.push(Viewer { session, recv, link: Link::new(*bits_per_second), consumers });
        }
        Self { world, room, talkers: all, viewers, ticks: 0 }
    }

    fn run(&mut self, seconds: u32) {
        (0..seconds * 50).for_each(|_| self.tick());
    }

    fn tick(&mut self) {
        if self.ticks.is_multiple_of(125) {
            for place in 0..self.world.peers.len() {
                let check = self.world.peers[place].check();
                self.world.send(self.world.peers[place].address, check);
            }
        }
        self.ticks += 1;
        for talker in &mut self.talkers {
            let picture = [&KEY_FRAME[..], &[7; 1_000]].concat();
            for ((offer, next), payload) in talker.sources.iter_mut().zip([&[5; 80][..], &picture]) {
                let header = HeaderWriter {
                    marker: true,
                    payload_type: offer.payload_type,
                    sequence: u16::try_from(*next & 0xffff).unwrap(),
                    timestamp: u32::try_from(*next).unwrap() * 960,
                    ssrc: offer.ssrc,
                };
                let mid = [(MID_ID, offer.mid.as_bytes())];
                let packet = self.world.peers[talker.send].seal_rtp(header, *next, &mid, payload);
                *next += 1;
                self.world.send(self.world.peers[talker.send].address, packet);
            }
        }
        self.world.advance(TICK);
        for viewer in &mut self.viewers {
            for arrival in std::mem::take(&mut self.world.peers[viewer.recv].arrivals) {
                if let Arrival::Rtp(packet) = arrival {
                    viewer.link.take(&packet);
                }
            }
            viewer.link.tick();
            let blocks = if self.ticks.is_multiple_of(50) { viewer.link.report() } else { Vec::new() };
            if !blocks.is_empty() {
                let mut message = [0; 800];
                let len = write_receiver_report(&mut message, 1, &blocks).unwrap();
                let sealed = self.world.peers[viewer.recv].seal_rtcp(&message[..len]);
                self.world.send(self.world.peers[viewer.recv].address, sealed);
            }
        }
    }

    /// Packets that came out of a viewer's link since this was asked last: by talker, speech and pictures.
    fn came(&mut self, viewer: usize) -> Vec<[u32; 2]> {
        let Viewer { link, consumers, .. } = &mut self.viewers[viewer];
        let mut count = |ssrc| link.received.get_mut(&ssrc).map_or(0, |it| std::mem::take(&mut it.all));
        consumers.iter().map(|both| both.map(|(_, ssrc)| count(ssrc))).collect()
    }

    fn limit(&mut self, viewer: usize) -> Option<u64> {
        let (session, transport) = (self.viewers[viewer].session, None);
        match self.world.command(&self.room, Command::GetStats { session, transport }).unwrap() {
            Reply::Stats(stats) => stats.transports[0].available_bitrate,
            other => panic!("not statistics: {other:?}"),
        }
    }
}

const WIDE: usize = 100_000_000;

#[test]
fn at_64_kilobits_speech_goes_through_and_others_get_everything() {
    let mut stage = Stage::new(1, &[WIDE, 64_000, WIDE]);
    stage.run(1);
    (0..3).for_each(|viewer| _ = stage.came(viewer));
    let (mut speech, mut worst) = (0, 50);
    for second in 1..60 {
        stage.run(1);
        for viewer in [0, 2] {
            assert_eq!(stage.came(viewer), [[50, 50]], "second {second} of an undisturbed viewer");
        }
        let [[heard, _]] = stage.came(1)[..] else { panic!("one talker") };
        if (6..12).contains(&second) {
            worst = worst.min(heard);
        }
        speech += heard;
    }
    assert!(worst >= 49, "once the pictures are gone, speech is whole: {worst}");
    // What is tried again later costs a few seconds each time.
    assert!(speech >= 59 * 50 * 7 / 10, "{speech}");
    assert!(stage.limit(1).is_some() && stage.limit(0).is_none());
    let told = stage.world.events.iter().filter(|event| {
        matches!(&event.event, Event::ConsumerLayers { consumer, layers: None }
            if *consumer == stage.viewers[1].consumers[0][1].0)
    });
    assert!(told.count() > 0, "the viewer hears that it gets no pictures");
}

#[test]
fn the_picture_of_the_highest_priority_is_the_last_to_go() {
    for favourite in [0, 1] {
        let mut stage = Stage::new(2, &[700_000]);
        let Viewer { session, consumers, .. } = &stage.viewers[0];
        let (session, consumer) = (*session, consumers[favourite][1].0);
        let priority = NonZeroU8::new(200).unwrap();
        stage.world.command(&stage.room, Command::SetPriority { session, consumer, priority }).unwrap();
        stage.run(8);
        stage.came(0);
        stage.run(4);
        let came = stage.came(0);
        assert!(came[favourite][1] >= 198, "the favourite's pictures: {came:?}");
        assert_eq!(came[1 - favourite][1], 0, "the other's");
        assert!(came.iter().all(|it| it[0] >= 198), "and all speech");
    }
}

#[test]
fn when_the_link_is_wide_again_pictures_come_back() {
    let mut stage = Stage::new(1, &[64_000]);
    stage.run(15);
    stage.viewers[0].link.bytes_per_tick = WIDE / 400;
    stage.run(90);
    stage.came(0);
    stage.run(2);
    assert_eq!(stage.came(0), [[100, 100]]);
    assert_eq!(stage.limit(0), None);
}
