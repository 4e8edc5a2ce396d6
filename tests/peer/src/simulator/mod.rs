//! Calls over bad networks, in virtual time: a real engine, publishers as browsers' encoders are, links, and
//! receivers that report as browsers do. A call is a function of its seed.

#[cfg(feature = "peers")]
pub mod baseline;
pub mod catalogue;
mod frame;
pub mod people;
mod publisher;
mod viewer;

pub use crate::link::{Link, LinkConfig, Loss, Queue, Radio, Rates, Reorder, Stalls, UDP_IP};
use crate::parameters::{AUDIO_LEVEL_ID, MID_ID, Offer, ccfb_capabilities};
use crate::peer::Arrival;
use crate::world::World;
pub use publisher::LayerSpec;
use publisher::Publisher;
use railgun_media_core::EngineConfig;
use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound};
use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_protocol::ids::{ConsumerId, ProducerId, SessionId};
use railgun_protocol::media_rpc::{Address, Command, Event, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::collections::BTreeMap;
use std::num::NonZeroU8;
use std::time::{Duration, Instant};
use viewer::Receiver;

/// Steps of the simulation; the node's own times are exact.
const STEP: Duration = Duration::from_millis(1);
/// A browser's feedback at the rates of these calls.
const FEEDBACK: Duration = Duration::from_millis(50);
const AUDIO: Duration = Duration::from_millis(20);
const AUDIO_BYTES: usize = 80;
/// One speaker, in bits a second on the wire.
pub const SPEECH: u64 = 66_000;
/// SSRC of the first publisher's lowest layer.
const CAMERA: u32 = 0x5000_0000;
/// Level of who speaks (RFC 6464): speech of -40 dBov.
const SPEAKS: &[u8] = &[0x80 | 40];
/// From a publisher to the node.
const UPLINK: Duration = Duration::from_millis(10);
/// From an event of the node to the encoder that follows it.
const SIGNALING: Duration = Duration::from_millis(50);
/// A picture that is later than this after the one before is a freeze.
const FREEZE: Duration = Duration::from_millis(400);

/// A call to simulate.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub publishers: usize,
    /// Each camera's, the lowest first; none: speech alone.
    pub layers: Vec<LayerSpec>,
    pub fps: u32,
    /// Of each viewer.
    pub links: Vec<LinkConfig>,
    pub duration: Duration,
    /// The publisher whose camera each viewer gives a higher priority.
    pub favourite: Option<usize>,
    /// Who speaks from when on; others' microphones have no level.
    pub speakers: Vec<(Duration, usize)>,
    /// Each viewer watches the publisher of its place alone, as in calls of two.
    pub is_paired: bool,
    /// All viewers are behind the first one's link.
    pub is_shared: bool,
    /// How the first viewer reports on arrivals.
    pub reports: Reports,
    /// The node sends ECT(1) to who reports ECN marks.
    pub l4s: bool,
}

/// What a receiver's feedback says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reports {
    /// What came, and when.
    True,
    /// What came, when, and with which ECN mark: by RFC 8888 instead of transport-cc.
    Ccfb,
    /// That all that was sent came, each packet 20 us after the one before, as over a link of hundreds of Mbit/s.
    Forged,
}

impl Scenario {
    /// One camera of three layers, as Chromium sends 960x540 at 15 pictures a second.
    pub fn new(link: LinkConfig, seconds: u64) -> Self {
        let layers = [130_000, 420_000, 1_200_000].map(LayerSpec::new).to_vec();
        let duration = Duration::from_secs(seconds);
        Self {
            publishers: 1,
            layers,
            fps: 15,
            links: vec![link],
            duration,
            favourite: None,
            speakers: Vec::new(),
            is_paired: false,
            is_shared: false,
            reports: Reports::True,
            l4s: false,
        }
    }
}

/// What one viewer got of one camera.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// From resuming the consumer.
    pub first: Option<Duration>,
    /// Sum of the freezes: gaps of 0.4 s and more between two pictures, after the first picture.
    pub frozen: Duration,
    /// Begin and length of each freeze.
    pub freezes: Vec<(Duration, Duration)>,
    /// Length of the longest freeze.
    pub longest: Duration,
    pub shown: usize,
    /// As the session was told of them: when, spatial and temporal layer, none while paused.
    pub layers: Vec<(Duration, Option<(u8, u8)>)>,
}

