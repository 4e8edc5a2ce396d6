//! Datagrams between machines.

use super::{Event, HOST, Net, UdpQueue, below, chance, now, with_net};
use std::net::{SocketAddr, SocketAddrV4};
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
        _ = super::NET.try_with(|net| net.borrow_mut().udp.remove(&self.address));
    }
}

/// A datagram that says it is from there, as anybody's can.
pub(super) fn send_from(from: SocketAddrV4, to: SocketAddr, bytes: &[u8]) {
    let SocketAddr::V4(to) = to else { return };
    with_net(|net| {
        let faults = net.faults;
        if net.is_cut(*from.ip(), *to.ip()) || chance(faults.loss) {
            return;
        }
        let copies = if chance(faults.duplication) { 2 } else { 1 };
        for _ in 0..copies {
            let mut bytes = bytes.to_vec();
            if chance(faults.corruption) && !bytes.is_empty() {
                corrupt(&mut bytes);
            }
            let at = now() + faults.delay(*from.ip(), *to.ip());
            net.at(at, Event::Datagram { from, to, bytes });
        }
    });
}

/// One bit is another. Keys and signatures of DTLS come from the cryptographic library's own randomness, and its
/// datagrams' lengths with them: there it is always a bit of the same byte, so that a seed stays what it is.
fn corrupt(bytes: &mut [u8]) {
    let is_dtls = (20..64).contains(&bytes[0]);
    let (any, bit) = (below(1 << 32), below(8));
    let at = if is_dtls { 20 } else { usize::try_from(any).unwrap_or_default() };
    let len = bytes.len();
    bytes[at % len] ^= 1 << bit;
}

impl Net {
    pub(super) fn datagram(&mut self, from: SocketAddrV4, to: SocketAddrV4, bytes: Vec<u8>) {
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
