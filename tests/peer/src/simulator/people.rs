//! Several calls of one node in virtual time, whose people both send and receive, each over an uplink and a downlink
//! of its own: what the node and the clients say of it, as a replica hears it.

use super::publisher::Publisher;
use super::viewer::Receiver;
use super::{
    AUDIO, AUDIO_BYTES, Address, Arrival, LayerSpec, Link, LinkConfig, MID_ID, Offer, World, camera_of,
};
use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Audience, Command, Event, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{Source, Stats, StatsReport};
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Steps of the simulation, in milliseconds; arrivals at a client are exact.
const STEP_MS: u32 = 2;
/// Between two looks of a replica at a session, and between two reports of a client.
const LOOK_MS: u32 = 10_000;
/// Between two ICE checks of a client.
const CHECK_MS: u32 = 2_500;
/// Datagrams of this size that a worker's socket holds: 4 MiB, as the kernel accounts them.
const SOCKET_DATAGRAMS: usize = 1_800;
/// A camera of 15 pictures a second in three layers, as Chromium sends 640x360.
const CAMERA: [u64; 3] = [100_000, 250_000, 600_000];

/// Somebody in a call.
#[derive(Clone, Debug)]
pub struct Person {
    pub up: LinkConfig,
    pub down: LinkConfig,
    /// Its media go through a TURN relay, whose part is in the links.
    pub is_relayed: bool,
    pub has_camera: bool,
    pub is_muted: bool,
    /// CPU time that its encoder needs, as a share of what the device has.
    pub cpu: f64,
    /// An open microphone gives packets.
    pub has_microphone: bool,
}

/// What changes in a call.
#[derive(Clone, Debug)]
pub enum Change {
    /// Of the person with this number.
    Person(usize, Box<Person>),
    /// The worker gets no CPU for so long at a time, in the mean, and then does all that waits.
    Pauses(Duration),
}

/// What a replica hears.
#[derive(Clone, Debug)]
pub enum Said {
    Sampled(usize, Box<Stats>),
    Reported(usize, StatsReport),
    Told(usize, Event),
    /// Packets forwarded, datagrams dropped, their lateness in microseconds, and of how many that is; each so far.
    Worked([u64; 4]),
}

/// What a link did to datagrams of one person since the first change.
#[derive(Clone, Copy, Debug, Default)]
pub struct Suffered {
    pub lost: u64,
    /// Of all that were sent.
    pub loss: f64,
    /// Mean time that a datagram took, above that before the change.
    pub delay: Duration,
}

/// A link's datagrams so far: taken, lost anywhere, arrived, and the time that those took.
#[derive(Clone, Copy, Debug, Default)]
struct Passage {
    taken: u64,
    lost: u64,
    passed: u64,
    took: Duration,
}

impl Passage {
    fn of(link: &Link) -> Self {
        let Link { taken, lost, dropped, passed, took, .. } = *link;
        Self { taken, lost: lost + dropped, passed, took }
    }

    fn mean(self) -> Duration {
        self.took.checked_div(u32::try_from(self.passed).expect("few")).unwrap_or_default()
    }

    fn suffered_since(self, before: Self) -> Suffered {
        let (lost, taken) = (self.lost - before.lost, self.taken - before.taken);
        let since = Self { took: self.took - before.took, passed: self.passed - before.passed, ..self };
        let loss = if taken > 0 { lost as f64 / taken as f64 } else { 0.0 };
        Suffered { lost, loss, delay: since.mean().saturating_sub(before.mean()) }
    }
}

/// What was said, and what each person's uplink and downlink did.
#[derive(Clone, Debug)]
pub struct Heard {
    pub said: Vec<(Duration, Said)>,
    pub suffered: Vec<[Suffered; 2]>,
}

struct Member {
    person: Person,
    room: Address,
    session: SessionId,
    send: usize,
    recv: usize,
    uplink: Link,
    mic: (Offer, u64),
    camera: Option<Publisher>,
    next_audio: Instant,
    next_picture: Instant,
    receiver: Receiver,
    checked_at: Instant,
    round_trip: Option<(Instant, Duration)>,
    /// Of its streams, as the node reported last.
    fraction_lost: f64,
    totals: (u64, u64),
}

struct Node {
    inbox: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
    pauses: Duration,
    wakes: Instant,
    work: [u64; 4],
}

