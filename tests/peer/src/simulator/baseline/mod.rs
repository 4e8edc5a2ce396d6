//! A call over a bad network whose sender is not the node but GoogCC: the same publisher, link, receiver and seeds as in
//! [`super::run`], so that two runs differ by what controls the sender.
//!
//! It stands where the node stands, for one camera with speech and one viewer; of calls with more there is no run.
//!
//! - GoogCC is what `goog_cc` makes of it without field trials, with the feedback that the node gets: transport-cc each 50
//!   ms, receiver reports each second. It is told that the application wants probes while it is limited (as SFUs on
//!   WebRTC's library do), and what camera and speech take at most.
//! - Layers are chosen by `chooser`, packets paced by `pacer` at the rate that GoogCC says.
//! - Padding is wanted while the camera is paused, up to its lowest layer, since GoogCC raises its target to 1.5 times what
//!   arrives at most. Padding up to the next layer at all times was 5-30 % of what came, for no more pictures.
//! - WebRTC paces at 2.5 times the target, which suits an encoder that follows it. A key frame that is forwarded is 5 to
//!   10 mean frames long and fills a queue at that rate; [`Baseline::GoogCcPaced`] has 1.2 instead.
//! - Headroom of the layers and the time over which rates are measured were set in GoogCC's favour, on the catalogue and
//!   every third radio with seed 1: of headroom 10-30 %, 3-10 s, a pause of 0-8 s before a layer is added again, and padding
//!   or none, with either pacing.
//!
//! Left out against the node: requests to the publisher for fewer layers, DTLS, and ICE checks. SRTP and SRTCP have their
//! length, packets of speech and pictures the node's header extensions by length. Speech has a transport-wide number here,
//! as from a browser; the node's has none.

mod chooser;
mod googcc;
mod pacer;
#[cfg(test)]
mod tests;

use super::frame::Frame;
use super::publisher::Publisher;
use super::viewer::Receiver;
use super::{AUDIO, AUDIO_BYTES, FEEDBACK, Link, Picture, STEP, Scenario, UDP_IP, UPLINK, Viewed};
use crate::feedback::write_arrivals;
use crate::heard::middle;
use crate::parameters::Offer;
use chooser::{Chooser, Rate};
use googcc::{Controller, ntp_of};
use pacer::{EXTENSIONS, NUMBER_ID, PICTURES, Pacer, SPEECH, TAG, write_packet};
use railgun_media_core::packet::rtcp::{RtcpPacket, SenderInfo, parse_compound, write_sender_report};
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Whose congestion control is the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// GoogCC with WebRTC's pacing, 2.5 times its target.
    GoogCc,
    /// GoogCC with a pacing rate of 1.2 times its target.
    GoogCcPaced,
}

impl Baseline {
    /// Pacing rate by target.
    fn pacing(self) -> f64 {
        match self {
            Self::GoogCc => 2.5,
            Self::GoogCcPaced => 1.2,
        }
    }
}

/// Address of the viewer.
const VIEWER: ([u8; 4], u16) = ([10, 9, 0, 1], 5_000);
/// Trailer and tag of SRTCP, without their contents.
const RTCP_TRAILER: usize = 20;
/// Between two looks at how much padding is wanted.
const PADDING: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

/// Simulates a call. `None` for one that is not of one publisher with a camera and one viewer that reports what is true.
pub fn run(scenario: &Scenario, seed: u64, baseline: Baseline) -> Option<Viewed> {
    let is_single = scenario.publishers == 1 && scenario.links.len() == 1 && !scenario.layers.is_empty();
    let is_single = is_single && scenario.reports == super::Reports::True;
    is_single.then(|| Stage::new(scenario, seed, baseline)?.run(scenario.duration)).flatten()
}

struct Stage {
    now: Instant,
    start: Instant,
    link: Link,
    delay: Duration,
    camera: Publisher,
    next_picture: Instant,
    next_audio: Instant,
    speech: u32,
    /// When each layer's publisher sent what, by when it is at the sender.
    uplink: BTreeMap<(Instant, u64), Vec<u8>>,
    /// RTCP of the viewer, by when it is at the sender.
    downlink: BTreeMap<(Instant, u64), Vec<u8>>,
    orders: u64,
    chooser: Chooser,
    speech_rate: Rate,
    pacer: Pacer,
    next_padding: Instant,
    next_sender_report: Instant,
    receiver: Receiver,
    arrivals: Vec<(u16, Instant)>,
    feedback_count: u8,
    /// Of each stream, the middle of the last sender report's time and when that came.
    times: BTreeMap<u32, (u32, Instant)>,
    next_feedback: Instant,
    next_report: Instant,
    round_trip: Duration,
    viewed: Viewed,
}

