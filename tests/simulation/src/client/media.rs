//! A client's transports: ICE, DTLS and SRTP of the sans-IO peer, over a port of the world's network.

use super::asking::Asking;
use super::relayed::{Login, Relayed};
use super::repairs::{Repairs, Sent};
use crate::kernel::{Nanos, SECOND, UdpPort, now};
use anyhow::Context;
use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound};
use railgun_media_core::packet::rtp::RtpHeader;
use railgun_peer::{
    AUDIO_LEVEL_ID, Arrival, DESCRIPTOR_ID, MID_ID, Offer, Peer, REPAIRED_RID_ID, RID_ID, TRANSPORT_CC_ID,
    Video,
};
use railgun_protocol::ids::TransportId;
use railgun_protocol::transport_parameters::TransportParameters;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Instant;

/// A browser's consent checks.
const CHECK_INTERVAL: Nanos = 4 * SECOND;
/// Without a word from the node for so long a browser gives its path up (RFC 7675, 5.1).
const CONSENT_TIMEOUT: Nanos = 30 * SECOND;
/// What lay in the port for longer was not late: nobody took it.
const READ_INTERVAL_MAX: Nanos = SECOND / 2;
/// Of receiver reports.
const REPORT_INTERVAL: Nanos = SECOND;
/// Of a simulcast's layers, which no other stream has.
const LAYER_SSRCS: u32 = 0x3000_0000;
/// Of feedback on what came, as browsers send it at low rates.
const FEEDBACK_INTERVAL: Nanos = SECOND / 10;
/// Begins what a packet says about its sender.
const MARK: &[u8] = b"\xf0who\xf1";

pub(super) struct Transport {
    pub id: String,
    pub peer: Peer,
    pub port: UdpPort,
    node: SocketAddr,
    /// Through the relay; none: straight to the node.
    way: Option<Relayed>,
    next_check: Nanos,
    pub began: Nanos,
    pub has_failed: bool,
    next_report: Nanos,
    next_feedback: Nanos,
    /// Of the times in feedback.
    start: Instant,
    /// Of streams that were heard.
    ssrcs: BTreeSet<u32>,
    /// When the node was heard last.
    heard: Nanos,
    /// When what came was taken last.
    read: Nanos,
    /// The node asked for a key frame since the last picture.
    pub wants_key_frame: bool,
    pub asking: Asking,
    repairs: Repairs,
    /// Transport-wide sequence number of the last packet that was sent.
    number: u16,
}

/// The picture that a packet of video belongs to, by its number in the stream, and the packet's place in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picture {
    pub video: Video,
    pub number: u64,
    pub part: u8,
    pub is_key: bool,
}

/// A packet that was opened.
#[derive(Debug)]
pub(super) struct Heard {
    /// Of the stream; of a retransmission, that of the original.
    pub ssrc: u32,
    pub is_again: bool,
    /// Roll-over counter and sequence number are the receiver's business; here the sequence number.
    pub sequence: u16,
    /// User, channel and source as the sender wrote them; none: padding, or a probe.
    pub tag: Option<String>,
}

