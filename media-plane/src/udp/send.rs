//! Step 7 of the packet path: a whole batch to its many destinations by `sendmmsg`, each run of
//! equal datagrams as one message that the kernel splits (`UDP_SEGMENT`).

use super::socket::RtcSocket;
use libc::{c_int, c_uint, socklen_t};
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::send_batch::{Run, SendBatch};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::{fmt, io, mem, ptr};
use tracing::warn;

/// UIO_MAXIOV, the most messages one call takes.
const ENTRIES_MAX: usize = 1024;

/// Control messages of one message to send, at most: its segment size and its ECN bits.
const CONTROLS: usize = 2;

/// Datagrams since the start, and the calls they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendCounters {
    pub sent: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// The socket's buffer was full. Late media is worth nothing and waiting would delay
    /// everybody, so the rest of such a batch is dropped.
    pub dropped: u64,
    /// The kernel refused the destination or the size.
    pub refused: u64,
    pub calls: u64,
}

/// The arrays that `sendmmsg` reads, allocated once. Not `Send`: made on the thread that uses it.
pub struct Sender {
    headers: Vec<libc::mmsghdr>,
    parts: Vec<Part>,
    entries: Vec<Entry>,
    gso: bool,
    counters: SendCounters,
}

/// What a header points to. `control` holds a segment size and ECN bits, a message each (`CMSG_SPACE` of 2 and of 4 is 24
/// bytes).
#[derive(Clone, Copy)]
struct Part {
    iovec: libc::iovec,
    address: Address,
    control: [Control; CONTROLS],
}

/// A control message with room for a `c_int`, aligned as `cmsghdr` wants it.
type Control = [u64; 3];

#[derive(Clone, Copy)]
#[repr(C)]
union Address {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

/// What the header of the same index sends.
#[derive(Clone, Copy)]
struct Entry {
    from: Cursor,
    datagrams: u64,
    segmented: bool,
}

/// A place in a batch: a run, and an offset into it that is a multiple of its segment.
#[derive(Clone, Copy, Default)]
struct Cursor {
    run: usize,
    offset: usize,
}

enum Outcome {
    Done,
    /// The socket takes no more; entries from this index were not sent.
    Full(usize),
    /// A segmented run was refused as such: it goes again from here, datagram by datagram.
    Split(Cursor),
}

impl Sender {
    pub fn new(gso: bool) -> Self {
        // SAFETY: all-zero bytes are a valid mmsghdr (null pointers, zero lengths), and a valid
        // Part: the same, and sockaddr unions and integers, for which any bytes are valid.
        let (header, part) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Self {
            headers: vec![header; ENTRIES_MAX],
            parts: vec![part; ENTRIES_MAX],
            entries: Vec::with_capacity(ENTRIES_MAX),
            gso,
            counters: SendCounters::default(),
        }
    }

    pub fn counters(&self) -> SendCounters {
        self.counters
    }

    /// Sends what the socket takes without waiting; what it does not is dropped and counted.
    pub fn send(&mut self, socket: &RtcSocket, batch: &SendBatch) {
        let mut cursor = Cursor::default();
        let mut split = None;
        loop {
            cursor = self.fill(batch, cursor, split, socket.address().is_ipv6());
            if self.entries.is_empty() {
                return;
            }
            match self.flush(socket) {
                Outcome::Done => {}
                Outcome::Split(from) => {
                    cursor = from;
                    split = Some(from.run);
                }
                Outcome::Full(first) => {
                    let unsent = self.entries.iter().skip(first).map(|entry| entry.datagrams);
                    self.counters.dropped += unsent.sum::<u64>() + datagrams_from(batch, cursor);
                    return;
                }
            }
        }
    }

    /// Points the headers at what follows `cursor`; returns where the next call goes on.
    fn fill(&mut self, batch: &SendBatch, mut cursor: Cursor, split: Option<usize>, ipv6: bool) -> Cursor {
        self.entries.clear();
        for (header, part) in self.headers.iter_mut().zip(&mut self.parts) {
            let Some(run) = batch.runs().get(cursor.run) else { break };
            let segmented = self.gso && split != Some(cursor.run) && run.len > run.segment;
            let rest = batch.bytes(run).get(cursor.offset..).unwrap_or_default();
            let bytes = if segmented { rest } else { rest.get(..run.segment).unwrap_or(rest) };
            let datagrams = bytes.len().div_ceil(run.segment) as u64;
            self.entries.push(Entry { from: cursor, datagrams, segmented });
            point(header, part, bytes, run, ipv6, segmented);
            cursor.offset += bytes.len();
            if cursor.offset >= run.len || bytes.is_empty() {
                cursor = Cursor { run: cursor.run + 1, offset: 0 };
            }
        }
        cursor
    }