impl Stage {
    fn new(scenario: &Scenario, seed: u64, baseline: Baseline) -> Option<Self> {
        let now = Instant::now();
        let link = scenario.links.first()?.clone();
        // The seeds of the same call with the node.
        let camera_seed = seed.wrapping_mul(977);
        let offer = Offer::simulcast(1, u8::try_from(scenario.layers.len()).ok()?);
        let camera = Publisher::new(offer, &scenario.layers, scenario.fps, 0x5000_0000, camera_seed);
        let (delay, jitter) = (link.delay, link.jitter);
        let top = scenario.layers.iter().map(|it| it.bitrate).max().unwrap_or(0);
        let wanted = top * 11 / 10 + super::catalogue::SPEECH;
        let mut receiver = Receiver::default();
        receiver.add(SPEECH, false);
        receiver.add(PICTURES, true);
        Some(Self {
            now,
            start: now,
            link: Link::new(link, seed.wrapping_add(100), now),
            delay,
            camera,
            next_picture: now,
            next_audio: now,
            speech: 100,
            uplink: BTreeMap::new(),
            downlink: BTreeMap::new(),
            orders: 0,
            chooser: Chooser::new(scenario.layers.len(), now),
            speech_rate: Rate::default(),
            pacer: Pacer::new(Controller::new(wanted, baseline.pacing(), now), now),
            next_padding: now + PADDING,
            next_sender_report: now + SECOND,
            receiver,
            arrivals: Vec::new(),
            feedback_count: 0,
            times: BTreeMap::new(),
            next_feedback: now + FEEDBACK,
            next_report: now + Duration::from_millis(500),
            round_trip: 2 * delay + jitter + Duration::from_millis(20),
            viewed: Viewed { pictures: vec![Picture::default()], ..Viewed::default() },
        })
    }

    fn run(mut self, duration: Duration) -> Option<Viewed> {
        let steps = u32::try_from(duration.as_millis()).ok()?;
        let speech_ends = self.start + duration.saturating_sub(SECOND);
        for step in 0..steps {
            self.publish(speech_ends);
            self.forward();
            self.send();
            self.now += STEP;
            self.arrive();
            self.report(step)?;
            self.note(step);
        }
        let Self { start, link, receiver, mut viewed, .. } = self;
        viewed.finish(&receiver, &link, std::iter::once(PICTURES), (start, duration));
        Some(viewed)
    }

    fn order(&mut self) -> u64 {
        self.orders += 1;
        self.orders
    }

    /// The publisher sends, as far as it is time.
    fn publish(&mut self, speech_ends: Instant) {
        let now = self.now;
        if self.next_audio <= now && now < speech_ends {
            self.next_audio += AUDIO;
            let header = HeaderWriter {
                marker: false,
                payload_type: 111,
                sequence: 0,
                timestamp: self.speech.wrapping_mul(960),
                ssrc: SPEECH,
            };
            self.speech += 1;
            self.viewed.speech_sent += 1;
            let order = self.order();
            self.uplink.insert((now + UPLINK, order), write_packet(header, &[], &[5; AUDIO_BYTES]));
        }
        if self.next_picture <= now {
            self.next_picture += self.camera.interval();
            // With SRTP's tag, so that the publisher paces what it paces towards the node.
            let packets = self.camera.picture_with(1.0, |header, _, elements, payload| {
                write_packet(header, elements, &[payload, &[0; TAG]].concat())
            });
            for (after, packet) in packets {
                let order = self.order();
                self.uplink.insert((now + after + UPLINK, order), packet);
            }
        }
    }

    /// The sender takes what came from the publisher and from the viewer.
    fn forward(&mut self) {
        let now = self.now;
        while let Some(entry) = self.uplink.first_entry().filter(|it| it.key().0 <= now) {
            let packet = entry.remove();
            self.take(&packet);
        }
        while let Some(entry) = self.downlink.first_entry().filter(|it| it.key().0 <= now) {
            let compound = entry.remove();
            for packet in parse_compound(&compound).into_iter().flatten() {
                match packet {
                    RtcpPacket::Nack(nack) => nack.lost().for_each(|lost| self.pacer.push_again(lost, now)),
                    RtcpPacket::Pli(_) => self.camera.owe_key_frame(0x5000_0000),
                    _ => {}
                }
            }
            self.pacer.control.on_rtcp(&compound, now);
        }
        if self.chooser.wants_key_frame(now) {
            self.camera.owe_key_frame(0x5000_0000);
        }
    }

    fn take(&mut self, packet: &[u8]) {
        let now = self.now;
        let Ok(header) = RtpHeader::parse(packet) else { return };
        let Some(payload) = header.strip_padding(packet).ok().and_then(|range| packet.get(range)) else {
            return;
        };
        let out = HeaderWriter {
            marker: header.marker,
            payload_type: header.payload_type,
            sequence: 0,
            timestamp: header.timestamp,
            ssrc: 0,
        };
        // Around a payload: headers and tag, besides the extensions.
        const AROUND: usize = UDP_IP + 12 + TAG;
        if header.ssrc == SPEECH {
            self.speech_rate.add(payload.len() + AROUND + EXTENSIONS[0], now);
            self.pacer.push_speech(out, payload);
            return;
        }
        let Some(payload) = payload.len().checked_sub(TAG).and_then(|len| payload.get(..len)) else { return };
        let Some(frame) = Frame::read(payload) else { return };
        let speech = self.speech_rate.get(self.start, now);
        let budget = self.pacer.control.target as f64 - speech;
        if self.chooser.takes(&frame, payload.len() + AROUND + EXTENSIONS[1], budget, now) {
            self.pacer.push_picture(out, payload);
        }
    }

