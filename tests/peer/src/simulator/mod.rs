//! Calls over bad networks, in virtual time: a real engine, publishers as browsers' encoders are, links, and
//! receivers that report as browsers do. A call is a function of its seed.

#[cfg(feature = "peers")]
pub mod baseline;
pub mod catalogue;
mod frame;
pub mod people;
mod publisher;
mod viewed;
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
pub use viewed::{Picture, Viewed};
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
    /// From when on each viewer hears and watches the others; those for whom no time is given do from the begin on.
    pub joins: Vec<Duration>,
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
            joins: Vec::new(),
            is_shared: false,
            reports: Reports::True,
            l4s: false,
        }
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
    /// Until then it gets nothing.
    joins_at: Option<Duration>,
    viewed: Viewed,
}

/// Simulates a call.
pub fn run(scenario: &Scenario, seed: u64) -> Vec<Viewed> {
    Stage::new(scenario, seed).run()
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

struct Stage<'a> {
    scenario: &'a Scenario,
    seed: u64,
    world: World,
    room: Address,
    /// Each publisher's microphone and camera.
    producers: Vec<(ProducerId, Option<ProducerId>)>,
    talkers: Vec<Talker>,
    viewers: Vec<Viewer>,
    /// Datagrams for the node, by when they get there.
    later: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    orders: u64,
    /// What publishers are told, by when they follow it.
    told: Vec<(Instant, ProducerId, Option<u8>)>,
    start: Instant,
    /// The last speech, a second before the end: all of it arrives.
    speech_ends: Instant,
}

impl<'a> Stage<'a> {
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
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
        let mut stage = Self {
            scenario,
            seed,
            start: world.now,
            speech_ends: world.now,
            world,
            room,
            producers,
            talkers,
            viewers: Vec::new(),
            later: BTreeMap::new(),
            orders: 0,
            told: Vec::new(),
        };
        scenario.links.iter().for_each(|link| stage.connect(link));
        stage.start = stage.world.now;
        stage.speech_ends = stage.start + scenario.duration.saturating_sub(Duration::from_secs(1));
        stage.join_due();
        stage
    }

    /// A viewer behind this link, who gets nothing yet.
    fn connect(&mut self, link: &LinkConfig) {
        let Self { scenario, world, room, .. } = self;
        let place = self.viewers.len();
        let number = 100 + u64::try_from(place).expect("few");
        let reports = if place == 0 { scenario.reports } else { Reports::True };
        let mut request = World::join_request(number.into(), Tier::Free);
        if reports == Reports::Ccfb {
            request.rtp_capabilities = Some(ccfb_capabilities());
        }
        let session = world.join_with(room, request);
        let recv = world.connect(room, session, Recv);
        if reports == Reports::Ccfb {
            world.peers[recv].note_streams();
        }
        let address = world.peers[recv].address;
        match self.viewers.first() {
            Some(Viewer { recv, .. }) if scenario.is_shared => {
                world.behind.insert(address, world.peers[*recv].address);
            }
            _ => {
                let link = Link::new(link.clone(), self.seed.wrapping_add(number), world.now);
                world.links.insert(address, link);
            }
        }
        let now = world.now;
        self.viewers.push(Viewer {
            session,
            recv,
            receiver: Receiver::default(),
            cameras: Vec::new(),
            round_trip: round_trip_over(link),
            delay: link.delay,
            reports,
            next_feedback: now + FEEDBACK,
            next_report: now + Duration::from_millis(500 + 130 * (number - 100)),
            joins_at: Some(scenario.joins.get(place).copied().unwrap_or_default()),
            viewed: Viewed::default(),
        });
    }

    /// Those join whose time it is.
    fn join_due(&mut self) {
        let since = self.world.now - self.start;
        for place in 0..self.viewers.len() {
            if let Some(at) = self.viewers[place].joins_at.take_if(|at| *at <= since) {
                self.join(place, at);
            }
        }
    }

    /// Gives a viewer a consumer of each microphone and camera.
    fn join(&mut self, place: usize, at: Duration) {
        let Self { scenario, world, room, viewers, producers, .. } = self;
        let Viewer { session, receiver, cameras, viewed, .. } = &mut viewers[place];
        for (publisher, (speech, camera)) in producers.iter().enumerate() {
            if scenario.is_paired && publisher != place {
                continue;
            }
            let heard = world.consume(room, *session, *speech).expect("speech");
            receiver.add(heard.rtp_parameters.encodings[0].ssrc.expect("an SSRC"), false);
            let Some(camera) = camera else { continue };
            let seen = world.consume(room, *session, *camera).expect("a camera");
            let ssrc = seen.rtp_parameters.encodings[0].ssrc.expect("an SSRC");
            receiver.add(ssrc, true);
            cameras.push((seen.consumer, ssrc));
            viewed.pictures.push(Picture::default());
            if scenario.favourite == Some(publisher) {
                let (consumer, priority) = (seen.consumer, NonZeroU8::MAX);
                let command = Command::SetPriority { session: *session, consumer, priority };
                world.command(room, command).expect("a priority");
            }
        }
        viewed.joined = at;
    }

    fn run(mut self) -> Vec<Viewed> {
        let steps = u32::try_from(self.scenario.duration.as_millis()).expect("short");
        for step in 0..steps {
            if step.is_multiple_of(2_500) {
                for place in 0..self.world.peers.len() {
                    let check = self.world.peers[place].check();
                    self.world.send(self.world.peers[place].address, check);
                }
            }
            self.join_due();
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
        self.finish()
    }

    fn send_later(&mut self, at: Instant, peer: usize, datagram: Vec<u8>) {
        self.orders += 1;
        self.later.insert((at, self.orders), (peer, datagram));
    }

    fn publish(&mut self) {
        let now = self.world.now;
        let mut packets = Vec::new();
        let speaker =
            self.scenario.speakers.iter().rfind(|(from, _)| self.start + *from <= now).map(|(_, it)| *it);
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
                let listeners = self.viewers.iter_mut().filter(|viewer| viewer.joins_at.is_none());
                listeners.for_each(|viewer| viewer.viewed.speech_sent += 1);
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

    fn finish(self) -> Vec<Viewed> {
        let Self { scenario, world, viewers, start, .. } = self;
        let finish = |viewer: Viewer| {
            let Viewer { recv, receiver, cameras, mut viewed, .. } = viewer;
            let address = world.peers[recv].address;
            let link = &world.links[world.behind.get(&address).unwrap_or(&address)];
            let ssrcs = cameras.iter().map(|(_, ssrc)| *ssrc);
            viewed.finish(&receiver, link, ssrcs, (start, scenario.duration));
            viewed
        };
        viewers.into_iter().map(finish).collect()
    }
}