    fn flush(&mut self, socket: &RtcSocket) -> Outcome {
        let mut done = 0;
        while let Some(&entry) = self.entries.get(done) {
            let sent = send_entries(socket, &mut self.headers[done..self.entries.len()]);
            self.counters.calls += 1;
            let error = match sent {
                Ok(count) => {
                    let sent = self.entries.iter().skip(done).take(count);
                    self.counters.sent += sent.map(|entry| entry.datagrams).sum::<u64>();
                    let sent = self.headers.iter().skip(done).take(count);
                    self.counters.bytes += sent.map(|header| u64::from(header.msg_len)).sum::<u64>();
                    done += count;
                    continue;
                }
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN) => return Outcome::Full(done),
                // A device without checksum offload, or an IPsec route: it will not get better.
                Some(libc::EIO) if entry.segmented => {
                    warn!("the kernel cannot segment UDP on this route, sending datagrams one by one");
                    self.gso = false;
                    return Outcome::Split(entry.from);
                }
                // Segments above the path's MTU, or a kernel that wants them otherwise.
                Some(libc::EINVAL | libc::EMSGSIZE) if entry.segmented => return Outcome::Split(entry.from),
                // ENETUNREACH, EPERM, EMSGSIZE and the like concern this destination alone.
                _ => {
                    self.counters.refused += entry.datagrams;
                    done += 1;
                }
            }
        }
        Outcome::Done
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gso, counters, .. } = self;
        f.debug_struct("Sender").field("gso", gso).field("counters", counters).finish_non_exhaustive()
    }
}

fn datagrams_from(batch: &SendBatch, cursor: Cursor) -> u64 {
    let runs = batch.runs().iter().skip(cursor.run);
    let all: usize = runs.map(|run| run.len.div_ceil(run.segment)).sum();
    let before = batch.runs().get(cursor.run).map_or(0, |run| cursor.offset / run.segment);
    (all - before) as u64
}

/// The headers must have been pointed at live memory. Returns how many of them were sent, which
/// may be fewer than all; an error is about the first.
#[allow(clippy::cast_possible_truncation, reason = "ENTRIES_MAX headers at most")]
fn send_entries(socket: &RtcSocket, headers: &mut [libc::mmsghdr]) -> io::Result<usize> {
    let fd = socket.as_socket().as_raw_fd();
    // SAFETY: `headers` is a live slice and its length is passed with it. `fill` has pointed each
    // of its headers at elements of `parts`, which is never resized, and at bytes of the batch,
    // which `send` borrows until after this call. The kernel reads them and writes `msg_len`.
    let sent =
        unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), headers.len() as c_uint, libc::MSG_DONTWAIT as _) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Makes `header` send `bytes` to the run's destination.
fn point(header: &mut libc::mmsghdr, part: &mut Part, bytes: &[u8], run: &Run, ipv6: bool, segmented: bool) {
    part.iovec = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let address_len = write_address(&mut part.address, run.to, ipv6);
    let message = &mut header.msg_hdr;
    message.msg_name = ptr::from_mut(&mut part.address).cast();
    message.msg_namelen = address_len;
    message.msg_iov = &raw mut part.iovec;
    message.msg_iovlen = 1;
    let mut free = part.control.iter_mut();
    if segmented && let Some(control) = free.next() {
        let segment = u16::try_from(run.segment).unwrap_or(u16::MAX);
        put_control(control, (libc::SOL_UDP, libc::UDP_SEGMENT), segment);
    }
    if run.ecn != Ecn::NotEct
        && let Some(control) = free.next()
    {
        // An IPv4 destination has an IPv4 header, on an IPv6 socket as well.
        let option = match run.to.ip().to_canonical() {
            IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TOS),
            IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
        };
        put_control(control, option, c_int::from(run.ecn.bits()));
    }
    let used = CONTROLS - free.len();
    message.msg_control = if used > 0 { part.control.as_mut_ptr().cast() } else { ptr::null_mut() };
    message.msg_controllen = (used * size_of::<Control>()) as _;
}

/// Writes a control message of this level and type.
#[allow(clippy::cast_possible_truncation, reason = "option values are a few bytes long")]
fn put_control<T: Into<c_int> + Copy>(control: &mut Control, (level, kind): (c_int, c_int), value: T) {
    const { assert!(size_of::<libc::cmsghdr>() + size_of::<T>() <= size_of::<Control>()) };
    let header = control.as_mut_ptr().cast::<libc::cmsghdr>();
    // SAFETY: `control` is 24 bytes, aligned to 8: a cmsghdr (16), behind which CMSG_DATA lies, and eight bytes, in which
    // the value has room.
    unsafe {
        (*header).cmsg_level = level;
        (*header).cmsg_type = kind;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<T>() as c_uint) as _;
        libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
    }
}

/// On an IPv6 socket an IPv4 destination is written as its mapped address (RFC 4291 §2.5.5.2).
#[allow(clippy::cast_possible_truncation, reason = "address families and lengths are small")]
fn write_address(address: &mut Address, to: SocketAddr, ipv6: bool) -> socklen_t {
    let (flow, scope) = match to {
        SocketAddr::V6(to) => (to.flowinfo(), to.scope_id()),
        SocketAddr::V4(_) => (0, 0),
    };
    let ip = match to.ip() {
        IpAddr::V4(ip) if !ipv6 => {
            address.v4 = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: to.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(ip).to_be() },
                sin_zero: [0; 8],
            };
            return size_of::<libc::sockaddr_in>() as socklen_t;
        }
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    address.v6 = libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: to.port().to_be(),
        sin6_flowinfo: flow,
        sin6_addr: libc::in6_addr { s6_addr: ip.octets() },
        sin6_scope_id: scope,
    };
    size_of::<libc::sockaddr_in6>() as socklen_t
}

#[cfg(test)]
mod tests;
