//! The engine as a worker of the node drives it: the same sockets, the same calls in the same order.

use super::measure::{Lane, Stepped};
use super::options::{Media, Scenario};
use crate::system::widen_buffers;
use anyhow::{Context, Result, bail, ensure};
use railgun_media::udp::{Receiver, RtcSocket, Sender};
use railgun_media_core::packet::rtp::RtpHeader;
use railgun_media_core::send_batch::SendBatch;
use railgun_media_core::{Datagram, Engine, EngineConfig};
use railgun_peer::{Arrival, Offer, World};
use railgun_protocol::media_rpc::{Command, ConsumerDescription};
use railgun_protocol::plan::Tier;
use railgun_protocol::rtp_parameters::extension_uri;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

/// As the node's worker: what is given to the engine at once.
const DATAGRAMS_AT_ONCE: usize = 64;
/// Consent lasts for half a minute; browsers renew it more often than this.
const CONSENT_RENEWAL: Duration = Duration::from_secs(5);
const BUFFER_BYTES: libc::c_int = 64 << 20;
const FEED_BYTES: usize = 1 << 20;
/// The header extensions that the node writes itself; only video has the last, as in a call.
const WRITTEN: [&str; 3] =
    [extension_uri::MID, extension_uri::ABS_SEND_TIME, extension_uri::TRANSPORT_WIDE_CC];

/// A room with one sender and its consumers, each connected by ICE and DTLS.
pub(super) struct EngineLane {
    world: World,
    talker: usize,
    offer: Offer,
    media: Media,
    payload: usize,
    burst: usize,
    /// Roll-over counter and sequence number of the source's next packet.
    next: u64,
    socket: RtcSocket,
    receiver: Receiver,
    sender: Sender,
    feeder: RtcSocket,
    feed: SendBatch,
    feed_sender: Sender,
    consents_due: Instant,
}

impl EngineLane {
    pub(super) fn new(scenario: &Scenario, destinations: &[SocketAddrV4]) -> Result<Self> {
        let (loopback, any) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv4Addr::UNSPECIFIED));
        let feeder = RtcSocket::bind(loopback, 0..=0)?;
        let socket = RtcSocket::bind(any, 0..=0)?;
        widen_buffers(feeder.as_socket(), BUFFER_BYTES)?;
        widen_buffers(socket.as_socket(), BUFFER_BYTES)?;
        // The machine is measured, not a tier's ceiling.
        let config = EngineConfig { bitrate_headroom_percent: u32::MAX, ..World::config(1) };
        let (mut world, room) = (World::with(config), World::room("bench"));
        let seats = u16::try_from(destinations.len() + 1).context("that many consumers")?;
        let session = |world: &mut World, number: usize, tier| -> Result<_> {
            let mut request = World::join_request(number as u128, tier);
            request.limits.participants = seats;
            let id = request.session;
            world.command(&room, Command::Join(Box::new(request))).map_err(refused)?;
            Ok(id)
        };
        let sending = session(&mut world, 1, Tier::Pro)?;
        let talker = world.connect_from(feeder.address(), &room, sending, Send);
        if world.peers[talker].suite() != Some(scenario.suite) {
            world.use_suite(talker, scenario.suite);
        }
        let source = if scenario.media == Media::Video { Source::Camera } else { Source::Mic };
        let offer = Offer::new(source, 0);
        let producer = world.produce(&room, sending, talker, &offer).map_err(refused)?;
        let mut consumers = Vec::with_capacity(destinations.len());
        for (number, to) in (2..).zip(destinations) {
            let listening = session(&mut world, number, Tier::Free)?;
            let peer = world.connect_from(SocketAddr::V4(*to), &room, listening, Recv);
            if world.peers[peer].suite() != Some(scenario.suite) {
                world.use_suite(peer, scenario.suite);
            }
            consumers.push((peer, world.consume(&room, listening, producer).map_err(refused)?));
        }
        let mut lane = Self {
            world,
            talker,
            offer,
            media: scenario.media,
            payload: scenario.payload,
            burst: scenario.burst,
            next: 1000,
            sender: Sender::new(socket.has_gso()),
            socket,
            receiver: Receiver::default(),
            feed_sender: Sender::new(feeder.has_gso()),
            feeder,
            feed: SendBatch::with_capacity(FEED_BYTES),
            consents_due: Instant::now(),
        };
        lane.verify(&consumers)?;
        Ok(lane)
    }

    /// Two packets, the first a key frame: each consumer must be able to open both, and find the
    /// payload and every extension in them. Forwarding has then begun for all.
    fn verify(&mut self, consumers: &[(usize, ConsumerDescription)]) -> Result<()> {
        for is_key_frame in [true, false] {
            let (packet, payload) = self.next_packet(is_key_frame, true);
            let source = self.world.peers[self.talker].address;
            self.world.peers.iter_mut().for_each(|peer| peer.arrivals.clear());
            self.world.send(source, packet);
            for (peer, description) in consumers {
                let arrivals = self.world.peers[*peer].arrivals.iter();
                let packets = arrivals.filter_map(|arrival| match arrival {
                    Arrival::Rtp(packet) => Some(packet),
                    _ => None,
                });
                let packets: Vec<_> = packets.collect();
                let [packet] = packets[..] else { bail!("a consumer got {} packets of 1", packets.len()) };
                let written = if self.media == Media::Video { &WRITTEN[..] } else { &WRITTEN[..2] };
                check_packet(packet, &payload, description, written)?;
            }
        }
        Ok(())
    }

    /// The source's next packet, sealed, and its payload.
    fn next_packet(&mut self, is_key_frame: bool, marker: bool) -> (Vec<u8>, Vec<u8>) {
        let index = self.next;
        self.next += 1;
        let [.., high, low] = index.to_be_bytes();
        let header = self.offer.header(index, u32::from_be_bytes([0, high, low, 0]), marker);
        let mut payload: Vec<u8> = (0..=u8::MAX).cycle().take(self.payload).collect();
        if self.media == Media::Video {
            // RFC 7741: extended, start of partition 0, a 15-bit picture id; then a frame's first byte.
            let first = if is_key_frame { 0x50 } else { 0x51 };
            for (to, from) in payload.iter_mut().zip([0x90, 0x80, 0x80 | high, low, first]) {
                *to = from;
            }
        }
        let mid = [(self.mid_id(), self.offer.mid.as_bytes())];
        let packet = self.world.peers[self.talker].seal_rtp(header, index, &mid, &payload);
        (packet, payload)
    }

    fn mid_id(&self) -> u8 {
        let mut extensions = self.offer.parameters.header_extensions.iter();
        extensions.find(|extension| extension.uri == extension_uri::MID).map_or(0, |extension| extension.id)
    }

    /// Between runs: each client's ICE check, by which the node knows that it is still there.
    pub(super) fn renew_consents(&mut self) {
        self.world.now = Instant::now();
        if self.world.now < self.consents_due {
            return;
        }
        self.consents_due = self.world.now + CONSENT_RENEWAL;
        for place in 0..self.world.peers.len() {
            let (address, check) = (self.world.peers[place].address, self.world.peers[place].check());
            self.world.send(address, check);
        }
        self.world.peers.iter_mut().for_each(|peer| peer.arrivals.clear());
    }

    /// What the engine forwarded since the start. An error if anything was lost on the way.
    pub(super) fn forwarded(&self) -> Result<u64> {
        let (engine, sent) = (self.world.engine.counters(), self.sender.counters());
        let lost = (engine.dropped_packets, sent.dropped, sent.refused);
        ensure!(lost == (0, 0, 0), "lost (engine, full socket, refused by the kernel): {lost:?}");
        Ok(engine.forwarded_packets)
    }
}