impl Picture {
    /// Times without a picture that began at this time or later, together.
    pub fn frozen_from(&self, from: Duration) -> Duration {
        self.freezes.iter().filter(|(at, _)| *at >= from).map(|(_, gap)| *gap).sum()
    }

    /// Spatial and temporal layer at this time.
    pub fn layers_at(&self, at: Duration) -> Option<(u8, u8)> {
        self.layers.iter().rfind(|(told, _)| *told <= at).and_then(|(_, layers)| *layers)
    }

    /// Changes of layers from this time on.
    pub fn changes(&self, from: Duration) -> usize {
        let changes = self.layers.windows(2).filter(|pair| pair[1].0 >= from && pair[0].1 != pair[1].1);
        changes.count()
    }

    /// Part of the time from `from` to `until` on at least these layers.
    pub fn time_at(&self, least: (u8, u8), from: Duration, until: Duration) -> f64 {
        let ends = self.layers.iter().skip(1).map(|(at, _)| *at).chain([until]);
        let spans =
            self.layers.iter().zip(ends).filter(|((_, layers), _)| layers.is_some_and(|it| it >= least));
        let spans = spans.map(|((begin, _), end)| end.min(until).saturating_sub((*begin).max(from)));
        spans.sum::<Duration>().as_secs_f64() / (until - from).as_secs_f64()
    }
}

/// What one viewer's link and ears had.
#[derive(Clone, Debug, Default)]
pub struct Viewed {
    pub pictures: Vec<Picture>,
    /// Packets of speech that were sent by publishers, and that came.
    pub speech_sent: u64,
    pub speech_came: u64,
    /// Each millisecond, in milliseconds.
    pub queue: Vec<f32>,
    /// Of each datagram that came through a dual queue: when it left that, and how many milliseconds it waited there.
    pub waits: Vec<(Duration, f32)>,
    /// Each 100 ms: what the node takes the link to take, in bits a second.
    pub estimates: Vec<(Duration, Option<u64>)>,
    pub bytes: u64,
    /// The same, by second of the call.
    pub bytes_by_second: Vec<u64>,
    /// Bytes that the node sent over its link until then, by second of the call.
    pub sent_by_second: Vec<u64>,
    pub padding: u64,
    /// Payload of the pictures that could be shown, in bytes.
    pub shown_bytes: u64,
    pub dropped: u64,
    pub taken: u64,
    /// Bytes that each transfer of others on its link got through, by second since that began.
    pub transferred: Vec<Vec<u64>>,
    /// SSRC, sequence and length of all that came, in order: whether two runs were the same.
    pub fingerprint: u64,
}

/// The 95th percentile; 0 of nothing.
fn p95(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    values.get(values.len() * 95 / 100).copied().unwrap_or(0.0)
}

impl Viewed {
    /// Seconds with more than so many milliseconds in the queue, from `from` on.
    pub fn queue_over(&self, millis: f32, from: Duration) -> f64 {
        let over = self.queue.iter().skip(usize::try_from(from.as_millis()).expect("short"));
        over.filter(|it| **it > millis).count() as f64 / 1_000.0
    }

    /// The 95th percentile of the queue, in milliseconds, from `from` on.
    pub fn queue_p95(&self, from: Duration) -> f32 {
        let skipped = usize::try_from(from.as_millis()).expect("short");
        p95(self.queue.get(skipped..).unwrap_or_default().to_vec())
    }

    /// The 95th percentile of what datagrams waited in a dual queue, in milliseconds, from `from` on.
    pub fn waits_p95(&self, from: Duration) -> f32 {
        let later = self.waits.iter().filter(|(at, _)| *at >= from);
        p95(later.map(|(_, waited)| *waited).collect())
    }

    /// The mean estimate from `from` on, in bits a second; times without one count as `unlimited`.
    pub fn estimate(&self, from: Duration, unlimited: u64) -> f64 {
        let taken = self.estimates.iter().filter(|(at, _)| *at >= from);
        let taken: Vec<f64> = taken.map(|(_, it)| it.unwrap_or(unlimited).min(unlimited) as f64).collect();
        taken.iter().sum::<f64>() / taken.len().max(1) as f64
    }

