//! Rooms of eight: everybody talks to everybody, some with a camera, on a schedule without bursts
//! across people. One of each room listens for all. Time of sending travels as the RTP timestamp,
//! which the node passes on.

use super::node::Node;
use super::pace::Pace;
use super::wire::{Client, Run, Wire};
use crate::histogram::{Histogram, micros};
use anyhow::{Context, Result, bail, ensure};
use railgun_media_core::packet::kind::{Kind, classify};
use railgun_peer::{MID_ID, Offer, Peer, World};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Address, Command, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{self, Recv, Send};
use std::net::{SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

pub(super) const PEOPLE_PER_ROOM: usize = 8;
const AUDIO_EVERY: Duration = Duration::from_millis(20);
const AUDIO_BYTES: usize = 150;
/// 30 frames a second of four packets: 1.06 Mbit/s.
const FRAME_EVERY: Duration = Duration::from_micros(33_333);
const FRAME_PACKETS: u64 = 4;
const VIDEO_BYTES: usize = 1100;
/// Each transport's ICE check, as browsers send them.
const CHECK_EVERY: Duration = Duration::from_secs(4);
const HANDSHAKES_TIMEOUT: Duration = Duration::from_secs(20);
/// Ports of a client's two transports.
const PORTS: [u16; 2] = [5000, 5001];

/// What was sent and what came during one measurement.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// What all consumers should have got.
    pub(super) asked: u64,
    /// What the consumers of those who listen should have got, and did.
    pub(super) expected: u64,
    pub(super) received: u64,
    /// From sending to receiving, in us.
    pub(super) latency: Histogram,
    pub(super) wall: Duration,
    pub(super) node_cpu_ns: u64,
    /// Messages that were not read soon enough: the generator's fault.
    pub(super) overruns: u64,
    /// How long the generator stood still, in all.
    pub(super) paused: Duration,
}

pub(super) struct Crowd {
    node: Node,
    wire: Wire,
    origin: Instant,
    pub(super) has_video: bool,
    people: Vec<Person>,
    batch: Vec<u8>,
}

struct Person {
    session: SessionId,
    /// For sending and for receiving.
    peers: [Peer; 2],
    mic: Stream,
    camera: Option<Stream>,
}

struct Stream {
    offer: Offer,
    /// Roll-over counter and sequence number of the next packet.
    next: u64,
}

/// What is done for one person after another, each once in `every`.
struct Turn {
    every: Duration,
    done: u64,
}

impl Turn {
    fn new(every: Duration) -> Self {
        Self { every, done: 0 }
    }

    /// Whose turn it is `since` the start, if anybody's.
    fn next(&mut self, since: Duration, people: usize) -> Option<usize> {
        if since < self.every.mul_f64(self.done as f64 / people as f64) {
            return None;
        }
        self.done += 1;
        Some(usize::try_from(self.done - 1).ok()? % people)
    }
}

impl Crowd {
    pub(super) fn new(node: Node, wire: Wire, has_video: bool) -> Self {
        Self { node, wire, origin: Instant::now(), has_video, people: Vec::new(), batch: Vec::new() }
    }

    pub(super) fn rooms(&self) -> usize {
        self.people.len() / PEOPLE_PER_ROOM
    }

    /// Fills rooms until there are so many.
    pub(super) fn grow_to(&mut self, rooms: usize) -> Result<()> {
        while self.rooms() < rooms {
            self.open_room()?;
            // Nobody shall lose consent while the others join.
            if self.rooms().is_multiple_of(10) {
                for person in 0..self.people.len() {
                    self.check(person)?;
                }
            }
        }
        Ok(())
    }

    fn open_room(&mut self) -> Result<()> {
        let room = World::room(&format!("room-{}", self.rooms()));
        let first = self.people.len();
        for _ in 0..PEOPLE_PER_ROOM {
            self.join(&room)?;
        }
        self.handshakes(first)?;
        let mut producers = Vec::new();
        for place in first..self.people.len() {
            let person = &self.people[place];
            for stream in [Some(&person.mic), person.camera.as_ref()].into_iter().flatten() {
                let offer = &stream.offer;
                let command = Command::Produce {
                    session: person.session,
                    transport: person.peers[0].id,
                    kind: offer.source.kind(),
                    source: offer.source,
                    rtp_parameters: Box::new(offer.parameters.clone()),
                };
                let Reply::Produced { producer, .. } = self.node.command(&room, command)? else {
                    bail!("no producer")
                };
                producers.push((place, producer));
            }
        }
        for place in first..self.people.len() {
            let session = self.people[place].session;
            for (_, producer) in producers.iter().copied().filter(|(owner, _)| *owner != place) {
                let command = Command::Consume { session, transport: None, producer, rtp_capabilities: None };
                let Reply::Consumed(description) = self.node.command(&room, command)? else {
                    bail!("no consumer")
                };
                let command = Command::ResumeConsumer { session, consumer: description.consumer };
                self.node.command(&room, command)?;
            }
        }
        Ok(())
    }

