//! Where forwarded packets go, in network namespaces of our own, so that nothing reaches the
//! machine's interfaces and nothing is left behind.

use crate::messages::Messages;
use crate::system::{
    enter_network_namespace, ip, make_tun, pin_to, return_to_network_namespace, set_option, widen_buffers,
};
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::fs::File;
use std::io::{Read, Seek};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;
use std::{process, thread};

/// The first of the consumers' addresses behind a device, and on loopback.
const ROUTED: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const LOCAL: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const PORT: u16 = 5000;

const NEAR: &str = "bench0";
const FAR: &str = "bench1";
const FAR_MAC: &str = "02:00:00:00:00:02";

/// How often the loopback sink is emptied; its buffer holds what comes in between.
const DRAIN_PAUSE: Duration = Duration::from_micros(500);
const DRAIN_BUFFER_BYTES: libc::c_int = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SinkKind {
    /// A device that takes runs unsplit and drops them, like a network card: the quietest
    Tun,
    /// A second namespace: the sender pays its whole receive path too
    Veth,
    /// A socket that another core empties
    Loopback,
}

#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) kind: SinkKind,
    /// A message with several datagrams counts as one in [`Self::seen`].
    pub(crate) counts_runs: bool,
    /// What was asked for and could not be had.
    pub(crate) missing: Option<String>,
    first: Ipv4Addr,
    port: u16,
    counters: File,
    _held: OwnedFd,
}

impl Sink {
    /// Builds the sink for the calling thread, in a namespace of its own. Without root it is plain
    /// loopback in the machine's namespace, and `missing` says why.
    pub(crate) fn open(kind: SinkKind, drain_core: usize) -> Result<Self> {
        if let Err(error) = enter_network_namespace() {
            let sink = loopback(0, drain_core)?;
            return Ok(Self { missing: Some(format!("{error:#}")), ..sink });
        }
        let built = match kind {
            SinkKind::Tun => tun(),
            SinkKind::Veth => veth(),
            SinkKind::Loopback => return loopback(PORT, drain_core),
        };
        match built {
            Ok(sink) => Ok(sink),
            Err(error) => Ok(Self { missing: Some(format!("{error:#}")), ..loopback(PORT, drain_core)? }),
        }
    }

    /// A destination for each of `count` consumers.
    pub(crate) fn destinations(&self, count: usize) -> Vec<SocketAddrV4> {
        let addresses = u32::from(self.first)..;
        addresses.take(count).map(|ip| SocketAddrV4::new(ip.into(), self.port)).collect()
    }

    /// What came in so far: messages that the device dropped, or datagrams that a socket took or had
    /// no room for. On loopback that includes the source packets' messages, and everything else that
    /// the namespace's sockets receive.
    pub(crate) fn seen(&mut self) -> Result<u64> {
        let mut text = String::new();
        self.counters.rewind()?;
        self.counters.read_to_string(&mut text)?;
        let (name, nth, fields) = match self.kind {
            // /proc/net/dev: dropped on transmission.
            SinkKind::Tun => (format!("{NEAR}:"), 0, &[12][..]),
            // /proc/net/snmp, second line of its two: InDatagrams and RcvbufErrors.
            SinkKind::Veth | SinkKind::Loopback => ("Udp:".to_owned(), 1, &[1, 5][..]),
        };
        let line = text.lines().filter(|line| line.trim_start().starts_with(&name)).nth(nth);
        let values: Vec<&str> = line.context("the sink's counters")?.split_whitespace().collect();
        let value = |field: &usize| values.get(*field).and_then(|value| value.parse::<u64>().ok());
        fields.iter().map(|field| value(field).context("a counter")).sum()
    }
}

/// Nobody reads the device: once its queue is full the driver drops.
fn tun() -> Result<Sink> {
    let (device, counts_runs) = make_tun(NEAR, 0)?;
    ip(&format!("address add 10.8.0.1/30 dev {NEAR}"))?;
    ip(&format!("link set {NEAR} up"))?;
    ip(&format!("route add 10.9.0.0/16 dev {NEAR}"))?;
    Ok(Sink {
        kind: SinkKind::Tun,
        counts_runs,
        missing: None,
        first: ROUTED,
        port: PORT,
        counters: File::open("/proc/thread-self/net/dev")?,
        _held: device.into(),
    })
}

/// The far end has one socket for the whole subnet, too small to hold a packet: all of the receive
/// path but no reader.
fn veth() -> Result<Sink> {
    let near = File::open("/proc/thread-self/ns/net")?;
    let near_path = format!("/proc/{}/fd/{}", process::id(), near.as_raw_fd());
    enter_network_namespace()?;
    ip(&format!("link add {FAR} address {FAR_MAC} type veth peer name {NEAR} netns {near_path}"))?;
    ip(&format!("address add 10.8.0.2/30 dev {FAR}"))?;
    ip(&format!("link set {FAR} up"))?;
    ip("route add local 10.9.0.0/16 dev lo")?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, 1)?;
    let counters = File::open("/proc/thread-self/net/snmp")?;
    return_to_network_namespace(&near)?;
    ip(&format!("address add 10.8.0.1/30 dev {NEAR}"))?;
    ip(&format!("link set {NEAR} up"))?;
    ip(&format!("neighbour replace 10.8.0.2 lladdr {FAR_MAC} dev {NEAR} nud permanent"))?;
    ip("route add 10.9.0.0/16 via 10.8.0.2")?;
    Ok(Sink {
        kind: SinkKind::Veth,
        counts_runs: false,
        missing: None,
        first: ROUTED,
        port: PORT,
        counters,
        _held: socket.into(),
    })
}

/// `port` 0: any.
fn loopback(port: u16, drain_core: usize) -> Result<Sink> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
    widen_buffers(&socket, DRAIN_BUFFER_BYTES)?;
    let port = socket.local_addr()?.port();
    let held = socket.try_clone()?.into();
    let drain = move || {
        // An unpinned drain disturbs, it does not falsify.
        let _ = pin_to(drain_core);
        let mut messages = Messages::new(&[SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0); 64], 2048, 2048);
        loop {
            while messages.receive(&socket) > 0 {}
            thread::sleep(DRAIN_PAUSE);
        }
    };
    thread::Builder::new().name("drain".into()).spawn(drain)?;
    let counters = File::open("/proc/thread-self/net/snmp")?;
    let kind = SinkKind::Loopback;
    Ok(Sink { kind, counts_runs: false, missing: None, first: LOCAL, port, counters, _held: held })
}