    /// The highest estimate, in bits a second.
    pub fn highest_estimate(&self) -> u64 {
        self.estimates.iter().filter_map(|(_, it)| *it).max().unwrap_or(0)
    }

    /// Bytes from this second on.
    pub fn bytes_from(&self, second: usize) -> u64 {
        self.bytes_by_second.iter().skip(second).sum()
    }

    /// Notes an RTP packet that came this long after the call's begin.
    fn take_packet(&mut self, packet: &[u8], since: Duration) {
        let second = usize::try_from(since.as_secs()).expect("short");
        self.bytes_by_second.resize(second + 1, 0);
        self.bytes_by_second[second] += (packet.len() + UDP_IP) as u64;
        let mix = |sum: u64, byte: &u8| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte);
        self.fingerprint = packet.iter().fold(self.fingerprint, mix);
    }

    /// Notes what the link has, each millisecond: `step` counts them.
    fn look_at(&mut self, link: &Link, step: u32, now: Instant) {
        if (step + 1).is_multiple_of(1_000) {
            self.sent_by_second.push(link.taken_bytes);
        }
        self.queue.push(link.queueing(now).as_secs_f32() * 1_000.0);
    }

    /// Adds what receiver and link counted. `cameras`: the SSRC of each picture's stream.
    fn finish(
        &mut self,
        receiver: &Receiver,
        link: &Link,
        cameras: impl Iterator<Item = u32>,
        (start, duration): (Instant, Duration),
    ) {
        self.transferred = link.transferred().into_iter().map(<[u64]>::to_vec).collect();
        (self.dropped, self.taken) = (link.dropped, link.taken);
        self.waits.clone_from(&link.waits);
        (self.bytes, self.padding) = (receiver.bytes, receiver.padding);
        let speech = receiver.streams.iter().filter(|stream| !stream.is_video);
        self.speech_came = speech.map(|stream| stream.packets).sum();
        self.shown_bytes = receiver.streams.iter().map(|stream| stream.shown_bytes).sum();
        for (picture, ssrc) in self.pictures.iter_mut().zip(cameras) {
            let Some(stream) = receiver.streams.iter().find(|it| it.ssrc == ssrc) else { continue };
            picture.shown = stream.shown.len();
            picture.first = stream.shown.first().map(|(at, ..)| *at - start);
            let times = stream.shown.iter().map(|(at, ..)| *at).chain([start + duration]);
            let times: Vec<Instant> = times.collect();
            let gaps =
                times.windows(2).map(|pair| (pair[0] - start, pair[1].saturating_duration_since(pair[0])));
            picture.freezes = gaps.filter(|(_, gap)| *gap >= FREEZE).collect();
            picture.frozen = picture.frozen_from(Duration::ZERO);
            picture.longest = picture.freezes.iter().map(|(_, gap)| *gap).max().unwrap_or_default();
        }
    }

    /// When the estimate first reached this many bits a second, at or after `from`.
    pub fn reached(&self, bitrate: u64, from: Duration) -> Option<Duration> {
        let mut later = self.estimates.iter().filter(|(at, _)| *at >= from);
        later.find(|(_, it)| it.is_none_or(|it| it >= bitrate)).map(|(at, _)| *at - from)
    }
}

struct Talker {
    send: usize,
    mic: (Offer, u64),
    camera: Option<(Publisher, ProducerId)>,
    next_picture: Instant,
    next_audio: Instant,
}

struct Viewer {
    session: SessionId,
    recv: usize,
    receiver: Receiver,
    cameras: Vec<(ConsumerId, u32)>,
    round_trip: Duration,
    delay: Duration,
    reports: Reports,
    next_feedback: Instant,
    next_report: Instant,
    viewed: Viewed,
}

/// Simulates a call.
pub fn run(scenario: &Scenario, seed: u64) -> Vec<Viewed> {
    Stage::new(scenario, seed).run(scenario.duration)
}

