//! The network of a thread's world, and what happens on it when.

use super::clock::{
    EPOCH, Epoch, FATE, HOST, IS_ACTIVE, NOW, Nanos, OSCILLATOR, Oscillator, RANDOM, SKEW, now,
};
use super::disk;
use super::link::{LinkFaults, Rate};
use super::socket::{SockId, Socket};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use tokio::sync::Notify;

thread_local! {
    pub(super) static NET: RefCell<Net> = const { RefCell::new(Net::new()) };
}

/// What happens at its time.
pub(super) enum Event {
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
    Turn(u64),
}

/// The network of the world.
pub(crate) struct Net {
    pub(super) sockets: BTreeMap<SockId, Socket>,
    pub(super) by_fd: BTreeMap<i32, SockId>,
    pub(super) listeners: BTreeMap<SocketAddrV4, SockId>,
    pub(super) udp: BTreeMap<SocketAddrV4, UdpQueue>,
    pub(super) next_socket: SockId,
    pub(super) next_port: u16,
    pub(super) events: BTreeMap<(Nanos, u64), Event>,
    pub(super) next_event: u64,
    /// Hosts with something to do.
    pub(super) runnable: BTreeSet<u32>,
    /// Sockets with events for their host's epoll.
    pub(super) ready: BTreeSet<(u32, SockId)>,
    pub(super) addresses: BTreeMap<Ipv4Addr, u32>,
    /// Directed ways that carry nothing.
    pub(super) cuts: BTreeSet<(Ipv4Addr, Ipv4Addr)>,
    /// Machines that lose each datagram which they send.
    pub(super) mute: BTreeSet<Ipv4Addr>,
    /// Ways from (true) and to machines that carry less than they are given.
    pub(super) rates: BTreeMap<(Ipv4Addr, bool), Rate>,
    /// Users' machines that no node may know of, and a node that sent to one.
    pub(super) hidden: BTreeSet<Ipv4Addr>,
    pub(super) found: Option<String>,
    /// Machines without power.
    pub(super) dark: BTreeSet<Ipv4Addr>,
    pub(super) faults: LinkFaults,
    /// By flow, what an attacker saw of it.
    pub(super) seen: BTreeMap<(SocketAddrV4, SocketAddrV4), VecDeque<Vec<u8>>>,
    /// Bytes that came from addresses that nobody has, and that were sent to them.
    pub(super) spoofed: BTreeMap<SocketAddrV4, u64>,
    pub(super) answered: BTreeMap<SocketAddrV4, u64>,
    pub(super) amplification: Option<String>,
    pub(super) hash: u64,
    pub(super) steps: u64,
    pub(super) datagrams: u64,
}

pub(super) struct UdpQueue {
    pub(super) host: u32,
    pub(super) waiting: Vec<(SocketAddrV4, Vec<u8>)>,
    pub(super) notify: Arc<Notify>,
}

impl Net {
    pub(super) const fn new() -> Self {
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
            mute: BTreeSet::new(),
            rates: BTreeMap::new(),
            hidden: BTreeSet::new(),
            found: None,
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

    pub(super) fn at(&mut self, time: Nanos, event: Event) {
        self.next_event += 1;
        self.events.insert((time.max(now()), self.next_event), event);
    }

    /// Adds to what two runs of a seed are compared by.
    pub(super) fn note(&mut self, what: u64) {
        self.steps += 1;
        self.hash =
            (self.hash ^ what ^ now().rotate_left(17)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5);
    }

    pub(super) fn is_cut(&self, from: Ipv4Addr, to: Ipv4Addr) -> bool {
        self.cuts.contains(&(from, to)) || self.dark.contains(&from) || self.dark.contains(&to)
    }

    pub(super) fn carry_out(&mut self, event: Event) {
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

pub(super) fn with_net<T>(what: impl FnOnce(&mut Net) -> T) -> T {
    NET.with(|net| what(&mut net.borrow_mut()))
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

/// Has a machine's datagrams be lost as it sends them, or leave again.
pub(crate) fn set_mute(machine: Ipv4Addr, is_mute: bool) {
    with_net(|net| match is_mute {
        true => _ = net.mute.insert(machine),
        false => _ = net.mute.remove(&machine),
    });
}

/// Resets every connection between two machines.
pub(crate) fn reset(one: Ipv4Addr, other: Ipv4Addr) {
    with_net(|net| net.reset(one, other));
}

/// A node is not to know of this machine.
pub(crate) fn hide(machine: Ipv4Addr) {
    with_net(|net| net.hidden.insert(machine));
}

/// What was sent to a hidden machine by another one than its relay or a replica, if that happened.
pub(crate) fn found() -> Option<String> {
    with_net(|net| net.found.take())
}

/// Of what a machine sends (true) or is sent, in kbit/s; none: everything passes at once.
pub(crate) fn set_rate(machine: Ipv4Addr, is_up: bool, rate: Option<u64>) {
    with_net(|net| net.rates.entry((machine, is_up)).or_default().turn_to(rate));
}

pub(crate) fn set_faults(faults: LinkFaults) {
    with_net(|net| net.faults = faults);
}

/// Mends every way and every machine.
pub(crate) fn heal() {
    with_net(|net| {
        net.cuts.clear();
        net.dark.clear();
        net.mute.clear();
        net.rates.values_mut().for_each(|rate| rate.turn_to(None));
        net.faults = net.faults.healed();
    });
    disk::clear();
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

/// More than three times the bytes that an address proved nothing with were sent to it, if that happened.
pub(crate) fn amplification() -> Option<String> {
    with_net(|net| net.amplification.take())
}

/// Makes this thread one of the simulation, whose world begins anew.
pub(super) fn activate(seed: u64) {
    NOW.set(0);
    SKEW.set(0);
    OSCILLATOR.set(Oscillator::EXACT);
    EPOCH.set(Epoch::USUAL);
    HOST.set(0);
    RANDOM.set(seed ^ 0xa076_1d64_78bd_642f);
    FATE.set(seed);
    disk::clear();
    NET.with(|net| *net.borrow_mut() = Net::new());
    IS_ACTIVE.set(true);
}

pub(super) fn deactivate() {
    IS_ACTIVE.set(false);
}
