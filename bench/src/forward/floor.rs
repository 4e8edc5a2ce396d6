//! The floor: what forwarding costs at the very least. A burst is received, opened once, sealed for
//! every consumer and sent, with nothing parsed, looked up, checked or counted.

use super::Scenario;
use super::measure::{Lane, Stepped};
use crate::messages::Messages;
use crate::system::{set_option, widen_buffers};
use anyhow::{Result, bail, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

const HEADER: usize = 12;
const TAG: usize = 16;
const SOURCE_SSRC: u32 = 1;
const PAYLOAD_TYPE: u8 = 96;
const BUFFER_BYTES: libc::c_int = 64 << 20;

/// Protection with AEAD_AES_256_GCM (RFC 7714), the suite that the engine's handshakes choose.
struct Stream {
    key: LessSafeKey,
    /// Salt XOR SSRC at its place in the nonce (section 8.1).
    mask: u128,
    ssrc: u32,
}

impl Stream {
    /// Its keys follow from the SSRC.
    fn new(ssrc: u32) -> Result<Self> {
        let mut key = [0x6b; 32];
        key[..4].copy_from_slice(&ssrc.to_be_bytes());
        let salt = 0x5a17_1234_5678_9abc_def0_5a17_u128;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key)?);
        Ok(Self { key, mask: salt ^ u128::from(ssrc) << 48, ssrc })
    }

    #[inline]
    fn nonce(&self, index: u64) -> Nonce {
        let [_, _, _, _, nonce @ ..] = (self.mask ^ u128::from(index)).to_be_bytes();
        Nonce::assume_unique_for_key(nonce)
    }

    /// Fills `out` with the packet of this index: roll-over counter and sequence number.
    #[inline]
    fn seal(&self, index: u64, timestamp: &[u8], payload: &[u8], out: &mut [u8]) -> Result<()> {
        let (header, rest) = out.split_at_mut(HEADER);
        let [.., high, low] = index.to_be_bytes();
        header[..4].copy_from_slice(&[0x80, PAYLOAD_TYPE, high, low]);
        header[4..8].copy_from_slice(timestamp);
        header[8..].copy_from_slice(&self.ssrc.to_be_bytes());
        let (body, tag) = rest.split_at_mut(payload.len());
        let nonce = self.nonce(index);
        self.key.seal_out_of_place_scatter(nonce, Aad::from(&*header), payload, body, &[], tag)?;
        Ok(())
    }

    /// Opens the packet of this index in place; what is between header and tag is then plain.
    #[inline]
    fn open(&self, index: u64, packet: &mut [u8]) -> Result<()> {
        let (message, tag) = packet.split_at_mut(packet.len() - TAG);
        let (header, body) = message.split_at_mut(HEADER);
        self.key.open_in_place_separate_tag(self.nonce(index), Aad::from(&*header), tag, body)?;
        Ok(())
    }
}

/// The floor of one scenario. Sockets and buffers are set up once and used again and again.
pub(super) struct Floor {
    packet_len: usize,
    burst: usize,
    feeder: UdpSocket,
    /// One burst, sealed once: the floor keeps no replay window.
    feed: Messages,
    receiver: UdpSocket,
    input: Messages,
    source: Stream,
    consumers: Vec<Stream>,
    /// Every consumer's next index.
    next: u64,
    sender: UdpSocket,
    output: Messages,
}

impl Floor {
    pub(super) fn new(scenario: &Scenario, destinations: &[SocketAddrV4]) -> Result<Self> {
        let burst = scenario.burst;
        let packet_len = HEADER + scenario.payload + TAG;
        let (feeder, receiver) = (bind(Ipv4Addr::LOCALHOST)?, bind(Ipv4Addr::LOCALHOST)?);
        set_option(&receiver, libc::SOL_UDP, libc::UDP_GRO, 1)?;
        let SocketAddr::V4(to) = receiver.local_addr()? else { bail!("an IPv4 socket with another address") };
        let of = |peers: &[SocketAddrV4]| Messages::new(peers, packet_len * burst, packet_len);
        let (mut feed, input, output) = (of(&[to]), of(&[to]), of(destinations));
        let source = Stream::new(SOURCE_SSRC)?;
        let packets = feed.bytes_mut().flat_map(|message| message.chunks_exact_mut(packet_len));
        for (index, packet) in (0..).zip(packets) {
            source.seal(index, &[0, 0, 0, 1], &plaintext(index, scenario.payload), packet)?;
        }
        let consumers =
            (SOURCE_SSRC + 1..).take(destinations.len()).map(Stream::new).collect::<Result<_>>()?;
        let sender = bind(Ipv4Addr::UNSPECIFIED)?;
        Ok(Self {
            packet_len,
            burst,
            feeder,
            feed,
            receiver,
            input,
            source,
            consumers,
            next: 0,
            sender,
            output,
        })
    }