/// The camera of a call's publisher by number: the same pictures whoever forwards them. `fps`: pictures a second.
fn camera_of(offer: Offer, layers: &[LayerSpec], fps: u32, number: u32, seed: u64) -> Publisher {
    let seed = seed.wrapping_mul(977).wrapping_add(u64::from(number));
    Publisher::new(offer, layers, fps, CAMERA + number * 16, seed)
}

/// After how long a viewer behind this link asks for a packet again.
fn round_trip_over(link: &LinkConfig) -> Duration {
    2 * link.delay + link.jitter + Duration::from_millis(20)
}

struct Stage {
    world: World,
    room: Address,
    talkers: Vec<Talker>,
    viewers: Vec<Viewer>,
    /// Datagrams for the node, by when they get there.
    later: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    orders: u64,
    /// What publishers are told, by when they follow it.
    told: Vec<(Instant, ProducerId, Option<u8>)>,
    start: Instant,
    speakers: Vec<(Duration, usize)>,
    /// The last speech, a second before the end: all of it arrives.
    speech_ends: Instant,
}

impl Stage {
    fn new(scenario: &Scenario, seed: u64) -> Self {
        let config = World::config(u8::try_from(seed % 251).expect("a byte"));
        let mut world = World::with(EngineConfig { l4s: scenario.l4s, ..config });
        let room = World::room("scenario");
        let mut talkers = Vec::new();
        let mut producers = Vec::new();
        for number in 0..u32::try_from(scenario.publishers).expect("few") {
            let session = world.join(&room, 1 + u128::from(number), Tier::Pro);
            let send = world.connect(&room, session, Send);
            let mic = Offer::new(Source::Mic, 10 * number);
            let speech = world.produce(&room, session, send, &mic).expect("speech");
            let camera = (!scenario.layers.is_empty()).then(|| {
                let layers = u8::try_from(scenario.layers.len()).expect("few");
                let mut offer = Offer::simulcast(10 * number + 1, layers);
                for (encoding, layer) in offer.parameters.encodings.iter_mut().zip(&scenario.layers) {
                    encoding.scalability_mode = Some("L1T3".into());
                    encoding.max_bitrate = layer.declared;
                }
                let producer = world.produce(&room, session, send, &offer).expect("a camera");
                (camera_of(offer, &scenario.layers, scenario.fps, number, seed), producer)
            });
            producers.push((speech, camera.as_ref().map(|(_, producer)| *producer)));
            let phase = Duration::from_millis(u64::from(number) * 17 % 60);
            let now = world.now;
            let next = (now + phase, now + phase / 4);
            talkers.push(Talker { send, mic: (mic, 100), camera, next_picture: next.0, next_audio: next.1 });
        }
        let mut viewers: Vec<Viewer> = Vec::new();
        for (number, link) in (100u64..).zip(&scenario.links) {
            let reports = if number == 100 { scenario.reports } else { Reports::True };
            let mut request = World::join_request(number.into(), Tier::Free);
            if reports == Reports::Ccfb {
                request.rtp_capabilities = Some(ccfb_capabilities());
            }
            let session = world.join_with(&room, request);
            let recv = world.connect(&room, session, Recv);
            if reports == Reports::Ccfb {
                world.peers[recv].note_streams();
            }
            let (delay, round_trip) = (link.delay, round_trip_over(link));
            let address = world.peers[recv].address;
            match viewers.first() {
                Some(Viewer { recv, .. }) if scenario.is_shared => {
                    world.behind.insert(address, world.peers[*recv].address);
                }
                _ => {
                    let link = Link::new(link.clone(), seed.wrapping_add(number), world.now);
                    world.links.insert(address, link);
                }
            }
            let mut receiver = Receiver::default();
            let mut cameras = Vec::new();
            for (place, (speech, camera)) in producers.iter().enumerate() {
                if scenario.is_paired && place != viewers.len() {
                    continue;
                }
                let heard = world.consume(&room, session, *speech).expect("speech");
                receiver.add(heard.rtp_parameters.encodings[0].ssrc.expect("an SSRC"), false);
                let Some(camera) = camera else { continue };
                let seen = world.consume(&room, session, *camera).expect("a camera");
                let ssrc = seen.rtp_parameters.encodings[0].ssrc.expect("an SSRC");
                receiver.add(ssrc, true);
                cameras.push((seen.consumer, ssrc));
                if scenario.favourite == Some(place) {
                    let (consumer, priority) = (seen.consumer, NonZeroU8::MAX);
                    let command = Command::SetPriority { session, consumer, priority };
                    world.command(&room, command).expect("a priority");
                }
            }
            let pictures = vec![Picture::default(); cameras.len()];
            viewers.push(Viewer {
                session,
                recv,
                receiver,
                cameras,
                round_trip,
                delay,
                reports,
                next_feedback: world.now + FEEDBACK,
                next_report: world.now + Duration::from_millis(500 + 130 * (number - 100)),
                viewed: Viewed { pictures, ..Viewed::default() },
            });
        }
        let start = world.now;
        let (later, orders, told) = (BTreeMap::new(), 0, Vec::new());
        Self {
            world,
            room,
            talkers,
            viewers,
            later,
            orders,
            told,
            start,
            speakers: scenario.speakers.clone(),
            speech_ends: start + scenario.duration.saturating_sub(Duration::from_secs(1)),
        }
    }

