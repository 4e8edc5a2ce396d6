//! Over real loopback sockets: what a receiver sees is what the batch says.

use super::*;
use crate::udp::socket::set_option;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use std::io::IoSliceMut;
use std::net::UdpSocket;
use std::time::Duration;

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn receiver() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    socket
}

fn received(socket: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
    let mut buffer = [0; 2048];
    let mut read = || socket.recv(&mut buffer).map(|len| buffer[..len].to_vec());
    let got = (0..count).map(|_| read().unwrap()).collect();
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 2048]).is_err(), "more than {count} datagrams");
    socket.set_nonblocking(false).unwrap();
    got
}

fn push(batch: &mut SendBatch, to: SocketAddr, len: usize, fill: u8) -> Vec<u8> {
    let bytes = vec![fill; len];
    let written = batch.write(to, 1500, |out| {
        out[..len].copy_from_slice(&bytes);
        len
    });
    assert_eq!(written, len);
    bytes
}

/// Runs of 1, 8 and 4 (the last one shorter) datagrams for three destinations.
fn mixed_batch(to: &[UdpSocket; 3]) -> (SendBatch, [Vec<Vec<u8>>; 3]) {
    let mut batch = SendBatch::with_capacity(64 * 1024);
    let addresses = to.each_ref().map(|socket| socket.local_addr().unwrap());
    let first = vec![push(&mut batch, addresses[0], 100, 1)];
    let second = (0..8).map(|fill| push(&mut batch, addresses[1], 1172, fill)).collect();
    let third = [(300, 9), (300, 10), (300, 11), (40, 12)]
        .map(|(len, fill)| push(&mut batch, addresses[2], len, fill))
        .to_vec();
    assert_eq!(batch.runs().len(), 3);
    (batch, [first, second, third])
}

#[test]
fn runs_arrive_split_at_each_destination_with_one_call() {
    let socket = RtcSocket::bind(LOOPBACK, 0..=0).unwrap();
    assert!(socket.has_gso(), "this kernel has no UDP_SEGMENT");
    let receivers = [receiver(), receiver(), receiver()];
    let (batch, expected) = mixed_batch(&receivers);
    let bytes = expected.iter().flatten().map(|datagram| datagram.len() as u64).sum();
    let mut sender = Sender::new(true);
    sender.send(&socket, &batch);
    for (receiver, expected) in receivers.iter().zip(expected) {
        assert_eq!(received(receiver, expected.len()), expected);
    }
    assert_eq!(sender.counters(), SendCounters { sent: 13, bytes, calls: 1, ..Default::default() });
}

#[test]
fn without_gso_the_same_arrives() {
    let socket = RtcSocket::bind(LOOPBACK, 0..=0).unwrap();
    let receivers = [receiver(), receiver(), receiver()];
    let (batch, expected) = mixed_batch(&receivers);
    let mut sender = Sender::new(false);
    sender.send(&socket, &batch);
    for (receiver, expected) in receivers.iter().zip(expected) {
        assert_eq!(received(receiver, expected.len()), expected);
    }
    assert_eq!(sender.counters().sent, 13);
}

/// A socket that sends no checksums may not segment: the kernel says EINVAL to each run.
#[test]
fn runs_that_the_kernel_will_not_split_go_one_by_one() {
    let socket = RtcSocket::bind(LOOPBACK, 0..=0).unwrap();
    let on: c_int = 1;
    // SAFETY: the pointer is to a live c_int and the length is its size.
    let set = unsafe {
        let value = ptr::from_ref(&on).cast();
        libc::setsockopt(socket.as_socket().as_raw_fd(), libc::SOL_SOCKET, libc::SO_NO_CHECK, value, 4)
    };
    assert_eq!(set, 0);
    let receivers = [receiver(), receiver(), receiver()];
    let (batch, expected) = mixed_batch(&receivers);
    let mut sender = Sender::new(true);
    sender.send(&socket, &batch);
    for (receiver, expected) in receivers.iter().zip(expected) {
        assert_eq!(received(receiver, expected.len()), expected);
    }
    let counters = sender.counters();
    assert_eq!((counters.sent, counters.refused), (13, 0));
    assert!(counters.calls > 1);
}

#[test]
fn an_impossible_destination_does_not_stop_the_others() {
    let socket = RtcSocket::bind(LOOPBACK, 0..=0).unwrap();
    let (before, after) = (receiver(), receiver());
    let mut batch = SendBatch::with_capacity(64 * 1024);
    let first = push(&mut batch, before.local_addr().unwrap(), 100, 1);
    // Port 0 is EINVAL, for a run as well as for its parts; 203.0.113.1 is no loopback address.
    (0..3).for_each(|fill| _ = push(&mut batch, SocketAddr::new(LOOPBACK, 0), 200, fill));
    push(&mut batch, SocketAddr::from(([203, 0, 113, 1], 9)), 100, 2);
    let last = push(&mut batch, after.local_addr().unwrap(), 100, 3);
    let mut sender = Sender::new(true);
    sender.send(&socket, &batch);
    assert_eq!(received(&before, 1), [first]);
    assert_eq!(received(&after, 1), [last]);
    let counters = sender.counters();
    assert_eq!((counters.sent, counters.refused, counters.dropped), (2, 4, 0));
}