    #[inline]
    fn receive_and_open(&mut self) -> Result<()> {
        let messages = self.input.receive(&self.receiver);
        let len = self.input.first_len();
        ensure!(
            (messages, len) == (1, self.packet_len * self.burst),
            "the floor's burst came as {len} bytes"
        );
        let packets = self.input.bytes_mut().flat_map(|message| message.chunks_exact_mut(self.packet_len));
        for (index, packet) in (0..).zip(packets) {
            self.source.open(index, packet)?;
        }
        Ok(())
    }

    #[inline]
    fn seal(&mut self) -> Result<()> {
        let input = self.input.first();
        for (consumer, run) in self.consumers.iter().zip(self.output.bytes_mut()) {
            let pairs = input.chunks_exact(self.packet_len).zip(run.chunks_exact_mut(self.packet_len));
            for (index, (source, packet)) in (self.next..).zip(pairs) {
                consumer.seal(index, &source[4..8], &source[HEADER..source.len() - TAG], packet)?;
            }
        }
        self.next += self.burst as u64;
        Ok(())
    }

    /// One burst without sending: each consumer must be able to open what is laid out for it.
    pub(super) fn verify(&mut self) -> Result<()> {
        self.fill()?;
        let first = self.next;
        self.receive_and_open()?;
        self.seal()?;
        for (consumer, run) in self.consumers.iter().zip(self.output.bytes_mut()) {
            let mut run = run.to_vec();
            for (k, packet) in (0..).zip(run.chunks_exact_mut(self.packet_len)) {
                consumer.open(first + k, packet)?;
                let plain = &packet[HEADER..packet.len() - TAG];
                ensure!(plain == plaintext(k, plain.len()), "the floor forwards something else");
            }
        }
        Ok(())
    }
}

impl Lane for Floor {
    fn fill(&mut self) -> Result<()> {
        Ok(self.feed.send(&self.feeder)?)
    }

    fn step(&mut self) -> Result<Stepped> {
        self.receive_and_open()?;
        self.seal()?;
        self.output.send(&self.sender)?;
        let runs = self.consumers.len();
        Ok(Stepped { packets: runs * self.burst, runs, datagrams: runs * self.burst })
    }
}

fn bind(ip: Ipv4Addr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind((ip, 0))?;
    widen_buffers(&socket, BUFFER_BYTES)?;
    // A datagram that may not be fragmented needs no identification, which the kernel would make by
    // a hash each time. The node's sockets do the same.
    set_option(&socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)?;
    Ok(socket)
}

fn plaintext(index: u64, len: usize) -> Vec<u8> {
    let [.., seed] = index.to_be_bytes();
    (0..=u8::MAX).cycle().map(|byte| byte.wrapping_mul(31) ^ seed).take(len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::Media;

    #[test]
    fn every_consumer_can_open_what_the_floor_sends() {
        let scenario = Scenario { media: Media::Video, payload: 700, burst: 4, consumers: 3 };
        let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, sink.local_addr().unwrap().port());
        let mut floor = Floor::new(&scenario, &[to; 3]).unwrap();
        floor.verify().unwrap();
        floor.fill().unwrap();
        assert_eq!(floor.step().unwrap().packets, 12);
        let mut packet = [0; 2048];
        let sizes: Vec<usize> = (0..12).map(|_| sink.recv(&mut packet).unwrap()).collect();
        assert_eq!(sizes, [HEADER + 700 + TAG; 12]);
        floor.consumers[2].open(7, &mut packet[..HEADER + 700 + TAG]).unwrap();
        assert!(floor.step().is_err(), "nothing was there to be received");
    }
}
