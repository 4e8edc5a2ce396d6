//! Step 1 of the packet path: a burst from the kernel, split into datagrams where it lies.

use super::lateness::Lateness;
use super::socket::RtcSocket;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef};
use railgun_media_core::Datagram;
use railgun_media_core::packet::ecn::Ecn;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

/// The longest message: GRO joins datagrams of one sender up to a 16-bit length.
const MESSAGE_BYTES: usize = 64 * 1024;

/// Buffers for one `recvmmsg`, used again and again.
#[derive(Debug)]
pub struct Receiver {
    bytes: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
    /// Always empty between bursts; keeps the allocation of the list of datagrams.
    spare: Vec<Datagram<'static>>,
    pub(crate) lateness: Lateness,
    /// Bytes of the datagrams so far.
    pub(crate) received_bytes: u64,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            bytes: vec![0; MESSAGE_BYTES * BATCH_SIZE],
            metas: [RecvMeta::default(); BATCH_SIZE],
            spare: Vec::with_capacity(256),
            lateness: Lateness::default(),
            received_bytes: 0,
        }
    }
}

impl Receiver {
    /// Receives what is there, without waiting, and gives it to `take` as one slice. Returns
    /// whether there may be more.
    pub fn receive(
        &mut self,
        socket: &RtcSocket,
        take: impl FnOnce(&mut [Datagram<'_>]),
    ) -> io::Result<bool> {
        let mut chunks = self.bytes.chunks_exact_mut(MESSAGE_BYTES);
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let reference = UdpSockRef::from(socket.as_socket());
        let messages = match socket.state().recv(reference, &mut buffers, &mut self.metas) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            result => result?,
        };
        // The kernel's stamps are of the wall clock; none, where it gives none.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let read = Instant::now();
        let mut datagrams = recycle(std::mem::take(&mut self.spare));
        let filled = self.bytes.chunks_exact_mut(MESSAGE_BYTES).zip(&self.metas).take(messages);
        for (buffer, meta) in filled {
            let source = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
            let bytes = buffer.get_mut(..meta.len).unwrap_or_default();
            self.received_bytes += bytes.len() as u64;
            let late = meta.timestamp.map_or(Duration::ZERO, |stamp| self.lateness.note(stamp, now));
            let arrived = Datagram::arrived(read, late);
            // One value for all of a message's datagrams: GRO joins none whose IP headers differ in the traffic class.
            let ecn = meta.ecn.map_or(Ecn::NotEct, |ecn| Ecn::from_bits(ecn as u8));
            // An empty datagram has stride 0, and chunks of 0 would panic.
            let split = bytes.chunks_mut(meta.stride.max(1));
            datagrams.extend(split.map(|bytes| Datagram { source, bytes, arrived, ecn }));
        }
        take(&mut datagrams);
        self.spare = recycle(datagrams);
        Ok(messages == BATCH_SIZE)
    }
}

/// The same allocation as an empty list of another lifetime: `collect` works in place when the
/// elements' layout is the same (and would merely allocate if it ever did not).
fn recycle<'b>(mut datagrams: Vec<Datagram<'_>>) -> Vec<Datagram<'b>> {
    datagrams.clear();
    datagrams.into_iter().map_while(|_| None).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Sender;
    use super::*;
    use railgun_media_core::send_batch::SendBatch;
    use std::net::{IpAddr, UdpSocket};

    fn collect(receiver: &mut Receiver, socket: &RtcSocket) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut got = Vec::new();
        let keep = |datagrams: &mut [Datagram<'_>]| {
            got.extend(datagrams.iter().map(|datagram| (datagram.source, datagram.bytes.to_vec())));
        };
        receiver.receive(socket, keep).unwrap();
        got
    }

    #[test]
    fn a_burst_arrives_in_order_and_empty_datagrams_do_no_harm() {
        let socket = RtcSocket::bind(IpAddr::from([127, 0, 0, 1]), 0..=0).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut receiver = Receiver::default();
        assert!(collect(&mut receiver, &socket).is_empty());
        for bytes in [&b"one"[..], b"", b"three"] {
            sender.send_to(bytes, socket.address()).unwrap();
        }
        let from = sender.local_addr().unwrap();
        let got = collect(&mut receiver, &socket);
        assert_eq!(got, [(from, b"one".to_vec()), (from, b"three".to_vec())]);
    }

    #[test]
    fn an_ipv4_sender_is_seen_as_one_on_a_socket_that_takes_both() {
        let socket = RtcSocket::bind(IpAddr::from([0; 16]), 0..=0).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"hello", ("127.0.0.1", socket.address().port())).unwrap();
        let got = collect(&mut Receiver::default(), &socket);
        assert_eq!(got, [(sender.local_addr().unwrap(), b"hello".to_vec())]);
    }

    #[test]
    fn the_time_from_a_packets_arrival_by_the_kernels_timestamp_to_its_turn_is_lateness() {
        let socket = RtcSocket::bind(IpAddr::from([127, 0, 0, 1]), 0..=0).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut receiver = Receiver::default();
        sender.send_to(b"late", socket.address()).unwrap();
        std::thread::sleep(Duration::from_millis(60));
        collect(&mut receiver, &socket);
        let worst = receiver.lateness.take_worst();
        assert!(worst >= Duration::from_millis(60), "{worst:?}");
        let (sum, count, _) = receiver.lateness.histogram();
        assert!(count == 1 && sum >= 0.06, "{count} in {sum}");
    }

    #[test]
    fn a_datagram_arrived_when_the_kernel_took_it_in_but_no_longer_ago_than_senders_may_overlook() {
        let socket = RtcSocket::bind(IpAddr::from([127, 0, 0, 1]), 0..=0).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut receiver = Receiver::default();
        let most = Duration::from_millis(50);
        for (waits, least) in [(20, Duration::from_millis(20)), (120, most)] {
            sender.send_to(b"late", socket.address()).unwrap();
            std::thread::sleep(Duration::from_millis(waits));
            let mut arrived = Vec::new();
            let keep = |datagrams: &mut [Datagram<'_>]| {
                arrived.extend(datagrams.iter().map(|datagram| datagram.arrived));
            };
            let before = Instant::now();
            receiver.receive(&socket, keep).unwrap();
            let ago = before.saturating_duration_since(arrived[0]);
            assert!(ago <= most && ago + Duration::from_millis(2) >= least, "{ago:?} of {waits} ms");
        }
    }

    /// Runs are one message here, as GRO makes them: its length, its time stamp and its ECN bits are three control messages.
    #[test]
    fn ecn_bits_are_read_of_each_datagram_over_both_families_joined_or_not_and_only_if_asked_for() {
        for (ip, to) in [("127.0.0.1", "127.0.0.1"), ("::", "127.0.0.1"), ("::", "::1")] {
            let (ip, to): (IpAddr, IpAddr) = (ip.parse().unwrap(), to.parse().unwrap());
            let (socket, sender) = (RtcSocket::bind(ip, 0..=0).unwrap(), RtcSocket::bind(to, 0..=0).unwrap());
            let (none, ect1, ce) = (Ecn::NotEct, Ecn::Ect1, Ecn::Ce);
            let sent = [(none, 100), (ect1, 100), (ect1, 100), (ce, 100), (ce, 60), (none, 200), (ect1, 50)];
            let mut batch = SendBatch::with_capacity(64 * 1024);
            for (ecn, len) in sent {
                batch.write_as(ecn, SocketAddr::new(to, socket.address().port()), 1500, |_| len);
            }
            let mut receiver = Receiver::default();
            for is_asked in [false, true] {
                if is_asked {
                    socket.read_ecn().unwrap();
                }
                Sender::new(true).send(&sender, &batch);
                std::thread::sleep(Duration::from_millis(20));
                let mut read = Vec::new();
                let keep = |datagrams: &mut [Datagram<'_>]| {
                    read.extend(datagrams.iter().map(|datagram| (datagram.ecn, datagram.bytes.len())));
                };
                receiver.receive(&socket, keep).unwrap();
                assert_eq!(
                    read,
                    sent.map(|(ecn, len)| (if is_asked { ecn } else { none }, len)),
                    "{ip} {to}"
                );
            }
            assert!(
                receiver.lateness.take_worst() >= Duration::from_millis(20),
                "time stamps are read as well"
            );
        }
    }

    #[test]
    fn the_list_of_datagrams_is_allocated_once() {
        let list: Vec<Datagram<'_>> = Vec::with_capacity(100);
        let (place, capacity) = (list.as_ptr().addr(), list.capacity());
        let again = recycle(list);
        assert_eq!((again.as_ptr().addr(), again.capacity()), (place, capacity));
    }
}