/// Simulates calls, given by who is in each, with these changes; people are numbered over all calls.
pub fn run(
    rooms: &[Vec<Person>],
    mut changes: VecDeque<(Duration, Change)>,
    duration: Duration,
    seed: u64,
) -> Heard {
    let mut world = World::new(u8::try_from(seed % 251).expect("a byte"));
    let mut members = join(&mut world, rooms, seed);
    let mut rng = ChaCha12Rng::seed_from_u64(seed ^ 0x5eed);
    let start = world.now;
    let (inbox, pauses) = (VecDeque::new(), Duration::ZERO);
    let mut node = Node { inbox, pauses, wakes: start, work: [0; 4] };
    let mut said = Vec::new();
    let mut before = None;
    let steps = u32::try_from(duration.as_millis()).expect("short") / STEP_MS;
    for step in 0..steps {
        let (at, millis) = (world.now - start, step * STEP_MS);
        while changes.front().is_some_and(|(when, _)| *when <= at) {
            before.get_or_insert_with(|| passages(&members, &world));
            match changes.pop_front().expect("a change").1 {
                Change::Pauses(mean) => node.pauses = mean,
                Change::Person(number, person) => members[number].change(*person, &mut world),
            }
        }
        for member in &mut members {
            member.send(&mut world, &mut rng, millis);
            while let Some((source, datagram)) = member.uplink.pop(world.now) {
                if node.inbox.len() < SOCKET_DATAGRAMS {
                    node.inbox.push_back((world.now, source, datagram));
                } else {
                    node.work[1] += 1;
                }
            }
        }
        node.turn(&mut world, &mut rng);
        world.advance(Duration::from_millis(STEP_MS.into()));
        for (number, member) in members.iter_mut().enumerate() {
            member.receive(&mut world, millis, start);
            if (millis + 700 * u32::try_from(number).expect("few")).is_multiple_of(LOOK_MS) && millis > 0 {
                let command = Command::GetStats { session: member.session, transport: None };
                if let Ok(Reply::Stats(stats)) = world.command(&member.room, command) {
                    said.push((at, Said::Sampled(number, stats)));
                }
                said.extend(member.report(world.now).map(|it| (at, Said::Reported(number, it))));
            }
        }
        for event in std::mem::take(&mut world.events) {
            let whose = |member: &Member| event.audience == Audience::Only(member.session);
            if let Some(number) = members.iter().position(whose) {
                said.push((at, Said::Told(number, event.event.clone())));
            }
            if let Event::ProducerLayers { max_spatial, .. } = event.event
                && let Some(member) =
                    members.iter_mut().find(|it| event.audience == Audience::Only(it.session))
                && let Some(camera) = &mut member.camera
            {
                camera.send_up_to(max_spatial);
            }
        }
        if millis > 0 && millis.is_multiple_of(LOOK_MS) {
            node.work[0] = world.engine.counters().forwarded_packets;
            said.push((at, Said::Worked(node.work)));
        }
    }
    let after = passages(&members, &world);
    let before = before.unwrap_or_else(|| vec![Default::default(); after.len()]);
    let since = |(after, before): ([Passage; 2], [Passage; 2])| {
        [after[0].suffered_since(before[0]), after[1].suffered_since(before[1])]
    };
    Heard { said, suffered: after.into_iter().zip(before).map(since).collect() }
}

/// Of each person's uplink and downlink.
fn passages(members: &[Member], world: &World) -> Vec<[Passage; 2]> {
    let down = |member: &Member| {
        let link = world.links.get(&world.peers[member.recv].address);
        link.map_or_else(Passage::default, Passage::of)
    };
    members.iter().map(|member| [Passage::of(&member.uplink), down(member)]).collect()
}

