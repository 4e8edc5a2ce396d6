//! A camera in three encodings of three temporal layers, its network, and what one consumer gets.

use railgun_media_core::packet::rtcp::{RtcpPacket, SenderInfo, parse_compound, write_sender_report};
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_peer::{Arrival, MID_ID, Offer, RID_ID, World};
use railgun_protocol::ids::{ConsumerId, ProducerId, SessionId};
use railgun_protocol::media_rpc::{Address, Command};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::ConsumerLayers;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::collections::BTreeSet;
use std::time::Duration;

const FRAME: Duration = Duration::from_millis(33);
const TICKS: u32 = 2970;
/// Bytes of the payload descriptor with all of its fields.
const DESCRIPTOR: usize = 6;

/// One encoding as its encoder sends it, with numbers of its own.
pub(crate) struct Layer {
    pub(crate) is_sent: bool,
    place: u8,
    ssrc: u32,
    index: u64,
    timestamp: u32,
    picture: u16,
    tl0: u8,
    owes_key_frame: bool,
    number: u32,
    /// Frames since the key frame, which says what temporal layer one is of.
    since_key: u32,
    /// The last frame of each temporal layer.
    last: [u32; 3],
}

/// One packet as the consumer got it. What it says of its frame was tagged into the payload.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) index: u64,
    pub(crate) timestamp: u32,
    pub(crate) picture: u16,
    pub(crate) tl0: u8,
    pub(crate) temporal: u8,
    pub(crate) is_key: bool,
    pub(crate) layer: u8,
    pub(crate) part: u8,
    pub(crate) parts: u8,
    pub(crate) number: u32,
    pub(crate) needs: Vec<u32>,
}

/// What happens to packets on their way to the node, in percent.
pub(crate) struct Network {
    pub(crate) is_faulty: bool,
    /// Frames, by encoding and number, that lost a packet or had one come late.
    pub(crate) damaged: BTreeSet<(u8, u32)>,
    rng: ChaCha12Rng,
    lost: u8,
    doubled: u8,
    late: u8,
    /// Packets that are on their way, each behind so many others.
    held: Vec<(u8, Vec<u8>)>,
}

impl Network {
    pub(crate) fn new(seed: u64, lost: u8, doubled: u8, late: u8) -> Self {
        let rng = ChaCha12Rng::seed_from_u64(seed);
        Self { is_faulty: true, damaged: BTreeSet::new(), rng, lost, doubled, late, held: Vec::new() }
    }

    /// What arrives now that this packet, one of the frame, was sent.
    fn carry(&mut self, frame: (u8, u32), packet: Vec<u8>) -> Vec<Vec<u8>> {
        let mut arriving = Vec::new();
        for (behind, _) in &mut self.held {
            *behind = behind.saturating_sub(1);
        }
        let mut dice = || if self.is_faulty { self.rng.random_range(0..100u8) } else { 100 };
        let (lost, doubled, late) = (dice() < self.lost, dice() < self.doubled, dice() < self.late);
        if lost || late {
            self.damaged.insert(frame);
        }
        if doubled {
            arriving.push(packet.clone());
        }
        if late && !lost {
            self.held.push((self.rng.random_range(1..=10), packet));
        } else if !lost {
            arriving.push(packet);
        }
        let (due, held): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|(behind, _)| *behind == 0);
        self.held = held;
        arriving.extend(due.into_iter().map(|(_, packet)| packet));
        arriving
    }
}

pub(crate) struct Camera {
    pub(crate) network: Network,
    pub(crate) layers: Vec<Layer>,
    world: World,
    room: Address,
    talker: SessionId,
    listener: SessionId,
    producer: ProducerId,
    consumer: ConsumerId,
    consumer_ssrc: u32,
    send: usize,
    recv: usize,
    offer: Offer,
    frames: u64,
    /// Of the consumer's stream.
    newest: Option<u64>,
    seen: Vec<Seen>,
}

