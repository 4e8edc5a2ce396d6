//! What a baseline's sender puts on the link and when: speech at once, then packets that were lost, then pictures, at the
//! pacing rate; probe clusters and padding as the congestion control wants them.

use super::googcc::{Cluster, Controller};
use crate::heard::NUMBER_ID;
use crate::link::UDP_IP;
use railgun_media_core::packet::rtp::HeaderWriter;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Contents of the node's other header extensions: absolute send time, and MID in packets of pictures.
const SEND_TIME: (u8, &[u8]) = (4, &[0; 3]);
const MID: (u8, &[u8]) = (1, b"0");
/// All of them with their frame, in bytes: in a packet of speech and in any other.
pub(super) const EXTENSIONS: [usize; 2] = [12, 16];
/// Tag of AES-GCM at the end of each packet, without its contents.
pub(super) const TAG: usize = 16;
pub(super) const SPEECH: u32 = 0x100;
pub(super) const PICTURES: u32 = 0x200;
const AGAIN: u32 = PICTURES + 1;
const PADDING: u32 = 1234;
/// Payload of a packet of padding at most, as WebRTC's.
const PADDING_BYTES: usize = 224;
/// Packets of pictures that can be sent again.
const HISTORY: usize = 2_048;
/// What waits longer than this makes the pacer faster than its rate.
const QUEUE_MAX: f64 = 2.0;
/// A probe that is later than this is given up.
const PROBE_LATE: Duration = Duration::from_secs(5);
/// Time for which a rate counts what was sent before.
const DEBT_MAX: Duration = Duration::from_millis(500);
/// Time that an idle pacer may make up for.
const SLACK: Duration = Duration::from_millis(1);

#[derive(Clone, Debug)]
struct Packet {
    header: HeaderWriter,
    payload: Vec<u8>,
}

/// A packet that can be sent again, and when it was queued last.
#[derive(Clone, Debug)]
struct Kept {
    packet: Packet,
    queued_at: Option<Instant>,
}

/// A cluster that is being sent.
#[derive(Clone, Copy, Debug)]
struct Probe {
    cluster: Cluster,
    started: Instant,
    sent: f64,
    bursts: i32,
}

/// Queues of one receiver's packets.
pub(super) struct Pacer {
    pub(super) control: Controller,
    speech: VecDeque<Packet>,
    again: VecDeque<Packet>,
    pictures: VecDeque<Packet>,
    queued: usize,
    history: BTreeMap<u16, Kept>,
    /// When bytes of packets were sent again, in the last second.
    repaired: VecDeque<(Instant, usize)>,
    /// Next sequence numbers of speech, pictures, packets sent again, and padding.
    sequences: [u16; 4],
    next_number: i64,
    /// When the pacer is free again, and when padding is due.
    free_at: Instant,
    padding_at: Instant,
    probe: Option<Probe>,
    /// Since when the first cluster waits for a packet to begin with.
    probe_waits: Option<Instant>,
}

impl Pacer {
    pub(super) fn new(control: Controller, start: Instant) -> Self {
        Self {
            control,
            speech: VecDeque::new(),
            again: VecDeque::new(),
            pictures: VecDeque::new(),
            queued: 0,
            history: BTreeMap::new(),
            repaired: VecDeque::new(),
            sequences: [1_000; 4],
            next_number: 0,
            free_at: start,
            padding_at: start,
            probe: None,
            probe_waits: None,
        }
    }

    fn packet(&mut self, stream: usize, header: HeaderWriter, payload: Vec<u8>) -> Packet {
        let ssrc = [SPEECH, PICTURES, AGAIN, PADDING][stream];
        let sequence = self.sequences[stream];
        self.sequences[stream] = sequence.wrapping_add(1);
        Packet { header: HeaderWriter { sequence, ssrc, ..header }, payload }
    }

    /// Sequence number and SSRC of the header are replaced.
    pub(super) fn push_speech(&mut self, header: HeaderWriter, payload: &[u8]) {
        let packet = self.packet(0, header, payload.to_vec());
        self.speech.push_back(packet);
    }

    /// [`Self::push_speech`] of a packet of a picture.
    pub(super) fn push_picture(&mut self, header: HeaderWriter, payload: &[u8]) {
        let packet = self.packet(1, header, payload.to_vec());
        self.history.insert(packet.header.sequence, Kept { packet: packet.clone(), queued_at: None });
        let oldest = packet.header.sequence.wrapping_sub(u16::try_from(HISTORY).unwrap_or(u16::MAX));
        self.history.remove(&oldest);
        self.queued += packet.payload.len();
        self.pictures.push_back(packet);
    }

