//! Step 0 of the packet path: the socket that all transports of a worker share.

use libc::{c_int, c_void, socklen_t};
use quinn_udp::{UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::AsRawFd;
use std::sync::Once;
use std::{io, ptr};
use thiserror::Error;
use tracing::warn;

/// What the kernel may hold while a worker is busy: 0.1 s of 300 Mbit/s.
pub const BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// `SK_MEMINFO_DROPS` of `linux/sock_diag.h`: the place of the drop counter in `SO_MEMINFO`.
const MEMINFO_DROPS: usize = 8;
const MEMINFO_VALUES: usize = 9;

#[derive(Debug, Error)]
pub enum BindError {
    #[error("no free UDP port on {ip} from {} to {}", .ports.start(), .ports.end())]
    NoFreePort { ip: IpAddr, ports: RangeInclusive<u16> },
    #[error("UDP socket on {address}: {source}")]
    Socket { address: SocketAddr, source: io::Error },
}

/// A bound, non-blocking UDP socket with GRO on and its buffers sized.
#[derive(Debug)]
pub struct RtcSocket {
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
}

impl RtcSocket {
    /// Binds the first free port of `ports` on `ip`. `::` takes IPv4 too.
    pub fn bind(ip: IpAddr, ports: RangeInclusive<u16>) -> Result<Self, BindError> {
        for port in ports.clone() {
            let address = SocketAddr::new(ip, port);
            match Self::bind_to(address) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(source) => return Err(BindError::Socket { address, source }),
                Ok(socket) => return Ok(socket),
            }
        }
        Err(BindError::NoFreePort { ip, ports })
    }

    fn bind_to(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        size_buffers(&socket);
        let socket = UdpSocket::from(socket);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        switch_off_unread_options(&socket, address)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, state, address })
    }

    /// From now on the kernel tells the ECN bits of each message: a control message more to copy with each, so that nobody has
    /// it who does not ask.
    pub fn read_ecn(&self) -> io::Result<()> {
        // A socket that takes both has IPv4's from `IP_TOS` (ip(7)) and IPv6's from `IPV6_TCLASS` (ipv6(7)).
        set_option(&self.socket, libc::IPPROTO_IP, libc::IP_RECVTOS, 1)?;
        if self.address.is_ipv6() {
            set_option(&self.socket, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1)?;
        }
        Ok(())
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the kernel splits runs of datagrams (`UDP_SEGMENT`).
    pub fn has_gso(&self) -> bool {
        self.state.max_gso_segments() > 1
    }

    /// Datagrams that the kernel dropped since the start because the socket's buffer was full.
    /// The same number as `SO_RXQ_OVFL` would attach to each message; asked for, it costs a
    /// received packet nothing.
    pub fn kernel_drops(&self) -> io::Result<u32> {
        let mut values = [0u32; MEMINFO_VALUES];
        let mut len = socket_len(&values);
        // SAFETY: the pointers are to a live array of `len` bytes and to that length; the kernel
        // writes at most `len` bytes, and any bytes are a valid [u32].
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                values.as_mut_ptr().cast::<c_void>(),
                &raw mut len,
            )
        };
        if result == 0 { Ok(values[MEMINFO_DROPS]) } else { Err(io::Error::last_os_error()) }
    }

    pub(super) fn state(&self) -> &UdpSocketState {
        &self.state
    }

    pub fn as_socket(&self) -> &UdpSocket {
        &self.socket
    }
}

/// Asks for the buffers and says so, once, if the system gives less.
fn size_buffers(socket: &Socket) {
    static WARNED: Once = Once::new();
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    // Linux reports twice the size that was set, its own bookkeeping included.
    let receive = socket.recv_buffer_size().unwrap_or(0) / 2;
    let send = socket.send_buffer_size().unwrap_or(0) / 2;
    if receive.min(send) < BUFFER_BYTES {
        WARNED.call_once(|| {
            warn!(
                receive,
                send,
                wanted = BUFFER_BYTES,
                "UDP buffers are smaller than wanted, bursts may be lost: raise net.core.rmem_max and wmem_max"
            );
        });
    }
}

/// quinn-udp asks for each packet's arrival time, destination and ECN bits. The time is read by
/// `lateness`, ECN bits where [`RtcSocket::read_ecn`] asks for them; each costs on every packet.
fn switch_off_unread_options(socket: &UdpSocket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv4() {
        set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 0)?;
        SockRef::from(socket).set_recv_tos_v4(false)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_RECVTOS, 0)?;
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 0)?;
        SockRef::from(socket).set_recv_tclass_v6(false)
    }
}

pub(super) fn set_option(socket: &impl AsRawFd, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the pointer is to a live c_int and the length is its size; the kernel only reads it.
    let result = unsafe {
        let value = ptr::from_ref(&value).cast::<c_void>();
        libc::setsockopt(socket.as_raw_fd(), level, option, value, socket_len(&0 as &c_int))
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[allow(clippy::cast_possible_truncation, reason = "option values are a few bytes long")]
fn socket_len<T>(value: &T) -> socklen_t {
    size_of_val(value) as socklen_t
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_port_of_the_range_is_taken() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let first = RtcSocket::bind(ip, 23_400..=23_403).unwrap();
        let second = RtcSocket::bind(ip, first.address().port()..=23_403).unwrap();
        assert_eq!(second.address().port(), first.address().port() + 1);
        let taken = first.address().port()..=second.address().port();
        assert!(matches!(RtcSocket::bind(ip, taken), Err(BindError::NoFreePort { .. })));
    }

    #[test]
    fn the_kernel_reports_what_overran_the_buffer() {
        let socket = RtcSocket::bind(IpAddr::from([127, 0, 0, 1]), 0..=0).unwrap();
        assert_eq!(socket.kernel_drops().unwrap(), 0);
        SockRef::from(socket.as_socket()).set_recv_buffer_size(4096).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        (0..100).for_each(|_| assert_eq!(sender.send_to(&[0; 1200], socket.address()).unwrap(), 1200));
        let drops = socket.kernel_drops().unwrap();
        assert!((1..100).contains(&drops), "{drops}");
    }
}