impl Transport {
    /// As the reply to `createTransport` describes it.
    pub(super) async fn new(
        ip: Ipv4Addr,
        port: u16,
        reply: &Value,
        seed: u64,
        login: Option<&Login>,
    ) -> anyhow::Result<Self> {
        let parameters: TransportParameters = serde_json::from_value(reply.clone())?;
        let candidate = parameters.ice_candidates.first().context("no candidate")?;
        let node = SocketAddr::new(candidate.address, candidate.port);
        let id: TransportId = serde_json::from_value(reply["transportId"].clone())?;
        let port = UdpPort::open(SocketAddrV4::new(ip, port)).context("the port is taken")?;
        let way = match login {
            Some(login) => Some(Relayed::open(&port, login, node, seed).await?),
            None => None,
        };
        let peer = Peer::new(id, port.address(), &parameters, seed, Instant::now());
        let id = reply["transportId"].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            id,
            peer,
            port,
            node,
            way,
            next_check: now() + CHECK_INTERVAL,
            began: now(),
            has_failed: false,
            next_report: 0,
            next_feedback: 0,
            start: Instant::now(),
            ssrcs: BTreeSet::new(),
            heard: now(),
            read: now(),
            wants_key_frame: false,
            asking: Asking::default(),
            repairs: Repairs::default(),
            number: 65_500,
        })
    }

    /// Goes on from another port, as behind a NAT that forgot the old one. A relay's client has no other way.
    pub(super) fn roam(&mut self, ip: Ipv4Addr, port: u16) {
        let Some(port) = UdpPort::open(SocketAddrV4::new(ip, port)).filter(|_| self.way.is_none()) else {
            return;
        };
        self.peer.address = port.address();
        self.port = port;
        self.next_check = 0;
    }

    pub(super) fn start(&mut self) {
        self.peer.start(Instant::now());
        self.flush();
    }

    fn flush(&mut self) {
        for datagram in self.peer.take_outgoing() {
            self.send(&datagram);
        }
    }

    fn send(&self, datagram: &[u8]) {
        match &self.way {
            Some(way) => way.send(&self.port, datagram),
            None => self.port.send(self.node, datagram),
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self) {
        self.peer.handle_timeout(Instant::now());
        self.flush();
        let interval = if self.peer.is_connected() { CHECK_INTERVAL } else { SECOND / 2 };
        if now() >= self.next_check.min(self.next_check.saturating_sub(CHECK_INTERVAL) + interval) {
            self.next_check = now() + CHECK_INTERVAL;
            let check = self.peer.check();
            self.send(&check);
            // And besides the relay, as a browser may that does not keep to its policy.
            if self.way.is_some() {
                self.port.send(self.node, &check);
            }
        }
        if self.peer.is_connected() && now() >= self.next_report {
            self.next_report = now() + REPORT_INTERVAL;
            self.report();
        }
        if self.peer.is_connected() && now() >= self.next_feedback {
            self.next_feedback = now() + FEEDBACK_INTERVAL;
            let arrivals = self.peer.take_arrivals();
            if let Some(feedback) = self.peer.feedback_on(arrivals, self.start) {
                let feedback = self.peer.seal_rtcp(&feedback);
                self.send(&feedback);
            }
        }
    }

    /// As browsers report, and echo what the node wants to hear from where it sends to.
    fn report(&mut self) {
        let ssrcs: Vec<u32> = self.ssrcs.iter().copied().take(31).collect();
        let report = self.peer.report_times(&ssrcs);
        self.send(&report);
        if let Some(requests) = self.asking.requests(&self.ssrcs) {
            let requests = self.peer.seal_rtcp(&requests);
            self.send(&requests);
        }
    }

    /// What came meanwhile.
    pub(super) fn receive(&mut self) -> (Vec<Heard>, usize) {
        let was_connected = self.is_connected();
        self.read = now();
        for (from, datagram) in self.port.take() {
            let of_node = match &self.way {
                Some(way) => way.receive(from, &datagram),
                None => (SocketAddr::from(from) == self.node).then_some(datagram.as_slice()),
            };
            if let Some(datagram) = of_node {
                self.heard = now();
                self.peer.receive(datagram, Instant::now());
            }
        }
        self.flush();
        let arrivals = std::mem::take(&mut self.peer.arrivals);
        let unopened =
            arrivals.iter().filter(|it| was_connected && matches!(it, Arrival::Unopened(_))).count();
        let asking = &mut self.asking;
        let mut lost = Vec::new();
        let (ssrcs, wants_key_frame) = (&mut self.ssrcs, &mut self.wants_key_frame);
        let heard = arrivals.into_iter().filter_map(|arrival| match arrival {
            Arrival::Rtp(packet) => {
                let header = RtpHeader::parse(&packet).ok()?;
                ssrcs.insert(header.ssrc);
                let payload = &packet[header.header_len..];
                let at = payload.windows(MARK.len()).position(|part| part == MARK);
                let tag = at.map(|at| String::from_utf8_lossy(&payload[at + MARK.len()..]).into_owned());
                let again = asking.on_packet(
                    header.ssrc,
                    header.sequence,
                    header.strip_padding(&packet).ok().and_then(|it| packet.get(it)).unwrap_or_default(),
                );
                let (ssrc, is_again) = (again.unwrap_or(header.ssrc), again.is_some());
                Some(Heard { ssrc, is_again, sequence: header.sequence, tag })
            }
            Arrival::Rtcp(compound) => {
                for packet in parse_compound(&compound).into_iter().flatten() {
                    match packet {
                        RtcpPacket::Pli(_) | RtcpPacket::Fir(_) => *wants_key_frame = true,
                        RtcpPacket::Nack(nack) => lost.extend(nack.lost().map(|it| (nack.media_ssrc, it))),
                        _ => {}
                    }
                }
                None
            }
            _ => None,
        });
        let heard = heard.collect();
        for (ssrc, sequence) in lost {
            if let Some((index, again)) = self.repairs.answer(ssrc, sequence) {
                self.send_again(index, &again);
            }
        }
        (heard, unopened)
    }

    fn send_again(&mut self, index: u64, again: &Sent) {
        self.number = self.number.wrapping_add(1);
        let number = self.number.to_be_bytes();
        let mut extensions = vec![(MID_ID, again.mid.as_bytes())];
        extensions.extend(again.rid.as_ref().map(|rid| (REPAIRED_RID_ID, rid.as_bytes())));
        extensions.push((TRANSPORT_CC_ID, &number));
        let packet = self.peer.seal_rtp(again.header, index, &extensions, &again.payload);
        self.send(&packet);
    }

    /// What came is taken at once, so that the time at which it is opened is the time at which it came.
    pub(super) fn is_read_in_time(&self) -> bool {
        now() < self.read + READ_INTERVAL_MAX
    }

    /// The way to the node is lost, though nobody said so: a relay forgot it.
    pub(super) fn has_lost_consent(&self) -> bool {
        self.is_connected() && now() >= self.heard + CONSENT_TIMEOUT
    }

    pub(super) fn is_connected(&self) -> bool {
        self.peer.is_connected()
    }

    /// The next packet of a source, or of a layer of it. `level`: how loud it is, if it is sound.
    pub(super) fn speak(
        &mut self,
        offer: &Offer,
        layer: Option<u8>,
        index: u64,
        picture: Picture,
        tag: &str,
        level: u8,
    ) {
        let Picture { video, number, part, is_key } = picture;
        let timestamp = u32::try_from(number & 0xffff_ffff).unwrap_or_default().wrapping_mul(960);
        let is_video = offer.payload_type == 96;
        let rest = [MARK, tag.as_bytes()].concat();
        let begins = if is_video { video.payload(number, part, is_key, rest.len()) } else { vec![5; 8] };
        let payload = [begins, rest].concat();
        let is_last = !is_video || part + 1 == video.parts();
        let mut header = offer.header(index, timestamp, is_last);
        let rid = layer.map(|layer| format!("r{layer}"));
        let level = [0x80 | level];
        let descriptor = video.descriptor(number, is_key).filter(|_| is_video);
        let mut extensions = vec![(MID_ID, offer.mid.as_bytes())];
        if let (Some(layer), Some(rid)) = (layer, &rid) {
            header.ssrc = LAYER_SSRCS + (offer.ssrc & 0xffff) * 4 + u32::from(layer);
            extensions.push((RID_ID, rid.as_bytes()));
        }
        if !is_video {
            extensions.push((AUDIO_LEVEL_ID, &level));
        }
        self.number = self.number.wrapping_add(1);
        let number = self.number.to_be_bytes();
        extensions.push((TRANSPORT_CC_ID, &number));
        extensions.extend(descriptor.as_deref().map(|it| (DESCRIPTOR_ID, it)));
        let packet = self.peer.seal_rtp(header, index, &extensions, &payload);
        self.send(&packet);
        if is_video {
            self.repairs.remember(Sent { header, mid: offer.mid.clone(), rid, payload });
        }
    }
}
