//! The network on the other side of two TUN devices, through which any number of clients reach the
//! node, each from an address of its own. What goes to clients who listen is read from the one. The
//! other is left full, so that it drops as the floor's sink does: reading costs the sender, and a
//! network card is not read by another core of the machine.

use crate::system::{ip, make_tun};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The node's own address.
pub(super) const NODE: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);
const HEARD: &str = "bench0";
/// The first address of those who listen. As many follow as fit into 16 bits.
const FIRST_HEARD: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 0);
/// What waits to be read; more is dropped and counted.
const HEARD_QUEUE: u32 = 100_000;
const UNHEARD: &str = "bench1";
const FIRST_UNHEARD: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 0);
/// Linux's own, as the floor's sink has it; an answer to each handshake fits.
const UNHEARD_QUEUE: u32 = 500;

/// `struct virtio_net_hdr`, then an IPv4 header without options, then UDP's.
const OFFLOAD: usize = 10;
const IPV4: usize = 20;
const UDP: usize = 8;
const HEADERS: usize = OFFLOAD + IPV4 + UDP;
const FRAME_MAX: usize = HEADERS + 65_535;
/// VIRTIO_NET_HDR_F_NEEDS_CSUM and VIRTIO_NET_HDR_GSO_UDP_L4.
const NEEDS_CHECKSUM: u8 = 1;
const GSO_UDP: u8 = 5;
const PROTOCOL_UDP: u8 = 17;
const TTL: u8 = 64;

pub(super) struct Wire {
    heard: File,
    unheard: File,
    frame: Vec<u8>,
}

/// A client of the wire: the place among those who listen, or among those who do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    Heard(u16),
    Unheard(u16),
}

/// Datagrams of `segment` bytes, the last maybe shorter, for one client.
pub(super) struct Run<'a> {
    pub(super) to: SocketAddrV4,
    segment: usize,
    bytes: &'a [u8],
}

impl<'a> Run<'a> {
    pub(super) fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> {
        self.bytes.chunks(self.segment)
    }
}

impl Wire {
    /// In the calling thread's network namespace.
    pub(super) fn open() -> Result<Self> {
        let heard = open_device(HEARD, FIRST_HEARD, HEARD_QUEUE)?;
        let unheard = open_device(UNHEARD, FIRST_UNHEARD, UNHEARD_QUEUE)?;
        ip(&format!("address add {NODE}/30 dev {HEARD}"))?;
        Ok(Self { heard, unheard, frame: vec![0; FRAME_MAX] })
    }

    /// The address of a client's transport: two ports on an address for each.
    pub(super) fn address(client: Client, port: u16) -> SocketAddrV4 {
        let (first, place) = match client {
            Client::Heard(place) => (FIRST_HEARD, place),
            Client::Unheard(place) => (FIRST_UNHEARD, place),
        };
        SocketAddrV4::new(Ipv4Addr::from(u32::from(first) + u32::from(place)), port)
    }

    /// The inverse of [`Self::address`], for the address alone.
    pub(super) fn client(to: SocketAddrV4) -> Option<Client> {
        let place_from =
            |first: Ipv4Addr| u16::try_from(u32::from(*to.ip()).checked_sub(u32::from(first))?).ok();
        let heard = place_from(FIRST_HEARD).map(Client::Heard);
        heard.or_else(|| place_from(FIRST_UNHEARD).map(Client::Unheard))
    }

