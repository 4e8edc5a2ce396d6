//! The floor: what forwarding costs at the very least. A burst is received, opened once, sealed for
//! every consumer and sent, with nothing parsed, looked up, checked or counted.

use super::measure::{Lane, Stepped};
use super::options::Scenario;
use super::stream::{HEADER, Stream};
use crate::messages::Messages;
use crate::system::{set_option, widen_buffers};
use anyhow::{Result, bail, ensure};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

const SOURCE_SSRC: u32 = 1;
const PAYLOAD_TYPE: u8 = 96;
const BUFFER_BYTES: libc::c_int = 64 << 20;

/// The floor of one scenario. Sockets and buffers are set up once and used again and again.
pub(super) struct Floor {
    packet_len: usize,
    tag_len: usize,
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
        let tag_len = scenario.suite.tag_len();
        let packet_len = HEADER + scenario.payload + tag_len;
        let (feeder, receiver) = (bind(Ipv4Addr::LOCALHOST)?, bind(Ipv4Addr::LOCALHOST)?);
        set_option(&receiver, libc::SOL_UDP, libc::UDP_GRO, 1)?;
        let SocketAddr::V4(to) = receiver.local_addr()? else { bail!("an IPv4 socket with another address") };
        let of = |peers: &[SocketAddrV4]| Messages::new(peers, packet_len * burst, packet_len);
        let (mut feed, input, output) = (of(&[to]), of(&[to]), of(destinations));
        let stream = |ssrc| Stream::new(scenario.suite, ssrc);
        let source = stream(SOURCE_SSRC)?;
        let packets = feed.bytes_mut().flat_map(|message| message.chunks_exact_mut(packet_len));
        for (index, packet) in (0..).zip(packets) {
            source.seal(PAYLOAD_TYPE, index, &[0, 0, 0, 1], &plaintext(index, scenario.payload), packet)?;
        }
        let consumers = (SOURCE_SSRC + 1..).take(destinations.len()).map(stream).collect::<Result<_>>()?;
        let sender = bind(Ipv4Addr::UNSPECIFIED)?;
        Ok(Self {
            packet_len,
            tag_len,
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
                let payload = &source[HEADER..source.len() - self.tag_len];
                consumer.seal(PAYLOAD_TYPE, index, &source[4..8], payload, packet)?;
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
                let plain = &packet[HEADER..packet.len() - self.tag_len];
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
    use crate::forward::options::Media;
    use railgun_media_core::srtp::Suite;

    #[test]
    fn every_consumer_can_open_what_the_floor_sends() {
        for suite in Suite::ALL {
            let scenario = Scenario { suite, media: Media::Video, payload: 700, burst: 4, consumers: 3 };
            let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
            let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, sink.local_addr().unwrap().port());
            let mut floor = Floor::new(&scenario, &[to; 3]).unwrap();
            floor.verify().unwrap();
            floor.fill().unwrap();
            assert_eq!(floor.step().unwrap().packets, 12);
            let mut packet = [0; 2048];
            let sizes: Vec<usize> = (0..12).map(|_| sink.recv(&mut packet).unwrap()).collect();
            let len = HEADER + 700 + suite.tag_len();
            assert_eq!(sizes, [len; 12]);
            floor.consumers[2].open(7, &mut packet[..len]).unwrap();
            assert!(floor.step().is_err(), "nothing was there to be received");
        }
    }
}