impl Camera {
    pub(crate) fn new(network: Network) -> Self {
        let mut world = World::new(4);
        let room = World::room("simulcast");
        let talker = world.join(&room, 1, Tier::Pro);
        let listener = world.join(&room, 2, Tier::Free);
        let send = world.connect(&room, talker, Send);
        let recv = world.connect(&room, listener, Recv);
        let mut offer = Offer::simulcast(5, 3);
        for encoding in &mut offer.parameters.encodings {
            encoding.scalability_mode = Some("L1T3".into());
        }
        let producer = world.produce(&room, talker, send, &offer).unwrap();
        let described = world.consume(&room, listener, producer).unwrap();
        let layer = |place: u8| Layer {
            is_sent: true,
            place,
            ssrc: 0x5000 + u32::from(place),
            index: 65_500 - 60 * u64::from(place),
            timestamp: 0xffff_f000u32.wrapping_mul(u32::from(place) + 1),
            picture: 32_700 + 11 * u16::from(place),
            tl0: 250 - place,
            owes_key_frame: true,
            number: 0,
            since_key: 0,
            last: [0; 3],
        };
        Self {
            network,
            layers: (0..3).map(layer).collect(),
            consumer: described.consumer,
            consumer_ssrc: described.rtp_parameters.encodings[0].ssrc.unwrap(),
            world,
            room,
            talker,
            listener,
            producer,
            send,
            recv,
            offer,
            frames: 0,
            newest: None,
            seen: Vec::new(),
        }
    }

    pub(crate) fn prefer(&mut self, spatial: u8, temporal: Option<u8>) {
        let layers = ConsumerLayers { spatial_layer: spatial, temporal_layer: temporal };
        self.command(Command::SetPreferredLayers { session: self.listener, consumer: self.consumer, layers });
    }

    pub(crate) fn pause_consumer(&mut self, paused: bool) {
        let (session, consumer) = (self.listener, self.consumer);
        self.command(match paused {
            true => Command::PauseConsumer { session, consumer },
            false => Command::ResumeConsumer { session, consumer },
        });
    }

    pub(crate) fn pause_producer(&mut self, paused: bool) {
        let (session, producer) = (self.talker, self.producer);
        self.command(match paused {
            true => Command::PauseProducer { session, producer },
            false => Command::ResumeProducer { session, producer },
        });
    }

    fn command(&mut self, command: Command) {
        self.world.command(&self.room, command).unwrap();
    }

    /// One frame of each encoding that is being sent, a key frame where one was asked for.
    pub(crate) fn frame(&mut self) {
        if self.frames.is_multiple_of(300) {
            for place in [self.send, self.recv] {
                let check = self.world.peers[place].check();
                self.world.send(self.world.peers[place].address, check);
            }
        }
        self.frames += 1;
        self.answer_requests();
        for place in 0..self.layers.len() {
            if self.layers[place].is_sent {
                self.encode(place);
            }
            let layer = &mut self.layers[place];
            layer.timestamp = layer.timestamp.wrapping_add(TICKS);
        }
        self.world.advance(FRAME);
        self.collect();
    }

    fn encode(&mut self, place: usize) {
        let parts = 1 + self.network.rng.random_range(0..3u8);
        let rid = format!("r{place}");
        let elements = [(MID_ID, self.offer.mid.as_bytes()), (RID_ID, rid.as_bytes())];
        let payloads = self.layers[place].payloads(parts);
        let layer = &mut self.layers[place];
        let frame = (layer.place, layer.number);
        for (part, payload) in (0..).zip(payloads) {
            let header = HeaderWriter {
                marker: part + 1 == parts,
                payload_type: self.offer.payload_type,
                sequence: (layer.index & 0xffff) as u16,
                timestamp: layer.timestamp,
                ssrc: layer.ssrc,
            };
            let packet = self.world.peers[self.send].seal_rtp(header, layer.index, &elements, &payload);
            layer.index += 1;
            for packet in self.network.carry(frame, packet) {
                self.world.send(self.world.peers[self.send].address, packet);
            }
        }
    }

    fn answer_requests(&mut self) {
        for arrival in std::mem::take(&mut self.world.peers[self.send].arrivals) {
            let Arrival::Rtcp(compound) = arrival else { continue };
            for packet in parse_compound(&compound).unwrap() {
                let RtcpPacket::Pli(pli) = packet else { continue };
                let asked = self.layers.iter_mut().find(|layer| layer.ssrc == pli.media_ssrc);
                asked.expect("one of the layers").owes_key_frame = true;
            }
        }
    }