fn join(world: &mut World, rooms: &[Vec<Person>], seed: u64) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::new();
    for (room, people) in rooms.iter().enumerate() {
        let room = World::room(&format!("call-{room}"));
        let first = members.len();
        let mut producers = Vec::new();
        for person in people {
            let number = u32::try_from(members.len()).expect("few");
            let session = world.join(&room, 1 + u128::from(number), Tier::Pro);
            let send = world.connect(&room, session, Send);
            let recv = world.connect(&room, session, Recv);
            let mic = Offer::new(Source::Mic, 10 * number);
            let speech = world.produce(&room, session, send, &mic).expect("speech");
            if person.is_muted {
                let command = Command::PauseProducer { session, producer: speech };
                world.command(&room, command).expect("muted");
            }
            producers.push((number, speech, false));
            let camera = person.has_camera.then(|| {
                let mut offer = Offer::simulcast(10 * number + 1, 3);
                for encoding in &mut offer.parameters.encodings {
                    encoding.scalability_mode = Some("L1T3".into());
                }
                let producer = world.produce(&room, session, send, &offer).expect("a camera");
                producers.push((number, producer, true));
                let layers = CAMERA.map(LayerSpec::new);
                camera_of(offer, &layers, 15, number, seed)
            });
            let phase = Duration::from_millis(u64::from(number) * 7 % 20);
            let now = world.now;
            members.push(Member {
                person: person.clone(),
                room: room.clone(),
                session,
                send,
                recv,
                uplink: Link::new(person.up.clone(), seed.wrapping_add(2 * u64::from(number)), now),
                mic: (mic, 100),
                camera,
                next_audio: now + phase,
                next_picture: now + 3 * phase,
                receiver: Receiver::default(),
                checked_at: now,
                round_trip: None,
                fraction_lost: 0.0,
                totals: (0, 0),
            });
        }
        for member in &mut members[first..] {
            let own = member.session;
            for (number, producer, is_video) in &producers {
                if SessionId::from_bits(1 + u128::from(*number)) == own {
                    continue;
                }
                let got = world.consume(&room, own, *producer).expect("a consumer");
                let ssrc = got.rtp_parameters.encodings[0].ssrc.expect("an SSRC");
                member.receiver.add(ssrc, *is_video);
            }
        }
    }
    for (number, member) in (0u64..).zip(&members) {
        let link = Link::new(member.person.down.clone(), seed.wrapping_add(2 * number + 1), world.now);
        world.links.insert(world.peers[member.recv].address, link);
        // Answers to what goes up come down the same way, with a queue of their own: there are few of them.
        let link = Link::new(member.person.down.clone(), seed.wrapping_add(7_919 * number), world.now);
        world.links.insert(world.peers[member.send].address, link);
    }
    world.events.clear();
    members
}

impl Member {
    fn change(&mut self, person: Person, world: &mut World) {
        self.uplink.change(person.up.clone(), world.now);
        for peer in [self.send, self.recv] {
            if let Some(link) = world.links.get_mut(&world.peers[peer].address) {
                link.change(person.down.clone(), world.now);
            }
        }
        self.person = person;
    }

    /// What the client sends of itself.
    fn send(&mut self, world: &mut World, rng: &mut ChaCha12Rng, millis: u32) {
        let now = world.now;
        if millis.is_multiple_of(CHECK_MS) {
            self.checked_at = now;
            for peer in [self.send, self.recv] {
                let check = world.peers[peer].check();
                self.uplink.push(world.peers[peer].address, check, now);
            }
        }
        let peer = &world.peers[self.send];
        let address = peer.address;
        // A thread that waits for the processor sends late, by what the encoder takes too much of it.
        let wait = (self.person.cpu - 1.0).max(0.0) * 40.0 * rng.random::<f64>();
        if self.next_audio + Duration::from_secs_f64(wait / 1_000.0) <= now {
            self.next_audio += AUDIO;
            let (offer, next) = &mut self.mic;
            let timestamp = u32::try_from((*next * 960) & 0xffff_ffff).expect("32 bits");
            if self.person.has_microphone && !self.person.is_muted {
                let elements = [(MID_ID, offer.mid.as_bytes())];
                let header = offer.header(*next, timestamp, false);
                let packet = peer.seal_rtp(header, *next, &elements, &[5; AUDIO_BYTES]);
                self.uplink.push(address, packet, now);
                *next += 1;
            }
        }
        if let Some(camera) = self.camera.as_mut().filter(|_| self.next_picture <= now) {
            // A device that is too slow gives fewer pictures.
            let slowness = self.person.cpu.max(1.0);
            self.next_picture += camera.interval().mul_f64(slowness);
            for (_, packet) in camera.picture(peer, slowness) {
                self.uplink.push(address, packet, now);
            }
        }
    }

