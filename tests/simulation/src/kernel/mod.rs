//! The machine below the programs, in virtual time: clocks, randomness, TCP and UDP, for all processes of one
//! thread. The programs reach it by the C library's own functions ([`libc`](self::c)), so they are as they ship.
//!
//! Everything is thread-local: a seed runs on a thread of its own, and other threads have the real machine.

mod c;
mod host;
mod link;
mod tcp;
mod udp;

pub(crate) use host::{HostId, Sim};
pub(crate) use link::LinkFaults;
pub(crate) use udp::UdpPort;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use tokio::sync::Notify;

/// Nanoseconds of virtual time since the world began.
pub(crate) type Nanos = u64;
pub(crate) const MILLISECOND: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1000 * MILLISECOND;
/// What the clocks say when the world begins: seconds of the monotonic clock, and of the year 2027.
const MONOTONIC_BASE: u64 = 1_000;
pub(crate) const WALL_BASE: u64 = 1_800_000_000;

thread_local! {
    static IS_ACTIVE: Cell<bool> = const { Cell::new(false) };
    static NOW: Cell<Nanos> = const { Cell::new(0) };
    /// What the running host's wall clock is ahead, in nanoseconds.
    static SKEW: Cell<i64> = const { Cell::new(0) };
    static HOST: Cell<u32> = const { Cell::new(0) };
    static RANDOM: Cell<u64> = const { Cell::new(0) };
    /// Of the world itself, so that what programs draw does not move what the network does.
    static FATE: Cell<u64> = const { Cell::new(0) };
    static NET: RefCell<Net> = const { RefCell::new(Net::new()) };
}

/// Now, since the world began.
pub(crate) fn now() -> Nanos {
    NOW.get()
}

pub(crate) fn millis() -> u64 {
    now() / MILLISECOND
}