impl Lane for EngineLane {
    fn fill(&mut self) -> Result<()> {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, self.socket.address().port()));
        for place in 1..=self.burst {
            let (packet, _) = self.next_packet(false, place == self.burst);
            self.feed.write(to, packet.len(), |out| {
                out.copy_from_slice(&packet);
                packet.len()
            });
        }
        self.feed_sender.send(&self.feeder, &self.feed);
        self.feed.clear();
        Ok(())
    }

    fn step(&mut self) -> Result<Stepped> {
        let (engine, sender, socket) = (&mut self.world.engine, &mut self.sender, &self.socket);
        let before = engine.counters().forwarded_packets;
        let (mut received, mut stepped) = (0, Stepped::default());
        let give = |datagrams: &mut [Datagram<'_>]| {
            let now = Instant::now();
            received = datagrams.len();
            for part in datagrams.chunks_mut(DATAGRAMS_AT_ONCE) {
                engine.handle_datagrams(part, now, |batch| send(batch, sender, socket, &mut stepped));
                send_rest(engine, sender, socket, &mut stepped);
            }
        };
        self.receiver.receive(socket, give)?;
        ensure!(received == self.burst, "the engine's burst came as {received} datagrams");
        while self.world.engine.poll_notice().is_some() {}
        let now = Instant::now();
        if self.world.engine.poll_timeout().is_some_and(|due| due <= now) {
            self.world.engine.handle_timeout(now);
            send_rest(&mut self.world.engine, &mut self.sender, &self.socket, &mut stepped);
        }
        let forwarded = self.world.engine.counters().forwarded_packets - before;
        stepped.packets = usize::try_from(forwarded)?;
        Ok(stepped)
    }
}

fn send_rest(engine: &mut Engine, sender: &mut Sender, socket: &RtcSocket, stepped: &mut Stepped) {
    let batch = engine.sends();
    if !batch.is_empty() {
        send(batch, sender, socket, stepped);
        batch.clear();
    }
}

fn send(batch: &SendBatch, sender: &mut Sender, socket: &RtcSocket, stepped: &mut Stepped) {
    sender.send(socket, batch);
    stepped.runs += batch.runs().len();
    let datagrams = batch.runs().iter().map(|run| run.len.div_ceil(run.segment));
    stepped.datagrams += datagrams.sum::<usize>();
}

fn check_packet(
    packet: &[u8],
    payload: &[u8],
    description: &ConsumerDescription,
    written: &[&str],
) -> Result<()> {
    let header = RtpHeader::parse(packet)?;
    ensure!(packet.get(header.header_len..) == Some(payload), "a consumer got another payload");
    for uri in written {
        let mut negotiated = description.rtp_parameters.header_extensions.iter();
        let id = negotiated.find(|extension| extension.uri == *uri).map(|extension| extension.id);
        let id = id.with_context(|| format!("not negotiated: {uri}"))?;
        ensure!(header.extension(packet, id).is_some(), "not written: {uri}");
    }
    Ok(())
}

fn refused(error: impl std::fmt::Debug) -> anyhow::Error {
    anyhow::anyhow!("the engine refused: {error:?}")
}