    /// What the sender puts on the link.
    fn send(&mut self) {
        let now = self.now;
        if self.next_padding <= now {
            self.next_padding += PADDING;
            let speech = self.speech_rate.get(self.start, now);
            let wanted = self.chooser.resumes_at(now).map_or(0.0, |rate| rate + speech);
            self.pacer.control.pad_to(wanted, now);
        }
        let mut datagrams = self.pacer.poll(now);
        if self.next_sender_report <= now {
            self.next_sender_report += SECOND;
            for ssrc in [SPEECH, PICTURES] {
                let ntp = ntp_of(now - self.start);
                let info = SenderInfo { ssrc, ntp, ..SenderInfo::default() };
                let mut out = vec![0; 200];
                if let Ok(len) = write_sender_report(&mut out, &info, &[]) {
                    out.truncate(len + RTCP_TRAILER);
                    datagrams.push(out);
                }
            }
        }
        for datagram in datagrams {
            self.link.push(SocketAddr::from(VIEWER), datagram, now);
        }
    }

    /// What comes off the link by now.
    fn arrive(&mut self) {
        while let Some(at) = self.link.next().filter(|at| *at <= self.now) {
            while let Some((_, datagram)) = self.link.pop(at) {
                self.receive(&datagram, at);
            }
        }
    }

    fn receive(&mut self, datagram: &[u8], at: Instant) {
        let is_rtcp = datagram.get(1).is_some_and(|kind| (192..224).contains(kind));
        let tail = if is_rtcp { RTCP_TRAILER } else { TAG };
        let Some(packet) = datagram.len().checked_sub(tail).and_then(|len| datagram.get(..len)) else {
            return;
        };
        if is_rtcp {
            for part in parse_compound(packet).into_iter().flatten() {
                if let RtcpPacket::SenderReport(report) = part {
                    self.times.insert(report.info.ssrc, (middle(report.info.ntp), at));
                }
            }
            return;
        }
        let number = RtpHeader::parse(packet).ok().and_then(|header| {
            let number = header.extension(packet, NUMBER_ID)?;
            number.first_chunk().map(|number| u16::from_be_bytes(*number))
        });
        self.arrivals.extend(number.map(|number| (number, at)));
        let second = usize::try_from((at - self.start).as_secs()).unwrap_or(0);
        let seconds = &mut self.viewed.bytes_by_second;
        seconds.resize(seconds.len().max(second + 1), 0);
        if let Some(bytes) = seconds.get_mut(second) {
            *bytes += (packet.len() + UDP_IP) as u64;
        }
        self.receiver.take(packet, at);
        let mixed = packet
            .iter()
            .fold(self.viewed.fingerprint, |sum, byte| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte));
        self.viewed.fingerprint = mixed;
    }

    /// The viewer's RTCP, as [`super::run`] has it.
    fn report(&mut self, step: u32) -> Option<()> {
        let now = self.now;
        let mut control = Vec::new();
        if step.is_multiple_of(5) {
            control = self.receiver.requests(self.round_trip, now);
        }
        if self.next_feedback <= now {
            self.next_feedback += FEEDBACK;
            let arrivals = std::mem::take(&mut self.arrivals);
            if let Some(feedback) = write_arrivals(arrivals, self.start, self.feedback_count) {
                self.feedback_count = self.feedback_count.wrapping_add(1);
                control.push(feedback);
            }
        }
        if self.next_report <= now {
            self.next_report += SECOND;
            let times = &self.times;
            control.extend(self.receiver.report(|ssrc| times.get(&ssrc).copied(), now));
        }
        for compound in control {
            let order = self.order();
            self.downlink.insert((now + self.delay, order), compound);
        }
        Some(())
    }

    /// Notes what is measured each millisecond, 100 ms and second.
    fn note(&mut self, step: u32) {
        let (now, viewed) = (self.now, &mut self.viewed);
        if (step + 1).is_multiple_of(1_000) {
            viewed.sent_by_second.push(self.link.taken_bytes);
        }
        viewed.queue.push(self.link.queueing(now).as_secs_f32() * 1_000.0);
        if step.is_multiple_of(100) {
            viewed.estimates.push((now - self.start, Some(self.pacer.control.target)));
        }
        if let Some(picture) = viewed.pictures.first_mut() {
            let current = self.chooser.current();
            if picture.layers.last().map(|(_, layers)| *layers) != Some(current) {
                picture.layers.push((now - self.start, current));
            }
        }
    }
}