    fn join(&mut self, room: &Address) -> Result<()> {
        let number = u32::try_from(self.people.len())?;
        let mut request = World::join_request(u128::from(number) + 1, Tier::Pro);
        request.limits.video_publishers = u16::try_from(PEOPLE_PER_ROOM)?;
        let session = request.session;
        self.node.command(room, Command::Join(Box::new(request)))?;
        let peers =
            [self.transport(room, session, Send, number)?, self.transport(room, session, Recv, number)?];
        let stream = |source, place| Stream { offer: Offer::new(source, number * 4 + place), next: 1000 };
        let camera = self.has_video.then(|| stream(Source::Camera, 1));
        self.people.push(Person { session, peers, mic: stream(Source::Mic, 0), camera });
        Ok(())
    }

    fn transport(
        &mut self,
        room: &Address,
        session: SessionId,
        direction: TransportDirection,
        number: u32,
    ) -> Result<Peer> {
        let reply = self.node.command(room, Command::CreateTransport { session, direction })?;
        let Reply::TransportCreated { transport, parameters, .. } = reply else { bail!("no transport") };
        let port = PORTS[usize::from(direction == Recv)];
        let address = Wire::address(client(number.try_into()?)?, port);
        let seed = 2 * u64::from(number) + u64::from(port);
        let mut peer = Peer::new(transport, SocketAddr::V4(address), &parameters, seed, Instant::now());
        let dtls = peer.dtls_parameters();
        self.node.command(room, Command::ConnectTransport { session, transport, dtls })?;
        peer.start(Instant::now());
        Ok(peer)
    }

    /// Until everybody from `first` on is connected both ways.
    fn handshakes(&mut self, first: usize) -> Result<()> {
        let started = Instant::now();
        // Room for answers.
        while self.wire.read_unheard()?.is_some() {}
        loop {
            let mut is_done = true;
            for peer in self.people[first..].iter_mut().flat_map(|person| &mut person.peers) {
                peer.handle_timeout(Instant::now());
                is_done &= peer.is_connected();
                for datagram in peer.take_outgoing() {
                    self.wire.write(ipv4(peer.address)?, self.node.port, datagram.len(), &datagram)?;
                }
            }
            if is_done {
                return Ok(());
            }
            ensure!(started.elapsed() < HANDSHAKES_TIMEOUT, "no handshakes");
            let people = &mut self.people;
            while let Some(run) = self.wire.read()? {
                answer(people, &run);
            }
            while let Some(run) = self.wire.read_unheard()? {
                answer(people, &run);
            }
        }
    }

    /// Everybody in the first `rooms` talks for so long.
    pub(super) fn talk(&mut self, rooms: usize, lasting: Duration) -> Result<Figures> {
        let people = rooms * PEOPLE_PER_ROOM;
        let mut figures = Figures::default();
        let (cpu, overruns) = (self.node.cpu_ns()?, Wire::overruns()?);
        let (mut audio, mut video, mut checks) =
            (Turn::new(AUDIO_EVERY), Turn::new(FRAME_EVERY), Turn::new(CHECK_EVERY));
        let start = Instant::now();
        let mut pace = Pace::new(start);
        loop {
            let now = Instant::now();
            pace.look(now);
            // Who stood still goes on from there: a burst of all that is late is nobody's doing.
            let since = now - start - pace.paused();
            if now - start >= lasting {
                break;
            }
            if let Some(person) = audio.next(since, people) {
                self.say(person, &mut figures)?;
            }
            if self.has_video
                && let Some(person) = video.next(since, people)
            {
                self.show(person, &mut figures)?;
            }
            // The silent rooms keep their consent too.
            if let Some(person) = checks.next(since, self.people.len()) {
                self.check(person)?;
            }
            self.listen(&mut pace, &mut figures)?;
        }
        figures.wall = start.elapsed();
        figures.node_cpu_ns = self.node.cpu_ns()? - cpu;
        figures.paused = pace.paused();
        let quiet = Instant::now();
        while quiet.elapsed() < Duration::from_millis(100) {
            self.listen(&mut pace, &mut figures)?;
        }
        figures.overruns = Wire::overruns()? - overruns;
        self.node.drain();
        Ok(figures)
    }

