//! Datagrams between machines.

use super::clock::{HOST, below, chance, now};
use super::link::{Class, class, net_of_nodes};
use super::net::{Event, NET, Net, UdpQueue, with_net};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use tokio::sync::Notify;

/// Datagrams that wait at a port; more are lost, as in a kernel's buffer.
const WAITING_MAX: usize = 4096;

/// An open port of the host that runs; closed when it is dropped.
#[derive(Debug)]
pub(crate) struct UdpPort {
    address: SocketAddrV4,
    /// Told when something came.
    pub arrived: Arc<Notify>,
}

impl UdpPort {
    /// None: it is taken.
    pub(crate) fn open(address: SocketAddrV4) -> Option<Self> {
        with_net(|net| {
            if net.udp.contains_key(&address) {
                return None;
            }
            let arrived = Arc::<Notify>::default();
            let queue = UdpQueue { host: HOST.get(), waiting: Vec::new(), notify: arrived.clone() };
            net.udp.insert(address, queue);
            Some(Self { address, arrived })
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address.into()
    }

    /// What came so far.
    pub(crate) fn take(&self) -> Vec<(SocketAddrV4, Vec<u8>)> {
        let taken =
            with_net(|net| net.udp.get_mut(&self.address).map(|queue| std::mem::take(&mut queue.waiting)));
        taken.unwrap_or_default()
    }

    pub(crate) fn send(&self, to: SocketAddr, bytes: &[u8]) {
        send_from(self.address, to, bytes);
    }
}

impl Drop for UdpPort {
    fn drop(&mut self) {
        // A thread that ends has no network any more.
        _ = NET.try_with(|net| net.borrow_mut().udp.remove(&self.address));
    }
}

/// A datagram that says it is from there, as anybody's can.
pub(super) fn send_from(from: SocketAddrV4, to: SocketAddr, bytes: &[u8]) {
    let SocketAddr::V4(to) = to else { return };
    with_net(|net| {
        let faults = net.faults;
        if net.mute.contains(from.ip()) || net.is_cut(*from.ip(), *to.ip()) || chance(faults.loss) {
            return;
        }
        let copies = if chance(faults.duplication) { 2 } else { 1 };
        if faults.replay > 0 || faults.spoofing > 0 {
            net.attack(from, to, bytes);
        }
        for _ in 0..copies {
            let mut bytes = bytes.to_vec();
            if chance(faults.corruption) && !bytes.is_empty() {
                corrupt(&mut bytes);
            }
            let rates = &mut net.rates;
            let mut left = Some(now());
            for way in [(*from.ip(), true), (*to.ip(), false)] {
                if let (Some(at), Some(rate)) = (left, rates.get_mut(&way)) {
                    left = rate.pass(counted_len(&bytes), at);
                }
            }
            let Some(left) = left else { continue };
            let at = left + faults.delay(*from.ip(), *to.ip());
            net.at(at, Event::Datagram { from, to, bytes });
        }
    });
}

/// Channel and length.
const CHANNEL_DATA_HEADER: usize = 4;
/// What a datagram of DTLS counts for on a narrow way.
const DTLS_LEN: usize = 600;

/// Where DTLS begins in a datagram, which is in ChannelData (RFC 8656, 12.4) on the way through a relay.
fn dtls_at(bytes: &[u8]) -> Option<usize> {
    let head = if matches!(bytes.first()?, 0x40..=0x4f) { CHANNEL_DATA_HEADER } else { 0 };
    (20..64).contains(bytes.get(head)?).then_some(head)
}

/// Bytes on a narrow way. Those of DTLS differ between two runs of a seed, as its keys and signatures do.
fn counted_len(bytes: &[u8]) -> usize {
    if dtls_at(bytes).is_some() { DTLS_LEN } else { bytes.len() }
}

/// One bit is another. Keys and signatures of DTLS come from the cryptographic library's own randomness, and its
/// datagrams' lengths with them: there it is always a bit of the same byte, so that a seed stays what it is.
fn corrupt(bytes: &mut [u8]) {
    let (any, bit) = (below(1 << 32), below(8));
    let at = dtls_at(bytes).map_or_else(|| usize::try_from(any).unwrap_or_default(), |head| head + 20);
    let len = bytes.len();
    bytes[at % len] ^= 1 << bit;
}

/// Datagrams of a flow that an attacker remembers.
const REMEMBERED: usize = 200;
/// What speech may pass besides to an address that a client seems to have gone to: 64 kbit/s for 10 s of each of a
/// world's people.
const SPEECH_BYTES: u64 = 10 * 80_000;
/// Where an attacker is, who answers nothing.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 9, 200, 1);

impl Net {
    /// An attacker on the way sends again what it saw.
    fn attack(&mut self, from: SocketAddrV4, to: SocketAddrV4, bytes: &[u8]) {
        let faults = self.faults;
        let seen = self.seen.entry((from, to)).or_default();
        if seen.len() >= REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(bytes.to_vec());
        let age = usize::try_from(below(seen.len() as u64)).unwrap_or_default();
        let old = seen[age].clone();
        if chance(faults.replay) {
            self.at(now() + faults.delay_outside, Event::Datagram { from, to, bytes: old.clone() });
        }
        if class(*from.ip()) == Class::Outside && chance(faults.spoofing) {
            let port = 5_000 + u16::try_from(below(4)).unwrap_or_default();
            let from = SocketAddrV4::new(ATTACKER, port);
            *self.spoofed.entry(from).or_default() += old.len() as u64;
            self.at(now() + faults.delay_outside, Event::Datagram { from, to, bytes: old });
        }
    }

    /// What a node sends to an address that never proved itself.
    fn amplified(&mut self, to: SocketAddrV4, len: usize) {
        let sent = self.answered.entry(to).or_default();
        *sent += len as u64;
        let (sent, received) = (*sent, self.spoofed.get(&to).copied().unwrap_or_default());
        if sent > 3 * received + SPEECH_BYTES {
            let how = format!("{to} was sent {sent} bytes after {received}");
            self.amplification.get_or_insert(how);
        }
    }

    pub(super) fn datagram(&mut self, from: SocketAddrV4, to: SocketAddrV4, bytes: Vec<u8>) {
        // A node's; relays and replicas know whom they serve.
        if net_of_nodes(*from.ip()) && self.hidden.contains(to.ip()) {
            self.found.get_or_insert_with(|| format!("{from} sent {} bytes to {to}", bytes.len()));
        }
        if *to.ip() == ATTACKER {
            self.amplified(to, bytes.len());
        }
        self.datagrams += 1;
        self.note(u64::from(to.to_bits_with_port()));
        let Some(queue) = self.udp.get_mut(&to) else { return };
        if queue.waiting.len() < WAITING_MAX {
            queue.waiting.push((from, bytes));
        }
        queue.notify.notify_one();
        self.runnable.insert(queue.host);
    }
}

trait Bits {
    fn to_bits_with_port(&self) -> u32;
}

impl Bits for SocketAddrV4 {
    fn to_bits_with_port(&self) -> u32 {
        self.ip().to_bits() ^ u32::from(self.port()).rotate_left(16)
    }
}
