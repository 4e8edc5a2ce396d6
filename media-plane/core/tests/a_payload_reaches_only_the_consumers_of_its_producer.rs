//! Many rooms whose clients all chose the same SSRCs and MIDs, and do this and that in any order:
//! every packet reaches each consumer of its producer once, and nobody else.

use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_peer::{Arrival, KEY_FRAME, MID_ID, Offer, World};
use railgun_protocol::ids::{ConsumerId, ProducerId, SessionId};
use railgun_protocol::media_rpc::{Address, Command, LeaveReason};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::collections::BTreeMap;
use std::time::Duration;

const ROOMS: usize = 24;
const MEMBERS: usize = 3;
const OPERATIONS: u32 = 200_000;
const SOURCES: [Source; 2] = [Source::Mic, Source::Camera];

/// Everything said of a producer here is what the model believes.
struct Producing {
    id: ProducerId,
    offer: Offer,
    tag: u32,
    index: u64,
    paused: bool,
}

struct Consuming {
    id: ConsumerId,
    ssrc: u32,
    tag: u32,
    paused: bool,
}

struct Member {
    room: usize,
    session: SessionId,
    send: usize,
    recv: usize,
    offers: u32,
    producing: [Option<Producing>; 2],
    consuming: Vec<Consuming>,
}

struct Model {
    world: World,
    rng: ChaCha12Rng,
    rooms: Vec<Address>,
    members: Vec<Member>,
    sessions: u128,
    tags: u32,
}

impl Model {
    fn new() -> Self {
        let rooms = (0..ROOMS).map(|number| World::room(&format!("room-{number}"))).collect();
        let rng = ChaCha12Rng::seed_from_u64(81);
        let mut model = Self { world: World::new(81), rng, rooms, members: Vec::new(), sessions: 0, tags: 0 };
        for place in 0..ROOMS * MEMBERS {
            let member = model.join(place / MEMBERS);
            model.members.push(member);
        }
        model
    }

    fn join(&mut self, room: usize) -> Member {
        self.sessions += 1;
        let address = &self.rooms[room];
        let session = self.world.join(address, self.sessions, Tier::Pro);
        let send = self.world.connect(address, session, Send);
        let recv = self.world.connect(address, session, Recv);
        Member { room, session, send, recv, offers: 0, producing: [None, None], consuming: Vec::new() }
    }

    /// The model forgets a producer, and whoever consumed it.
    fn forget(&mut self, tag: u32) {
        self.members.iter_mut().for_each(|member| member.consuming.retain(|it| it.tag != tag));
    }

    fn rejoin(&mut self, place: usize) {
        let room = self.members[place].room;
        let (session, reason) = (self.members[place].session, LeaveReason::Left);
        self.world.command(&self.rooms[room], Command::Leave { session, reason, attachment: None }).unwrap();
        let tags: Vec<u32> = self.members[place].producing.iter().flatten().map(|it| it.tag).collect();
        tags.into_iter().for_each(|tag| self.forget(tag));
        self.members[place] = self.join(room);
    }

    fn produce_or_close(&mut self, place: usize, source: usize) {
        let member = &mut self.members[place];
        let (room, session) = (&self.rooms[member.room], member.session);
        if let Some(old) = member.producing[source].take() {
            self.world.command(room, Command::CloseProducer { session, producer: old.id }).unwrap();
            return self.forget(old.tag);
        }
        if member.offers == 250 {
            return;
        }
        let offer = Offer::new(SOURCES[source], member.offers);
        member.offers += 1;
        let id = self.world.produce(room, session, member.send, &offer).unwrap();
        self.tags += 1;
        let (tag, index) = (self.tags, 100);
        member.producing[source] = Some(Producing { id, offer, tag, index, paused: false });
    }

    fn consume(&mut self, place: usize, of: usize, source: usize) {
        let room = self.members[place].room;
        let of = &self.members[room * MEMBERS + of];
        let Some(producing) = &of.producing[source] else { return };
        if of.session == self.members[place].session {
            return;
        }
        let (id, tag) = (producing.id, producing.tag);
        let consumer = self.world.consume(&self.rooms[room], self.members[place].session, id).unwrap();
        let ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
        let consuming = &mut self.members[place].consuming;
        // Who consumes again has a new consumer in place of the old one.
        consuming.retain(|it| it.tag != tag);
        consuming.push(Consuming { id: consumer.consumer, ssrc, tag, paused: false });
    }