    fn say(&mut self, person: usize, figures: &mut Figures) -> Result<()> {
        let timestamp = self.clock();
        let Person { peers: [peer, _], mic, .. } = &mut self.people[person];
        let packet = mic.packet(peer, timestamp, true, &[5; AUDIO_BYTES]);
        self.wire.write(ipv4(peer.address)?, self.node.port, packet.len(), &packet)?;
        figures.ask(person, 1);
        Ok(())
    }

    /// A frame of the person's camera. The first is a key frame, as is one in a hundred.
    fn show(&mut self, person: usize, figures: &mut Figures) -> Result<()> {
        let timestamp = self.clock();
        let Person { peers: [peer, _], camera: Some(camera), .. } = &mut self.people[person] else {
            return Ok(());
        };
        let picture = camera.next / FRAME_PACKETS;
        let [.., high, low] = picture.to_be_bytes();
        let key = u8::from(!(picture - 1000 / FRAME_PACKETS).is_multiple_of(100));
        self.batch.clear();
        let mut segment = 0;
        for place in 1..=FRAME_PACKETS {
            let mut payload = [7; VIDEO_BYTES];
            // RFC 7741: extended, start of partition 0, a 15-bit picture id; then a frame's first byte.
            let first = if place == 1 { 0x90 } else { 0x80 };
            payload[..5].copy_from_slice(&[first, 0x80, 0x80 | high, low, 0x50 | key]);
            let packet = camera.packet(peer, timestamp, place == FRAME_PACKETS, &payload);
            segment = packet.len();
            self.batch.extend_from_slice(&packet);
        }
        self.wire.write(ipv4(peer.address)?, self.node.port, segment, &self.batch)?;
        figures.ask(person, FRAME_PACKETS);
        Ok(())
    }

    fn check(&mut self, person: usize) -> Result<()> {
        for peer in &mut self.people[person].peers {
            let check = peer.check();
            self.wire.write(ipv4(peer.address)?, self.node.port, check.len(), &check)?;
        }
        Ok(())
    }

    /// Counts what the node has sent to those who listen.
    fn listen(&mut self, pace: &mut Pace, figures: &mut Figures) -> Result<()> {
        while let Some(run) = self.wire.read()? {
            // One look at the clock a message: what is in it left together.
            let now = Instant::now();
            pace.look(now);
            let micros = micros(now - self.origin);
            for datagram in run.datagrams() {
                let media = datagram.get(..12).filter(|_| classify(datagram) == Some(Kind::Rtp));
                let Some([_, _, _, _, a, b, c, d, ..]) = media else { continue };
                figures.received += 1;
                if pace.is_on_time() {
                    figures.latency.add(micros.wrapping_sub(u32::from_be_bytes([*a, *b, *c, *d])));
                }
            }
        }
        pace.caught_up();
        Ok(())
    }

    fn clock(&self) -> u32 {
        micros(self.origin.elapsed())
    }

    pub(super) fn stop(self) {
        self.node.stop();
    }
}

impl Stream {
    fn packet(&mut self, peer: &Peer, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
        let index = self.next;
        self.next += 1;
        let header = self.offer.header(index, timestamp, marker);
        peer.seal_rtp(header, index, &[(MID_ID, self.offer.mid.as_bytes())], payload)
    }
}

impl Figures {
    /// `person` has sent so many packets.
    fn ask(&mut self, person: usize, packets: u64) {
        self.asked += packets * (PEOPLE_PER_ROOM as u64 - 1);
        if !listens(person) {
            self.expected += packets;
        }
    }
}

fn answer(people: &mut [Person], run: &Run<'_>) {
    let person = Wire::client(run.to).and_then(|client| people.get_mut(person(client)));
    let Some(person) = person else { return };
    let peer = &mut person.peers[usize::from(run.to.port() == PORTS[1])];
    if !peer.is_connected() {
        run.datagrams().for_each(|datagram| peer.receive(datagram, Instant::now()));
    }
}

/// One of each room, in each room another, since the first consumer is served before the last.
fn listens(person: usize) -> bool {
    let (room, place) = (person / PEOPLE_PER_ROOM, person % PEOPLE_PER_ROOM);
    room % PEOPLE_PER_ROOM == place
}

fn client(person: usize) -> Result<Client> {
    let place = u16::try_from(person).context("more clients than addresses")?;
    Ok(if listens(person) { Client::Heard(place) } else { Client::Unheard(place) })
}

fn person(client: Client) -> usize {
    let (Client::Heard(place) | Client::Unheard(place)) = client;
    place.into()
}

fn ipv4(address: SocketAddr) -> Result<SocketAddrV4> {
    let SocketAddr::V4(address) = address else { bail!("an IPv6 client") };
    Ok(address)
}