    /// What came to the client, and what it says of that to the node.
    fn receive(&mut self, world: &mut World, millis: u32, start: Instant) {
        let now = world.now;
        for arrival in std::mem::take(&mut world.peers[self.send].arrivals) {
            match arrival {
                Arrival::Stun(_) => self.round_trip = Some((now, now - self.checked_at)),
                Arrival::Rtcp(compound) => self.follow(&compound),
                Arrival::Rtp(_) | Arrival::Unopened(_) => {}
            }
        }
        let peer = &mut world.peers[self.recv];
        for arrival in std::mem::take(&mut peer.arrivals) {
            if let Arrival::Rtp(packet) = arrival {
                self.receiver.take(&packet, now);
            }
        }
        let mut control = Vec::new();
        if millis.is_multiple_of(10) {
            let round_trip = self.round_trip.map_or(Duration::from_millis(100), |(_, it)| it);
            control = self.receiver.requests(round_trip, now);
        }
        if millis.is_multiple_of(50) {
            let arrivals = peer.take_arrivals();
            control.extend(peer.feedback_on(arrivals, start));
        }
        if millis % 1_000 == 500 {
            control.extend(self.receiver.report(|ssrc| peer.last_time(ssrc), now));
        }
        for packet in control {
            let sealed = peer.seal_rtcp(&packet);
            self.uplink.push(peer.address, sealed, now);
        }
    }

    /// Key frames that the node asks for, and what it reports of the streams.
    fn follow(&mut self, compound: &[u8]) {
        for packet in parse_compound(compound).into_iter().flatten() {
            match packet {
                RtcpPacket::Pli(pli) => {
                    if let Some(camera) = &mut self.camera {
                        camera.owe_key_frame(pli.media_ssrc);
                    }
                }
                RtcpPacket::ReceiverReport(report) => {
                    let lost = report.report_blocks().map(|block| f64::from(block.fraction_lost) / 256.0);
                    self.fraction_lost = lost.fold(0.0, f64::max);
                }
                _ => {}
            }
        }
    }

    /// What the client's SDK reports. None: nothing was measured.
    fn report(&mut self, now: Instant) -> Option<StatsReport> {
        let of = self.receiver.streams.iter().map(super::viewer::Stream::totals);
        let totals = of.fold((0, 0), |sum, (lost, came)| (sum.0 + lost, sum.1 + came));
        let before = std::mem::replace(&mut self.totals, totals);
        let (lost, came) = (totals.0.saturating_sub(before.0) as f64, (totals.1 - before.1) as f64);
        let (at, round_trip) = self.round_trip?;
        if now - at > Duration::from_secs(6) {
            return None;
        }
        let rtt = round_trip.as_secs_f64() * 1_000.0;
        let down = if lost + came > 0.0 { 100.0 * lost / (lost + came) } else { 0.0 };
        let loss = down.max(100.0 * self.fraction_lost);
        let voices = self.receiver.streams.iter().filter(|it| !it.is_video);
        let score = 93.2 - rtt * 0.024 - loss * 2.5;
        let mos = match score {
            ..0.0 => 1.0,
            _ => 1.0 + 0.035 * score + 0.000_007 * score * (score - 60.0) * (100.0 - score),
        };
        Some(StatsReport {
            transport: Some(if self.person.is_relayed { "turn" } else { "udp" }.into()),
            rtt: Some(rtt),
            jitter: voices.map(|it| it.jitter_ms()).reduce(f64::max),
            packet_loss: Some(loss),
            mos: Some(mos),
            network_type: None,
            cpu_limited: (self.person.has_camera && self.person.cpu > 1.0).then_some(true),
        })
    }
}

impl Node {
    /// The worker takes what came, if it has a processor.
    fn turn(&mut self, world: &mut World, rng: &mut ChaCha12Rng) {
        world.is_asleep = world.now < self.wakes;
        if world.is_asleep {
            return;
        }
        while let Some((came, source, datagram)) = self.inbox.pop_front() {
            let late = world.now - came;
            self.work[2] += u64::try_from(late.as_micros()).expect("short");
            self.work[3] += 1;
            world.send_late(source, datagram, late);
        }
        if !self.pauses.is_zero() {
            self.wakes = world.now + self.pauses.mul_f64(rng.random_range(0.4..1.6));
        }
    }
}