    /// Sends datagrams of equal length, one behind the other in `bytes`, as one message.
    #[allow(clippy::cast_possible_truncation, reason = "lengths of an IPv4 datagram")]
    pub(super) fn write(
        &mut self,
        from: SocketAddrV4,
        to_port: u16,
        segment: usize,
        bytes: &[u8],
    ) -> Result<()> {
        let frame = &mut self.frame[..HEADERS + bytes.len()];
        let (headers, body) = frame.split_at_mut(HEADERS);
        body.copy_from_slice(bytes);
        let (offload, packet) = headers.split_at_mut(OFFLOAD);
        offload.fill(0);
        if bytes.len() > segment {
            offload[0] = NEEDS_CHECKSUM;
            offload[1] = GSO_UDP;
            offload[2..4].copy_from_slice(&((IPV4 + UDP) as u16).to_ne_bytes());
            offload[4..6].copy_from_slice(&(segment as u16).to_ne_bytes());
            offload[6..8].copy_from_slice(&(IPV4 as u16).to_ne_bytes());
            // Of the checksum in the UDP header.
            offload[8..10].copy_from_slice(&6u16.to_ne_bytes());
        }
        let (ipv4, udp) = packet.split_at_mut(IPV4);
        ipv4.fill(0);
        ipv4[0] = 0x45;
        ipv4[2..4].copy_from_slice(&((IPV4 + UDP + bytes.len()) as u16).to_be_bytes());
        (ipv4[8], ipv4[9]) = (TTL, PROTOCOL_UDP);
        ipv4[12..16].copy_from_slice(&from.ip().octets());
        ipv4[16..20].copy_from_slice(&NODE.octets());
        let checksum = !sum(ipv4);
        ipv4[10..12].copy_from_slice(&checksum.to_be_bytes());
        udp[..2].copy_from_slice(&from.port().to_be_bytes());
        udp[2..4].copy_from_slice(&to_port.to_be_bytes());
        udp[4..6].copy_from_slice(&((UDP + bytes.len()) as u16).to_be_bytes());
        // None (RFC 768): the device is not a lossy one.
        udp[6..8].fill(0);
        let device = match Self::client(from) {
            Some(Client::Unheard(_)) => &mut self.unheard,
            _ => &mut self.heard,
        };
        device.write_all(&self.frame[..HEADERS + bytes.len()]).context("writing to the device")
    }

    /// The node's next message to one who listens, if there is one.
    pub(super) fn read(&mut self) -> Result<Option<Run<'_>>> {
        read(&mut self.heard, &mut self.frame)
    }

    /// The same for those who do not. Who reads until there is none makes room for answers.
    pub(super) fn read_unheard(&mut self) -> Result<Option<Run<'_>>> {
        read(&mut self.unheard, &mut self.frame)
    }

    /// Messages to those who listen that were dropped because they were not read soon enough.
    pub(super) fn overruns() -> Result<u64> {
        let text = std::fs::read_to_string("/proc/thread-self/net/dev").context("/proc/net/dev")?;
        let named =
            |line: &'_ str| line.trim_start().strip_prefix(HEARD)?.strip_prefix(':').map(str::to_owned);
        let line = text.lines().find_map(named);
        let dropped = line
            .as_deref()
            .and_then(|line| line.split_whitespace().nth(11))
            .context("the device's counters")?;
        Ok(dropped.parse()?)
    }
}

fn open_device(name: &str, first: Ipv4Addr, queue: u32) -> Result<File> {
    let (device, _) = make_tun(name, libc::O_NONBLOCK)?;
    ip(&format!("link set {name} up txqueuelen {queue}"))?;
    ip(&format!("route add {first}/16 dev {name}"))?;
    Ok(device)
}

fn read<'a>(device: &mut File, frame: &'a mut [u8]) -> Result<Option<Run<'a>>> {
    loop {
        let len = match device.read(frame) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("reading from the device"),
        };
        // Neighbour discovery and the like are IPv6.
        if len < HEADERS || frame[OFFLOAD] != 0x45 || frame[OFFLOAD + 9] != PROTOCOL_UDP {
            continue;
        }
        let (headers, bytes) = frame[..len].split_at(HEADERS);
        let (offload, packet) = headers.split_at(OFFLOAD);
        let ip = Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19]);
        let port = u16::from_be_bytes([packet[IPV4 + 2], packet[IPV4 + 3]]);
        let gso = usize::from(u16::from_ne_bytes([offload[4], offload[5]]));
        let segment = if gso == 0 { bytes.len().max(1) } else { gso };
        return Ok(Some(Run { to: SocketAddrV4::new(ip, port), segment, bytes }));
    }
}

/// The one's complement sum of 16-bit words (RFC 1071).
fn sum(header: &[u8]) -> u16 {
    let words = header.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071 section 3.
    #[test]
    fn the_checksum_is_the_internets() {
        assert_eq!(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0xddf2);
    }

    #[test]
    fn an_address_leads_back_to_its_client() {
        for client in [Client::Heard(0), Client::Heard(u16::MAX), Client::Unheard(0), Client::Unheard(1234)] {
            assert_eq!(Wire::client(Wire::address(client, 5000)), Some(client));
        }
        assert_eq!(Wire::client(SocketAddrV4::new(Ipv4Addr::new(1, 1, 1, 1), 1)), None);
    }
}