fn split_mix(state: &Cell<u64>) -> u64 {
    let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    state.set(next);
    let mut z = next;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A draw of the world's own.
pub(crate) fn draw() -> u64 {
    FATE.with(split_mix)
}

/// Uniform below `bound`; 0 for 0.
pub(crate) fn below(bound: u64) -> u64 {
    if bound == 0 { 0 } else { draw() % bound }
}

/// True in so many of a million draws.
pub(crate) fn chance(per_million: u32) -> bool {
    per_million > 0 && below(1_000_000) < u64::from(per_million)
}

type SockId = u64;

/// What happens at its time.
enum Event {
    Syn {
        from: SockId,
        attempt: u32,
    },
    Established {
        at: SockId,
    },
    Refused {
        at: SockId,
    },
    /// What is on its way to this socket may have arrived.
    Arrive {
        at: SockId,
    },
    Window {
        at: SockId,
        bytes: usize,
    },
    Datagram {
        from: SocketAddrV4,
        to: SocketAddrV4,
        bytes: Vec<u8>,
    },
    /// The scenario's.
    Turn(Box<dyn FnOnce(&mut Sim)>),
}

/// The network of the world.
pub(crate) struct Net {
    sockets: BTreeMap<SockId, tcp::Socket>,
    by_fd: BTreeMap<i32, SockId>,
    listeners: BTreeMap<SocketAddrV4, SockId>,
    udp: BTreeMap<SocketAddrV4, UdpQueue>,
    next_socket: SockId,
    next_port: u16,
    events: BTreeMap<(Nanos, u64), Event>,
    next_event: u64,
    /// Hosts with something to do.
    runnable: BTreeSet<u32>,
    /// Sockets with events for their host's epoll.
    ready: BTreeSet<(u32, SockId)>,
    addresses: BTreeMap<Ipv4Addr, u32>,
    /// Directed ways that carry nothing.
    cuts: BTreeSet<(Ipv4Addr, Ipv4Addr)>,
    /// Machines without power.
    dark: BTreeSet<Ipv4Addr>,
    faults: LinkFaults,
    /// By flow, what an attacker saw of it.
    seen: BTreeMap<(SocketAddrV4, SocketAddrV4), VecDeque<Vec<u8>>>,
    /// Bytes that came from addresses that nobody has, and that were sent to them.
    spoofed: BTreeMap<SocketAddrV4, u64>,
    answered: BTreeMap<SocketAddrV4, u64>,
    amplification: Option<String>,
    hash: u64,
    steps: u64,
    datagrams: u64,
}

struct UdpQueue {
    host: u32,
    waiting: Vec<(SocketAddrV4, Vec<u8>)>,
    notify: Arc<Notify>,
}

impl Net {
    const fn new() -> Self {
        Self {
            sockets: BTreeMap::new(),
            by_fd: BTreeMap::new(),
            listeners: BTreeMap::new(),
            udp: BTreeMap::new(),
            next_socket: 1,
            next_port: 10_000,
            events: BTreeMap::new(),
            next_event: 0,
            runnable: BTreeSet::new(),
            ready: BTreeSet::new(),
            addresses: BTreeMap::new(),
            cuts: BTreeSet::new(),
            dark: BTreeSet::new(),
            faults: LinkFaults::NONE,
            seen: BTreeMap::new(),
            spoofed: BTreeMap::new(),
            answered: BTreeMap::new(),
            amplification: None,
            hash: 0xcbf2_9ce4_8422_2325,
            steps: 0,
            datagrams: 0,
        }
    }

    fn at(&mut self, time: Nanos, event: Event) {
        self.next_event += 1;
        self.events.insert((time.max(now()), self.next_event), event);
    }

    /// Adds to what two runs of a seed are compared by.
    fn note(&mut self, what: u64) {
        self.steps += 1;
        self.hash =
            (self.hash ^ what ^ now().rotate_left(17)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5);
    }

    fn is_cut(&self, from: Ipv4Addr, to: Ipv4Addr) -> bool {
        self.cuts.contains(&(from, to)) || self.dark.contains(&from) || self.dark.contains(&to)
    }

    fn carry_out(&mut self, event: Event) {
        match event {
            Event::Syn { from, attempt } => self.syn(from, attempt),
            Event::Established { at } => self.established(at),
            Event::Refused { at } => self.refused(at, ::libc::ECONNREFUSED),
            Event::Arrive { at } => self.arrive(at),
            Event::Window { at, bytes } => self.window(at, bytes),
            Event::Datagram { from, to, bytes } => self.datagram(from, to, bytes),
            Event::Turn(_) => {}
        }
    }
}

fn with_net<T>(what: impl FnOnce(&mut Net) -> T) -> T {
    NET.with(|net| what(&mut net.borrow_mut()))
}

/// Has this done at that time.
pub(crate) fn schedule(time: Nanos, what: impl FnOnce(&mut Sim) + 'static) {
    with_net(|net| net.at(time, Event::Turn(Box::new(what))));
}

/// Cuts, or mends, the way from one address to another.
pub(crate) fn set_cut(from: Ipv4Addr, to: Ipv4Addr, is_cut: bool) {
    with_net(|net| match is_cut {
        true => _ = net.cuts.insert((from, to)),
        false => _ = net.cuts.remove(&(from, to)),
    });
}

/// Takes a machine's power, or gives it back.
pub(crate) fn set_dark(machine: Ipv4Addr, is_dark: bool) {
    with_net(|net| match is_dark {
        true => _ = net.dark.insert(machine),
        false => _ = net.dark.remove(&machine),
    });
}

pub(crate) fn set_faults(faults: LinkFaults) {
    with_net(|net| net.faults = faults);
}

/// Mends every way and every machine.
pub(crate) fn heal() {
    with_net(|net| {
        net.cuts.clear();
        net.dark.clear();
        net.faults = net.faults.healed();
    });
}

/// What two runs of a seed have to agree in.
pub(crate) fn trace_hash() -> u64 {
    with_net(|net| net.hash)
}

/// Adds to it.
pub(crate) fn note(what: &[u8]) {
    let hash = what.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    with_net(|net| net.note(hash));
}

/// Steps of the network so far, and datagrams among them.
pub(crate) fn steps() -> (u64, u64) {
    with_net(|net| (net.steps, net.datagrams))
}

/// The number of the host whose turn it is.
pub(crate) fn current_host() -> u32 {
    HOST.get()
}

/// More than three times the bytes that an address proved nothing with were sent to it, if that happened.
pub(crate) fn amplification() -> Option<String> {
    with_net(|net| net.amplification.take())
}