    /// Sends this packet of the pictures again (RFC 4588), if it is kept. Not within a round trip of the time before,
    /// and in a second no more than the target, as WebRTC does.
    pub(super) fn push_again(&mut self, sequence: u16, now: Instant) {
        let Some(lost) = self.history.get_mut(&sequence) else { return };
        while self.repaired.pop_front_if(|(at, _)| *at + Duration::from_secs(1) < now).is_some() {}
        let repaired: usize = self.repaired.iter().map(|(_, bytes)| bytes).sum();
        let is_recent = lost.queued_at.is_some_and(|at| at + self.control.round_trip > now);
        if is_recent || repaired as f64 * 8.0 > self.control.target as f64 {
            return;
        }
        lost.queued_at = Some(now);
        let (header, mut payload) = (lost.packet.header, sequence.to_be_bytes().to_vec());
        payload.extend_from_slice(&lost.packet.payload);
        self.repaired.push_back((now, payload.len()));
        let packet = self.packet(2, header, payload);
        self.queued += packet.payload.len();
        self.again.push_back(packet);
    }

    /// What leaves by now.
    pub(super) fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.control.process(self.queued, now);
        let mut out = Vec::new();
        while let Some(packet) = self.speech.pop_front() {
            out.push(self.send(&packet, true, None, now));
        }
        self.poll_probe(&mut out, now);
        self.free_at = self.free_at.max(now - SLACK);
        self.padding_at = self.padding_at.max(now - SLACK);
        while self.free_at <= now {
            if let Some(packet) = self.next_picture() {
                out.push(self.send(&packet, false, None, now));
            } else if self.control.padding > 0.0 && self.padding_at <= now {
                let packet = self.padding(PADDING_BYTES);
                out.push(self.send(&packet, false, None, now));
            } else {
                break;
            }
        }
        out
    }

    fn next_picture(&mut self) -> Option<Packet> {
        let packet = self.again.pop_front().or_else(|| self.pictures.pop_front())?;
        self.queued -= packet.payload.len();
        Some(packet)
    }

    fn padding(&mut self, bytes: usize) -> Packet {
        let header = HeaderWriter { marker: false, payload_type: 97, sequence: 0, timestamp: 0, ssrc: 0 };
        self.packet(3, header, vec![0; bytes.clamp(1, PADDING_BYTES)])
    }

    /// Sends what is due of a probe cluster: bursts of 2 intervals' bytes each, of pictures that wait and else of
    /// padding. A cluster begins with a packet of a picture.
    fn poll_probe(&mut self, out: &mut Vec<Vec<u8>>, now: Instant) {
        loop {
            if self.probe.is_none() {
                if self.control.probes.is_empty() {
                    return;
                }
                let since = *self.probe_waits.get_or_insert(now);
                if self.pictures.is_empty() && now < since + PROBE_LATE {
                    return;
                }
                self.probe_waits = None;
                let Some(cluster) = self.control.probes.pop_front() else { return };
                if now < since + PROBE_LATE {
                    self.probe = Some(Probe { cluster, started: now, sent: 0.0, bursts: 0 });
                }
                continue;
            }
            let Some(mut probe) = self.probe else { return };
            let due = probe.started + Duration::from_secs_f64(probe.sent / probe.cluster.rate.max(1.0));
            if now < due {
                return;
            }
            let burst = probe.cluster.rate * 2.0 * probe.cluster.apart.as_secs_f64();
            let begun = probe.sent;
            while probe.sent - begun < burst.max(1.0) {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "bytes of a burst"
                )]
                let left = (burst - (probe.sent - begun)) as usize;
                let packet = self.next_picture().unwrap_or_else(|| self.padding(left));
                let datagram = self.send(&packet, false, Some(probe.cluster), now);
                probe.sent += (datagram.len() + UDP_IP) as f64;
                out.push(datagram);
            }
            probe.bursts += 1;
            let is_sent = probe.sent >= probe.cluster.bytes_min && probe.bursts >= probe.cluster.bursts_min;
            self.probe = (!is_sent).then_some(probe);
        }
    }

    /// A packet as it leaves, in place of SRTP with a tag of zeros.
    fn send(&mut self, packet: &Packet, audio: bool, probe: Option<Cluster>, now: Instant) -> Vec<u8> {
        let number = self.next_number;
        self.next_number += 1;
        let low = u16::try_from(number & 0xffff).unwrap_or(0).to_be_bytes();
        let elements = [(NUMBER_ID, low.as_slice()), SEND_TIME, MID];
        let elements = &elements[..if audio { 2 } else { 3 }];
        let mut out = write_packet(packet.header, elements, &packet.payload);
        out.resize(out.len() + TAG, 0);
        let bytes = out.len() + UDP_IP;
        self.control.on_sent(number, bytes, audio, probe, now);
        if !audio {
            let rate = self.control.pacing.max(self.queued as f64 / QUEUE_MAX).max(1.0);
            self.free_at = (self.free_at + Duration::from_secs_f64(bytes as f64 / rate)).min(now + DEBT_MAX);
        }
        if self.control.padding > 0.0 {
            let free = self.padding_at + Duration::from_secs_f64(bytes as f64 / self.control.padding);
            self.padding_at = free.min(now + DEBT_MAX);
        }
        out
    }
}

/// An RTP packet with these header extensions; empty if it is longer than a packet can be.
pub(super) fn write_packet(header: HeaderWriter, elements: &[(u8, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 1_500];
    let Ok(written) = header.write(&mut out, elements) else { return Vec::new() };
    out.truncate(written.len);
    out.extend_from_slice(payload);
    out
}