    fn run(mut self, duration: Duration) -> Vec<Viewed> {
        let steps = u32::try_from(duration.as_millis()).expect("short");
        for step in 0..steps {
            if step.is_multiple_of(2_500) {
                for place in 0..self.world.peers.len() {
                    let check = self.world.peers[place].check();
                    self.world.send(self.world.peers[place].address, check);
                }
            }
            self.publish();
            while let Some(entry) = self.later.first_entry().filter(|it| it.key().0 <= self.world.now) {
                let (peer, datagram) = entry.remove();
                self.world.send(self.world.peers[peer].address, datagram);
            }
            self.world.advance(STEP);
            self.follow_requests();
            (0..self.viewers.len()).for_each(|viewer| self.view(viewer, step));
            self.follow_events();
        }
        self.finish(duration)
    }

    fn send_later(&mut self, at: Instant, peer: usize, datagram: Vec<u8>) {
        self.orders += 1;
        self.later.insert((at, self.orders), (peer, datagram));
    }

    fn publish(&mut self) {
        let now = self.world.now;
        let mut packets = Vec::new();
        let speaker = self.speakers.iter().rfind(|(from, _)| self.start + *from <= now).map(|(_, it)| *it);
        for (place, talker) in self.talkers.iter_mut().enumerate() {
            let peer = &self.world.peers[talker.send];
            if talker.next_audio <= now && now < self.speech_ends {
                talker.next_audio += AUDIO;
                let (offer, next) = &mut talker.mic;
                let header = HeaderWriter {
                    marker: false,
                    payload_type: offer.payload_type,
                    sequence: u16::try_from(*next & 0xffff).expect("16 bits"),
                    timestamp: u32::try_from((*next * 960) & 0xffff_ffff).expect("32 bits"),
                    ssrc: offer.ssrc,
                };
                let elements = [(MID_ID, offer.mid.as_bytes()), (AUDIO_LEVEL_ID, SPEAKS)];
                let elements = &elements[..if speaker == Some(place) { 2 } else { 1 }];
                let packet = peer.seal_rtp(header, *next, elements, &[5; AUDIO_BYTES]);
                *next += 1;
                packets.push((now + UPLINK, talker.send, packet));
                self.viewers.iter_mut().for_each(|viewer| viewer.viewed.speech_sent += 1);
            }
            if talker.next_picture <= now
                && let Some((camera, _)) = &mut talker.camera
            {
                talker.next_picture += camera.interval();
                let picture = camera.picture(peer, 1.0).into_iter();
                packets.extend(picture.map(|(after, packet)| (now + after + UPLINK, talker.send, packet)));
            }
        }
        for (at, peer, packet) in packets {
            self.send_later(at, peer, packet);
        }
    }