    /// Sender reports: the encodings' timestamps of one moment.
    pub(crate) fn report(&mut self) {
        let ntp = (100 << 32) + (self.frames << 32) * 33 / 1_000;
        for layer in self.layers.iter().filter(|layer| layer.is_sent) {
            let info = SenderInfo { ssrc: layer.ssrc, ntp, rtp_time: layer.timestamp, packets: 1, octets: 1 };
            let mut message = [0; 100];
            let len = write_sender_report(&mut message, &info, &[]).unwrap();
            let sealed = self.world.peers[self.send].seal_rtcp(&message[..len]);
            self.world.send(self.world.peers[self.send].address, sealed);
        }
    }

    fn collect(&mut self) {
        for arrival in std::mem::take(&mut self.world.peers[self.recv].arrivals) {
            let packet = match arrival {
                Arrival::Rtp(packet) => packet,
                Arrival::Unopened(_) => panic!("an index was given twice, or wrongly"),
                Arrival::Rtcp(_) | Arrival::Stun(_) => continue,
            };
            let header = RtpHeader::parse(&packet).unwrap();
            assert_eq!(header.ssrc, self.consumer_ssrc);
            let newest = self.newest.unwrap_or_else(|| header.sequence.into());
            let [.., high, low] = newest.to_be_bytes();
            let step = header.sequence.wrapping_sub(u16::from_be_bytes([high, low])).cast_signed();
            let index = newest.checked_add_signed(step.into()).expect("an index");
            self.newest = Some(newest.max(index));
            self.seen.push(Seen::read(index, header.timestamp, &packet[header.header_len..]));
        }
    }

    pub(crate) fn seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }
}

impl Layer {
    /// The next frame in so many packets. Temporal layers go 0 2 1 2 from a key frame on; only
    /// every other frame of layer 1 needs layer 0 alone, and of layer 2 the first of a pair.
    fn payloads(&mut self, parts: u8) -> Vec<Vec<u8>> {
        self.number += 1;
        let is_key = std::mem::take(&mut self.owes_key_frame);
        self.since_key = if is_key { 0 } else { self.since_key + 1 };
        let [base, middle, _] = self.last;
        let (temporal, sync, needs) = match self.since_key % 8 {
            _ if is_key => (0, false, vec![]),
            0 | 4 => (0, false, vec![base]),
            2 => (1, true, vec![base]),
            6 => (1, false, vec![base, middle]),
            1 | 5 => (2, true, vec![base]),
            _ => (2, false, vec![base, middle]),
        };
        self.last[usize::from(temporal)] = self.number;
        self.picture = (self.picture + 1) & 0x7fff;
        self.tl0 = self.tl0.wrapping_add(u8::from(temporal == 0));
        let [high, low] = self.picture.to_be_bytes();
        let part = |part: u8| {
            let start = if part == 0 { 0x90 } else { 0x80 };
            let layer = temporal << 6 | u8::from(sync) << 5;
            let mut payload = vec![start, 0xe0, 0x80 | high, low, self.tl0, layer, u8::from(!is_key)];
            payload.extend([self.place, temporal, u8::from(is_key), part, parts]);
            payload.extend(self.number.to_be_bytes());
            payload.extend(needs.iter().flat_map(|number: &u32| number.to_be_bytes()));
            payload
        };
        (0..parts).map(part).collect()
    }
}

impl Seen {
    fn read(index: u64, timestamp: u32, payload: &[u8]) -> Self {
        let [layer, temporal, is_key, part, parts] = payload[DESCRIPTOR + 1..DESCRIPTOR + 6] else {
            unreachable!("a range of five")
        };
        let mut numbers = payload[DESCRIPTOR + 6..].chunks_exact(4);
        let mut number = || numbers.next().map(|it| u32::from_be_bytes([it[0], it[1], it[2], it[3]]));
        Self {
            index,
            timestamp,
            picture: u16::from_be_bytes([payload[2] & 0x7f, payload[3]]),
            tl0: payload[4],
            temporal,
            is_key: is_key == 1,
            layer,
            part,
            parts,
            number: number().expect("the frame's"),
            needs: std::iter::from_fn(number).collect(),
        }
    }
}
