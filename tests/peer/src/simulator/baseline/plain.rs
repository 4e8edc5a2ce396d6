//! A baseline's sender of our own making around GoogCC, and the viewer's half of its transport, which reports as the one of
//! [`super::super::run`] does.

use super::super::FEEDBACK;
use super::super::viewer::Receiver;
use super::googcc::{Controller, ntp_of};
use super::pacer::{PICTURES, Pacer, SPEECH, TAG};
use super::wire::{SECOND, Wire};
use crate::heard::Heard;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::packet::rtcp::{RtcpPacket, SenderInfo, parse_compound, write_sender_report};
use railgun_media_core::packet::rtp::HeaderWriter;
use std::time::{Duration, Instant};

/// Trailer and tag of SRTCP, without their contents.
const RTCP_TRAILER: usize = 20;

pub(super) struct Plain {
    start: Instant,
    pacer: Pacer,
    next_sender_report: Instant,
    /// What the viewer reports on.
    heard: Heard,
    next_feedback: Instant,
    next_report: Instant,
    round_trip: Duration,
}

impl Plain {
    /// `wanted`: bits a second of all streams at their best. `pacing`: pacing rate by target. `round_trip`: after which
    /// the viewer asks for a packet again.
    pub(super) fn new(wanted: u64, pacing: f64, round_trip: Duration, start: Instant) -> Self {
        Self {
            start,
            pacer: Pacer::new(Controller::new(wanted, pacing, start), start),
            next_sender_report: start + SECOND,
            heard: Heard::default(),
            next_feedback: start + FEEDBACK,
            next_report: start + Duration::from_millis(500),
            round_trip,
        }
    }
}

impl Wire for Plain {
    fn push(&mut self, is_speech: bool, header: HeaderWriter, payload: &[u8], _: Instant) {
        if is_speech {
            self.pacer.push_speech(header, payload);
        } else {
            self.pacer.push_picture(header, payload);
        }
    }

    fn target(&self) -> u64 {
        self.pacer.control.target
    }

    fn pad_to(&mut self, rate: f64, now: Instant) {
        self.pacer.control.pad_to(rate, now);
    }

    fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
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
        datagrams
    }

    fn arrive(&mut self, datagram: &[u8], at: Instant) -> Vec<Vec<u8>> {
        let is_rtcp = datagram.get(1).is_some_and(|kind| (192..224).contains(kind));
        let tail = if is_rtcp { RTCP_TRAILER } else { TAG };
        let Some(packet) = datagram.len().checked_sub(tail).and_then(|len| datagram.get(..len)) else {
            return Vec::new();
        };
        if is_rtcp {
            self.heard.rtcp(packet, at);
            return Vec::new();
        }
        self.heard.rtp(packet, Ecn::NotEct, at);
        vec![packet.to_vec()]
    }

    fn report(&mut self, receiver: &mut Receiver, step: u32, now: Instant) -> Vec<Vec<u8>> {
        let mut control = Vec::new();
        if step.is_multiple_of(5) {
            control = receiver.requests(self.round_trip, now);
        }
        if self.next_feedback <= now {
            self.next_feedback += FEEDBACK;
            let arrivals = std::mem::take(&mut self.heard.arrivals);
            control.extend(self.heard.feedback_on(arrivals, self.start));
        }
        if self.next_report <= now {
            self.next_report += SECOND;
            control.extend(receiver.report(|ssrc| self.heard.last_time(ssrc), now));
        }
        control
    }

    fn take_report(&mut self, compound: &[u8], now: Instant) -> bool {
        let mut wants_key_frame = false;
        for packet in parse_compound(compound).into_iter().flatten() {
            match packet {
                RtcpPacket::Nack(nack) if nack.media_ssrc == PICTURES => {
                    nack.lost().for_each(|lost| self.pacer.push_again(lost, now))
                }
                RtcpPacket::Pli(_) => wants_key_frame = true,
                _ => {}
            }
        }
        self.pacer.control.on_rtcp(compound, now);
        wants_key_frame
    }
}