#[test]
fn more_messages_than_one_call_takes_all_go_out() {
    let socket = RtcSocket::bind(LOOPBACK, 0..=0).unwrap();
    let receivers = [receiver(), receiver(), receiver()];
    let addresses = receivers.each_ref().map(|receiver| receiver.local_addr().unwrap());
    let mut batch = SendBatch::with_capacity(1024 * 1024);
    // The first destination's only datagram is the 1025th message, behind a full call.
    let order = |index| if index == ENTRIES_MAX { 0 } else { 1 + index % 2 };
    (0..2000).for_each(|index| _ = push(&mut batch, addresses[order(index)], 20, 7));
    let mut sender = Sender::new(true);
    sender.send(&socket, &batch);
    assert_eq!(received(&receivers[0], 1), [[7; 20]]);
    assert_eq!(sender.counters(), SendCounters { sent: 2000, bytes: 40_000, calls: 2, ..Default::default() });
}

#[test]
fn what_a_full_socket_leaves_is_counted_in_datagrams() {
    let receivers = [receiver(), receiver(), receiver()];
    let (batch, _) = mixed_batch(&receivers);
    let from = |run, offset| datagrams_from(&batch, Cursor { run, offset });
    let counts = [from(0, 0), from(1, 0), from(1, 1172 * 3), from(2, 900), from(3, 0)];
    assert_eq!(counts, [13, 12, 9, 1, 0]);
}

#[test]
fn an_ipv6_socket_reaches_both_families() {
    let socket = RtcSocket::bind(IpAddr::from([0; 16]), 0..=0).unwrap();
    let v6 = UdpSocket::bind("[::1]:0").unwrap();
    v6.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let v4 = receiver();
    let mut batch = SendBatch::with_capacity(64 * 1024);
    let to_v4 = push(&mut batch, v4.local_addr().unwrap(), 100, 4);
    let to_v6: Vec<_> = (0..2).map(|fill| push(&mut batch, v6.local_addr().unwrap(), 100, fill)).collect();
    Sender::new(true).send(&socket, &batch);
    assert_eq!(received(&v4, 1), [to_v4]);
    assert_eq!(received(&v6, 2), to_v6);
}

/// ECN bits of the next datagrams, as the receiver's kernel has them.
fn marks(receiver: &UdpSocket, count: usize) -> Vec<u8> {
    let state = UdpSocketState::new(UdpSockRef::from(receiver)).unwrap();
    let mut seen = Vec::new();
    while seen.len() < count {
        let mut buffers = vec![vec![0; 64 * 1024]; BATCH_SIZE];
        let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let messages = state.recv(UdpSockRef::from(receiver), &mut slices, &mut metas).unwrap();
        for meta in &metas[..messages] {
            let bits = meta.ecn.map_or(0, |ecn| ecn as u8);
            seen.extend(std::iter::repeat_n(bits, meta.len.div_ceil(meta.stride.max(1))));
        }
    }
    seen
}

#[test]
fn ect1_is_in_the_ip_headers_of_its_own_datagrams_over_both_families_segmented_or_not() {
    for (from, to) in [("127.0.0.1", "127.0.0.1:0"), ("::", "127.0.0.1:0"), ("::", "[::1]:0")] {
        let socket = RtcSocket::bind(from.parse().unwrap(), 0..=0).unwrap();
        let receiver = UdpSocket::bind(to).unwrap();
        receiver.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        // The kernel tells of what comes after this.
        UdpSocketState::new(UdpSockRef::from(&receiver)).unwrap();
        receiver.set_nonblocking(false).unwrap();
        // With the length of joined datagrams, the control messages would exceed that crate's room for them.
        set_option(&receiver, libc::SOL_UDP, libc::UDP_GRO, 0).unwrap();
        let to = receiver.local_addr().unwrap();
        let mut batch = SendBatch::with_capacity(64 * 1024);
        let ecn = [Ecn::NotEct, Ecn::Ect1, Ecn::Ect1, Ecn::Ect1, Ecn::NotEct, Ecn::NotEct, Ecn::Ect1];
        for (ecn, len) in ecn.into_iter().zip([100, 100, 100, 60, 200, 200, 50]) {
            assert_eq!(batch.write_as(ecn, to, 1500, |_| len), len);
        }
        Sender::new(true).send(&socket, &batch);
        assert_eq!(marks(&receiver, 7), [0, 1, 1, 1, 0, 0, 1], "{from} {to}");
    }
}