    /// Publishers follow requests for key frames, which reach them an uplink's time later.
    fn follow_requests(&mut self) {
        for talker in &mut self.talkers {
            let arrivals = std::mem::take(&mut self.world.peers[talker.send].arrivals);
            let Some((camera, _)) = &mut talker.camera else { continue };
            for arrival in arrivals {
                let Arrival::Rtcp(compound) = arrival else { continue };
                for packet in parse_compound(&compound).into_iter().flatten() {
                    if let RtcpPacket::Pli(pli) = packet {
                        camera.owe_key_frame(pli.media_ssrc);
                    }
                }
            }
        }
    }

    fn follow_events(&mut self) {
        let now = self.world.now;
        for event in std::mem::take(&mut self.world.events) {
            match event.event {
                Event::ProducerLayers { producer, max_spatial } => {
                    self.told.push((now + SIGNALING, producer, max_spatial));
                }
                Event::ConsumerLayers { consumer, layers } => {
                    let at = now - self.start;
                    let layers = layers.map(|it| (it.spatial_layer, it.temporal_layer.unwrap_or(u8::MAX)));
                    for viewer in &mut self.viewers {
                        let place = viewer.cameras.iter().position(|(id, _)| *id == consumer);
                        if let Some(place) = place {
                            viewer.viewed.pictures[place].layers.push((at, layers));
                        }
                    }
                }
                _ => {}
            }
        }
        let (due, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.told).into_iter().partition(|(at, ..)| *at <= now);
        self.told = left;
        for (_, producer, highest) in due {
            let cameras = self.talkers.iter_mut().filter_map(|talker| talker.camera.as_mut());
            for (camera, _) in cameras.filter(|(_, id)| *id == producer) {
                camera.send_up_to(highest);
            }
        }
    }

    fn view(&mut self, place: usize, step: u32) {
        let now = self.world.now;
        let viewer = &mut self.viewers[place];
        let peer = &mut self.world.peers[viewer.recv];
        for arrival in std::mem::take(&mut peer.arrivals) {
            let Arrival::Rtp(packet) = arrival else { continue };
            viewer.viewed.take_packet(&packet, now - self.start);
            viewer.receiver.take(&packet, now);
        }
        let mut control = Vec::new();
        if step.is_multiple_of(5) {
            control = viewer.receiver.requests(viewer.round_trip, now);
        }
        if viewer.next_feedback <= now {
            viewer.next_feedback += FEEDBACK;
            let mut arrivals = peer.take_arrivals();
            if viewer.reports == Reports::Forged {
                viewer.receiver.forge(&mut arrivals);
            }
            control.extend(match viewer.reports {
                Reports::Ccfb => peer.congestion_feedback(self.start, now),
                Reports::True | Reports::Forged => peer.feedback_on(arrivals, self.start),
            });
        }
        if viewer.next_report <= now {
            viewer.next_report += Duration::from_secs(1);
            control.extend(viewer.receiver.report(|ssrc| peer.last_time(ssrc), now));
        }
        let sealed: Vec<_> = control.iter().map(|it| peer.seal_rtcp(it)).collect();
        let (recv, at, session) = (viewer.recv, now + viewer.delay, viewer.session);
        let address = self.world.peers[recv].address;
        let link = &self.world.links[self.world.behind.get(&address).unwrap_or(&address)];
        viewer.viewed.look_at(link, step, now);
        for packet in sealed {
            self.send_later(at, recv, packet);
        }
        if step.is_multiple_of(100) {
            let command = Command::GetStats { session, transport: None };
            if let Ok(Reply::Stats(stats)) = self.world.command(&self.room, command) {
                let estimate = stats.transports.first().and_then(|it| it.available_bitrate);
                self.viewers[place].viewed.estimates.push((now - self.start, estimate));
            }
        }
    }

    fn finish(self, duration: Duration) -> Vec<Viewed> {
        let Self { world, viewers, start, .. } = self;
        let finish = |viewer: Viewer| {
            let Viewer { recv, receiver, cameras, mut viewed, .. } = viewer;
            let address = world.peers[recv].address;
            let link = &world.links[world.behind.get(&address).unwrap_or(&address)];
            let ssrcs = cameras.iter().map(|(_, ssrc)| *ssrc);
            viewed.finish(&receiver, link, ssrcs, (start, duration));
            viewed
        };
        viewers.into_iter().map(finish).collect()
    }
}
