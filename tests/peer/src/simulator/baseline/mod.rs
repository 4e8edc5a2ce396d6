//! A call over a bad network whose sender is not the node but has another congestion control: the same publisher, link,
//! receiver and seeds as in [`super::run`], so that two runs differ by what controls the sender.
//!
//! It stands where the node stands, for one camera with speech and one viewer; of calls with more there is no run. `chooser`
//! chooses the layers by the target alone. Headroom and the time over which it measures were set in favour of GoogCC, on the
//! catalogue and every third radio with seed 1: of headroom 10-30 %, 3-10 s, a pause of 0-8 s before a layer is added
//! again, and padding or none, with either pacing.
//!
//! GoogCC (`googcc`, `pacer`, `plain`) is what `goog_cc` makes of it without field trials:
//!
//! - Feedback is what the node gets, transport-cc each 50 ms and receiver reports each second.
//! - It is told that the application wants probes while it is limited (as SFUs on WebRTC's library do), and what camera and
//!   speech take at most.
//! - Padding is wanted while the camera is paused, up to its lowest layer, since GoogCC raises its target to 1.5 times what
//!   arrives at most. Padding up to the next layer at all times was 5-30 % of what came, for no more pictures.
//! - WebRTC paces at 2.5 times the target, which suits an encoder that follows it. A key frame that is forwarded is 5 to
//!   10 mean frames long and fills a queue at that rate; [`Baseline::GoogCcPaced`] has 1.2 instead.
//! - Packets have SRTP's length, and the node's header extensions by length. Packets of speech have a transport-wide number, as
//!   a browser's have; the node's have none.
//!
//! str0m (`pair`) is both sides with everything that a call has: its estimator is not public. Padding is wanted up to the next
//! layer, as its documentation tells SFUs to. Requests for key frames are the simulator's.
//!
//! Left out against the node: requests to the publisher for fewer layers, and for GoogCC DTLS and ICE checks.

mod chooser;
mod googcc;
mod pacer;
mod plain;
mod pair;
#[cfg(test)]
mod tests;
mod wire;

use super::frame::Frame;
use super::publisher::Publisher;
use super::viewer::Receiver;
use super::{
    AUDIO, AUDIO_BYTES, CAMERA, Link, Picture, STEP, Scenario, UDP_IP, UPLINK, Viewed, camera_of,
    round_trip_over,
};
use crate::parameters::Offer;
use chooser::{Chooser, Rate};
use pacer::{EXTENSIONS, PICTURES, SPEECH, TAG, write_packet};
use pair::Pair;
use plain::Plain;
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wire::{SECOND, VIEWER, Wire};

/// Whose congestion control is the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// GoogCC with WebRTC's pacing, 2.5 times its target.
    GoogCc,
    /// GoogCC with a pacing rate of 1.2 times its target.
    GoogCcPaced,
    /// str0m's, with str0m on both sides.
    Str0m,
}

/// Between two looks at how much padding is wanted.
const PADDING: Duration = Duration::from_millis(100);

/// Simulates a call of one publisher with a camera and one viewer that reports what is true; `None` for any other call.
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
    wire: Box<dyn Wire>,
    /// Padding up to the next layer at all times, else while the camera is paused alone.
    is_padded: bool,
    next_padding: Instant,
    receiver: Receiver,
    viewed: Viewed,
}

impl Stage {
    fn new(scenario: &Scenario, seed: u64, baseline: Baseline) -> Option<Self> {
        let link = scenario.links.first()?.clone();
        let offer = Offer::simulcast(1, u8::try_from(scenario.layers.len()).ok()?);
        let camera = camera_of(offer, &scenario.layers, scenario.fps, 0, seed);
        let (delay, round_trip) = (link.delay, round_trip_over(&link));
        let top = scenario.layers.iter().map(|it| it.bitrate).max().unwrap_or(0);
        let wanted = top * 11 / 10 + super::SPEECH;
        let mut now = Instant::now();
        let wire: Box<dyn Wire> = match baseline {
            Baseline::GoogCc => Box::new(Plain::new(wanted, 2.5, round_trip, now)),
            Baseline::GoogCcPaced => Box::new(Plain::new(wanted, 1.2, round_trip, now)),
            Baseline::Str0m => {
                let (pair, connected) = Pair::connect(wanted, now)?;
                now = connected;
                Box::new(pair)
            }
        };
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
            wire,
            is_padded: baseline == Baseline::Str0m,
            next_padding: now + PADDING,
            receiver,
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
            self.report(step);
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
            let datagram = entry.remove();
            if self.wire.take_report(&datagram, now) {
                self.camera.owe_key_frame(CAMERA);
            }
        }
        if self.chooser.wants_key_frame(now) {
            self.camera.owe_key_frame(CAMERA);
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
            self.wire.push(true, out, payload, now);
            return;
        }
        let Some(payload) = payload.len().checked_sub(TAG).and_then(|len| payload.get(..len)) else { return };
        let Some(frame) = Frame::read(payload) else { return };
        let speech = self.speech_rate.get(self.start, now);
        let budget = self.wire.target() as f64 - speech;
        if self.chooser.takes(&frame, payload.len() + AROUND + EXTENSIONS[1], budget, now) {
            self.wire.push(false, out, payload, now);
        }
    }

    /// Tells the sender how much padding is wanted, and puts what it sends on the link.
    fn send(&mut self) {
        let now = self.now;
        if self.next_padding <= now {
            self.next_padding += PADDING;
            let speech = self.speech_rate.get(self.start, now);
            let is_padded = self.is_padded || self.chooser.is_paused();
            let next = if is_padded { self.chooser.next_rate(now) } else { 0.0 };
            self.wire.pad_to(if next > 0.0 { next + speech } else { 0.0 }, now);
        }
        for datagram in self.wire.poll(now) {
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
        for packet in self.wire.arrive(datagram, at) {
            self.viewed.take_packet(&packet, at - self.start);
            self.receiver.take(&packet, at);
        }
    }

    /// What the viewer sends.
    fn report(&mut self, step: u32) {
        let now = self.now;
        for datagram in self.wire.report(&mut self.receiver, step, now) {
            let order = self.order();
            self.downlink.insert((now + self.delay, order), datagram);
        }
    }

    /// Notes what is measured each millisecond, and what each 100 ms.
    fn note(&mut self, step: u32) {
        let (now, viewed) = (self.now, &mut self.viewed);
        viewed.look_at(&self.link, step, now);
        if step.is_multiple_of(100) {
            viewed.estimates.push((now - self.start, Some(self.wire.target())));
        }
        if let Some(picture) = viewed.pictures.first_mut() {
            let current = self.chooser.current();
            if picture.layers.last().map(|(_, layers)| *layers) != Some(current) {
                picture.layers.push((now - self.start, current));
            }
        }
    }
}
