//! From one system call to the other a forwarded packet allocates nothing, and neither do the
//! reports about it.

use railgun_media::udp::{Receiver, RtcSocket, Sender};
use railgun_media_core::Datagram;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::packet::rtcp::{ReportBlock, write_receiver_report};
use railgun_media_core::send_batch::SendBatch;
use railgun_peer::{MID_ID, Offer, World};
use railgun_protocol::ids::{ProducerId, SessionId};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every call goes to the system's allocator with the caller's own arguments, so its
// guarantees are ours. The counter neither allocates nor has a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from the system's allocator with this layout, as everything here does.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as for `dealloc`; the caller's promise about `size` is handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PEOPLE: u16 = 4;
const TICK: Duration = Duration::from_millis(20);

struct Member {
    id: SessionId,
    /// Places in `world.peers`.
    send: usize,
    recv: usize,
    sources: Vec<(Offer, ProducerId)>,
    /// SSRCs of what it consumes.
    consumed: Vec<u32>,
}

/// One talker and its listeners, behind real sockets; the clock is the test's.
struct Call {
    world: World,
    members: Vec<Member>,
    feeder: RtcSocket,
    feed: SendBatch,
    feed_sender: Sender,
    socket: RtcSocket,
    receiver: Receiver,
    sender: Sender,
    next: u64,
}

impl Call {
    /// `takes_ccfb`: the talker is told what arrived by RFC 8888, else by transport-cc.
    fn new(takes_ccfb: bool) -> Self {
        let (mut world, room) = (World::new(9), World::room("steady"));
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let (feeder, socket) =
            (RtcSocket::bind(loopback, 0..=0).unwrap(), RtcSocket::bind(loopback, 0..=0).unwrap());
        let join = |world: &mut World, number: u16| world.join(&room, number.into(), Tier::Pro);
        let mut members: Vec<Member> = Vec::new();
        for number in 0..PEOPLE {
            let id = join(&mut world, number + 1);
            let from =
                if number == 0 { feeder.address() } else { SocketAddr::new(loopback, 20_000 + number) };
            let send = world.connect_from(from, &room, id, Send);
            let recv = world.connect_from(SocketAddr::new(loopback, 30_000 + number), &room, id, Recv);
            members.push(Member { id, send, recv, sources: Vec::new(), consumed: Vec::new() });
        }
        for (source, number) in [(Source::Mic, 0), (Source::Camera, 1)] {
            let offer = Offer::new(source, number);
            let offer = if takes_ccfb { offer.with_ccfb() } else { offer };
            let producer = world.produce(&room, members[0].id, members[0].send, &offer).unwrap();
            members[0].sources.push((offer, producer));
            for member in &mut members[1..] {
                let consumer = world.consume(&room, member.id, producer).unwrap();
                member.consumed.extend(consumer.rtp_parameters.encodings.iter().filter_map(|it| it.ssrc));
            }
        }
        let (receiver, sender) = (Receiver::default(), Sender::new(socket.has_gso()));
        let (feed, feed_sender) = (SendBatch::with_capacity(1 << 20), Sender::new(feeder.has_gso()));
        Self { world, members, feeder, feed, feed_sender, socket, receiver, sender, next: 500 }
    }

    /// A frame of each source, and what the node owes: how many allocations the node made.
    fn tick(&mut self) -> u64 {
        let to = self.socket.address();
        for place in 0..2 {
            let (offer, _) = &self.members[0].sources[place];
            let (packets, size) = if offer.source == Source::Camera { (4, 1_000) } else { (1, 80) };
            for packet in 0..packets {
                let index = self.next * packets + packet;
                let timestamp = u32::try_from(self.next * 960).unwrap();
                let header = offer.header(index, timestamp, packet + 1 == packets);
                let start = if packet == 0 { 0x10 } else { 0 };
                let payload = [&[start, 0x50][..], &vec![7; size]].concat();
                let mid = [(MID_ID, offer.mid.as_bytes())];
                let packet = self.world.peers[self.members[0].send].seal_rtp(header, index, &mid, &payload);
                self.feed.write(to, packet.len(), |out| {
                    out.copy_from_slice(&packet);
                    packet.len()
                });
            }
        }
        self.next += 1;
        self.feed_sender.send(&self.feeder, &self.feed);
        self.feed.clear();
        self.world.now += TICK;
        let before = ALLOCATIONS.get();
        self.turn();
        ALLOCATIONS.get() - before
    }

    /// As the node's worker.
    fn turn(&mut self) {
        let Self { world, receiver, sender, socket, .. } = self;
        let (engine, now) = (&mut world.engine, world.now);
        receiver
            .receive(socket, |datagrams| {
                // The socket's time is another than the call's.
                datagrams.iter_mut().for_each(|datagram| datagram.arrived = now);
                engine.handle_datagrams(datagrams, now, |batch| sender.send(socket, batch));
            })
            .unwrap();
        if world.engine.poll_timeout().is_some_and(|due| due <= now) {
            world.engine.handle_timeout(now);
        }
        sender.send(socket, world.engine.sends());
        world.engine.sends().clear();
        while world.engine.poll_notice().is_some() {}
    }

    /// Each member's check, and its report on what it gets; the checks' answers are thrown away.
    fn keep_alive(&mut self) -> u64 {
        for place in 0..self.world.peers.len() {
            let (address, check) = (self.world.peers[place].address, self.world.peers[place].check());
            self.world.send(address, check);
        }
        let mut allocations = 0;
        for member in 1..self.members.len() {
            let Member { recv, consumed, .. } = &self.members[member];
            let block = |ssrc: &u32| ReportBlock { ssrc: *ssrc, ..ReportBlock::default() };
            let blocks: Vec<_> = consumed.iter().map(block).collect();
            let mut report = [0; 200];
            let len = write_receiver_report(&mut report, 1, &blocks).unwrap();
            let peer = &mut self.world.peers[*recv];
            let (source, mut report) = (peer.address, peer.seal_rtcp(&report[..len]));
            let mut datagrams =
                [Datagram { source, bytes: &mut report, arrived: self.world.now, ecn: Ecn::NotEct }];
            let before = ALLOCATIONS.get();
            self.world.engine.handle_datagrams(&mut datagrams, self.world.now, |_| ());
            allocations += ALLOCATIONS.get() - before;
        }
        self.world.peers.iter_mut().for_each(|peer| peer.arrivals.clear());
        allocations
    }
}

#[test]
fn a_steady_call_allocates_nothing() {
    [false, true].into_iter().for_each(allocates_nothing);
}

fn allocates_nothing(takes_ccfb: bool) {
    let mut call = Call::new(takes_ccfb);
    let mut run = |ticks: u64| {
        (0..ticks).map(|tick| call.tick() + if tick % 50 == 0 { call.keep_alive() } else { 0 }).sum::<u64>()
    };
    // Four seconds: caches, lists and windows have grown to what they need.
    assert!(run(200) > 0, "the counter counts");
    assert_eq!(run(500), 0, "allocations in ten seconds");
    let forwarded = call.world.engine.counters().forwarded_packets;
    assert_eq!(forwarded, 700 * 5 * u64::from(PEOPLE - 1));
    assert!(call.sender.counters().sent >= forwarded);
}
