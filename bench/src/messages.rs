//! The least code around `sendmmsg` and `recvmmsg`: equal messages to fixed destinations, laid out
//! once. The node's own is `railgun_media::udp`, which takes any batch.
#![allow(clippy::cast_possible_truncation, reason = "sizes of a few bytes, and at most 1024 messages")]

use libc::{c_uint, socklen_t};
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::{io, mem, ptr};

/// UIO_MAXIOV, the most messages one call takes.
const PER_CALL_MAX: usize = 1024;
const CACHE_LINE: usize = 64;

pub(crate) struct Messages {
    bytes: Vec<u8>,
    /// Of one message, and from one to the next.
    len: usize,
    stride: usize,
    parts: Vec<Part>,
    headers: Vec<libc::mmsghdr>,
    segmented: bool,
}

/// What a header points to. `control` has room for one segment size.
#[derive(Clone, Copy)]
struct Part {
    iovec: libc::iovec,
    address: libc::sockaddr_in,
    control: [u64; 3],
}

impl Messages {
    /// A message of `len` bytes for each of `peers`, as datagrams of `segment` bytes. To receive,
    /// `peers` only says how many messages there are; `len` is then the most one may have.
    pub(crate) fn new(peers: &[SocketAddrV4], len: usize, segment: usize) -> Self {
        let stride = len.next_multiple_of(CACHE_LINE);
        let part = |peer: &SocketAddrV4| Part {
            iovec: libc::iovec { iov_base: ptr::null_mut(), iov_len: len },
            address: libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: peer.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*peer.ip()).to_be() },
                sin_zero: [0; 8],
            },
            control: segment_control(segment as u16),
        };
        // SAFETY: all-zero bytes are a valid mmsghdr: null pointers and zero lengths.
        let header: libc::mmsghdr = unsafe { mem::zeroed() };
        Self {
            bytes: vec![0; stride * peers.len()],
            len,
            stride,
            parts: peers.iter().map(part).collect(),
            headers: vec![header; peers.len()],
            segmented: segment < len,
        }
    }

    /// The messages' bytes, in the peers' order.
    pub(crate) fn bytes_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let len = self.len;
        self.bytes.chunks_exact_mut(self.stride).map(move |message| &mut message[..len])
    }

    /// The first message's bytes.
    pub(crate) fn first(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Sends every message; anything less is an error, since it would falsify a measurement.
    pub(crate) fn send(&mut self, socket: &UdpSocket) -> io::Result<()> {
        self.point_headers();
        for headers in self.headers.chunks_mut(PER_CALL_MAX) {
            let count = headers.len() as c_uint;
            // SAFETY: `headers` is live and `count` its length. `point_headers` has just pointed each
            // at live elements of `parts` and `bytes`; nothing moves before the call returns, and
            // the kernel writes `msg_len` alone.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
            match usize::try_from(sent) {
                Ok(sent) if sent == headers.len() => {}
                Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
                Err(_) => return Err(io::Error::last_os_error()),
            }
        }
        Ok(())
    }

    /// Takes what is there, without waiting, as many messages as there is room for; how many came.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> usize {
        self.point_headers();
        let count = self.headers.len() as c_uint;
        // SAFETY: as in `send`; the kernel writes at most the lengths that the headers give into
        // the addresses, control buffers and bytes, for all of which any bytes are valid.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        usize::try_from(received).unwrap_or(0)
    }

    /// The first message's length, as received.
    pub(crate) fn first_len(&self) -> usize {
        self.headers.first().map_or(0, |header| header.msg_len as usize)
    }

    fn point_headers(&mut self) {
        let bytes = self.bytes.chunks_exact_mut(self.stride);
        for ((header, part), bytes) in self.headers.iter_mut().zip(&mut self.parts).zip(bytes) {
            part.iovec.iov_base = bytes.as_mut_ptr().cast();
            let message = &mut header.msg_hdr;
            message.msg_iov = &raw mut part.iovec;
            message.msg_iovlen = 1;
            message.msg_name = ptr::from_mut(&mut part.address).cast();
            message.msg_namelen = size_of::<libc::sockaddr_in>() as socklen_t;
            message.msg_control = part.control.as_mut_ptr().cast();
            message.msg_controllen = if self.segmented { size_of_val(&part.control) as _ } else { 0 };
        }
    }
}

/// One control message: `UDP_SEGMENT` with a u16, in the 24 bytes that CMSG_SPACE(2) is.
fn segment_control(segment: u16) -> [u64; 3] {
    let mut control = [0u64; 3];
    // SAFETY: all-zero bytes are a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: the buffer is aligned to 8 and has room for a cmsghdr (16 bytes) and a u16, so
    // CMSG_FIRSTHDR is not null and CMSG_DATA lies inside it.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_UDP;
        (*header).cmsg_type = libc::UDP_SEGMENT;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<u16>() as c_uint) as _;
        libc::CMSG_DATA(header).cast::<u16>().write_unaligned(segment);
    }
    control
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    #[test]
    fn a_segmented_message_arrives_as_its_datagrams() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(to) = receiver.local_addr().unwrap() else { panic!("bound to IPv4") };
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut out = Messages::new(&[to, to], 300, 100);
        out.bytes_mut().zip(1..).for_each(|(bytes, number)| bytes.fill(number));
        out.send(&sender).unwrap();
        let mut into = Messages::new(&[to; 8], 2048, 2048);
        assert_eq!(into.receive(&receiver), 6);
        assert_eq!((into.first_len(), into.first()[..100].to_vec()), (100, vec![1; 100]));
        assert_eq!(into.bytes_mut().nth(5).unwrap()[..100], [2; 100]);
        assert_eq!(into.receive(&receiver), 0);
    }
}