    fn toggle_consumer(&mut self, place: usize, which: usize) {
        let member = &mut self.members[place];
        let (room, session) = (&self.rooms[member.room], member.session);
        let Some(it) = member.consuming.get_mut(which) else { return };
        it.paused = !it.paused;
        let consumer = it.id;
        let command = match it.paused {
            true => Command::PauseConsumer { session, consumer },
            false => Command::ResumeConsumer { session, consumer },
        };
        self.world.command(room, command).unwrap();
    }

    fn toggle_producer(&mut self, place: usize, source: usize) {
        let member = &mut self.members[place];
        let (room, session) = (&self.rooms[member.room], member.session);
        let Some(it) = &mut member.producing[source] else { return };
        it.paused = !it.paused;
        let producer = it.id;
        let command = match it.paused {
            true => Command::PauseProducer { session, producer },
            false => Command::ResumeProducer { session, producer },
        };
        self.world.command(room, command).unwrap();
    }

    /// Sends a packet and compares who got it with who should; how many did.
    fn packet(&mut self, place: usize, source: usize) -> usize {
        let member = &mut self.members[place];
        let Some(it) = &mut member.producing[source] else { return 0 };
        let header = HeaderWriter {
            marker: true,
            payload_type: it.offer.payload_type,
            sequence: u16::try_from(it.index & 0xffff).unwrap(),
            timestamp: u32::try_from(it.index).unwrap() * 960,
            ssrc: it.offer.ssrc,
        };
        let payload = [&KEY_FRAME[..], &it.tag.to_be_bytes()].concat();
        let mid = [(MID_ID, it.offer.mid.as_bytes())];
        let packet = self.world.peers[member.send].seal_rtp(header, it.index, &mid, &payload);
        it.index += 1;
        let (tag, paused) = (it.tag, it.paused);
        self.world.send(self.world.peers[member.send].address, packet);

        let live = |member: &Member| {
            let consumer = member.consuming.iter().find(|it| it.tag == tag && !it.paused && !paused);
            consumer.map(|it| (member.recv, it.ssrc))
        };
        let expected: BTreeMap<usize, u32> = self.members.iter().filter_map(live).collect();
        let mut got = BTreeMap::new();
        for (peer, arrival) in self
            .world
            .peers
            .iter_mut()
            .enumerate()
            .flat_map(|(n, it)| it.arrivals.drain(..).map(move |a| (n, a)))
        {
            match arrival {
                Arrival::Rtp(packet) => {
                    let header = RtpHeader::parse(&packet).unwrap();
                    assert_eq!(packet[header.header_len..], payload, "somebody else's payload");
                    assert_eq!(got.insert(peer, header.ssrc), None, "twice to one peer");
                }
                Arrival::Unopened(_) => panic!("sealed for somebody else"),
                Arrival::Rtcp(_) | Arrival::Stun(_) => {}
            }
        }
        assert_eq!(got, expected, "consumers of {tag}");
        got.len()
    }

    fn check_all(&mut self) {
        for place in 0..self.members.len() {
            for peer in [self.members[place].send, self.members[place].recv] {
                let check = self.world.peers[peer].check();
                self.world.send(self.world.peers[peer].address, check);
            }
        }
    }
}

#[test]
fn however_clients_of_equal_ssrcs_and_mids_come_and_go() {
    let mut model = Model::new();
    let mut delivered = 0;
    for operation in 0..OPERATIONS {
        let place = model.rng.random_range(0..model.members.len());
        let (other, source) = (model.rng.random_range(0..MEMBERS), model.rng.random_range(0..2));
        match model.rng.random_range(0..4_000) {
            0 => model.rejoin(place),
            1..20 => model.produce_or_close(place, source),
            20..300 => model.consume(place, other, source),
            300..400 => model.toggle_consumer(place, other),
            400..440 => model.toggle_producer(place, source),
            _ => delivered += model.packet(place, source),
        }
        if operation % 50 == 0 {
            model.world.advance(Duration::from_millis(5));
        }
        if operation % 20_000 == 0 {
            model.check_all();
        }
    }
    assert!(delivered > 50_000, "only {delivered} packets were to be delivered");
}
