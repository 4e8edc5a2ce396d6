//! What a client noted of what it was sent: which transport-wide numbers arrived, and which times it was
//! told last.

use crate::ccfb::StreamArrivals;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::packet::rtcp::{RtcpPacket, TransportCcInfo, parse_compound, write_transport_cc};
use railgun_media_core::packet::rtp::RtpHeader;
use std::collections::BTreeMap;
use std::time::Instant;

/// The router's id of the transport-wide number.
pub(crate) const NUMBER_ID: u8 = 5;
/// Arrivals that one message of feedback has room for.
const ARRIVALS_MAX: usize = 400;

#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// In the order of their arrival, since they were taken last.
    pub(crate) arrivals: Vec<(u16, Instant)>,
    pub(crate) newest: Option<u16>,
    /// What came by SSRC, for a client that reports so.
    pub(crate) streams: Option<StreamArrivals>,
    /// Of the next feedback with times.
    pub(crate) feedback_count: u8,
    /// By the stream's SSRC, the last sender report's NTP time and timestamp.
    pub(crate) times: BTreeMap<u32, (u64, u32)>,
    /// When that report came.
    pub(crate) times_at: BTreeMap<u32, Instant>,
    /// Who asked for an echo last, and of which time.
    pub(crate) reference: Option<(u32, u32)>,
}

impl Heard {
    pub(crate) fn rtp(&mut self, packet: &[u8], ecn: Ecn, now: Instant) {
        let header = RtpHeader::parse(packet).ok();
        if let (Some(streams), Some(header)) = (&mut self.streams, &header) {
            streams.on_packet((header.ssrc, header.sequence), ecn, now);
        }
        let number = header.and_then(|header| {
            let number = header.extension(packet, NUMBER_ID)?;
            number.first_chunk().map(|number| u16::from_be_bytes(*number))
        });
        self.arrivals.extend(number.map(|number| (number, now)));
        self.newest = number.or(self.newest);
    }

    pub(crate) fn rtcp(&mut self, compound: &[u8], now: Instant) {
        for packet in parse_compound(compound).into_iter().flatten() {
            match packet {
                RtcpPacket::SenderReport(report) => {
                    self.times_at.insert(report.info.ssrc, now);
                    self.times.insert(report.info.ssrc, (report.info.ntp, report.info.rtp_time));
                }
                RtcpPacket::Extended(report) => {
                    let time = report.reference_time();
                    self.reference = time.map(|time| (report.ssrc, middle(time))).or(self.reference);
                }
                _ => {}
            }
        }
    }

    /// Feedback on these arrivals, with their times since `start`.
    pub(crate) fn feedback_on(&mut self, arrivals: Vec<(u16, Instant)>, start: Instant) -> Option<Vec<u8>> {
        let feedback = write_arrivals(arrivals, start, self.feedback_count)?;
        self.feedback_count = self.feedback_count.wrapping_add(1);
        Some(feedback)
    }

    /// The middle of the time that a stream's last sender report said, and when that came.
    pub(crate) fn last_time(&self, ssrc: u32) -> Option<(u32, Instant)> {
        let (ntp, _) = self.times.get(&ssrc)?;
        Some((middle(*ntp), *self.times_at.get(&ssrc)?))
    }
}

/// The middle 32 bits of an NTP time, as reports repeat it (RFC 3550 §6.4.1).
pub(crate) fn middle(ntp: u64) -> u32 {
    u32::try_from(ntp >> 16 & 0xffff_ffff).expect("32 bits")
}

/// Transport-wide feedback on these arrivals, with their times since `start` (a tick is 250 us).
fn write_arrivals(mut arrivals: Vec<(u16, Instant)>, start: Instant, feedback_count: u8) -> Option<Vec<u8>> {
    let pivot = arrivals.first()?.0;
    arrivals.sort_by_key(|(number, _)| number.wrapping_sub(pivot).cast_signed());
    arrivals.truncate(ARRIVALS_MAX);
    let ticks = |at: Instant| i64::try_from(at.duration_since(start).as_micros() / 250).expect("short");
    let (first, at) = arrivals[0];
    let reference = ticks(at) / 256;
    let mut deltas: Vec<Option<i16>> = Vec::new();
    let mut before = reference * 256;
    for (number, at) in arrivals {
        let place = usize::from(number.wrapping_sub(first));
        if place < deltas.len() {
            continue;
        }
        let Ok(delta) = i16::try_from(ticks(at) - before) else { break };
        deltas.resize(place, None);
        deltas.push(Some(delta));
        before = ticks(at);
    }
    let info = TransportCcInfo {
        sender_ssrc: 1,
        media_ssrc: 2,
        base_sequence: first,
        // It has 24 bits.
        reference_time: i32::try_from(reference & 0x7f_ffff).expect("23 bits"),
        feedback_count,
    };
    let mut out = [0; 1_300];
    let len = write_transport_cc(&mut out, &info, deltas.into_iter()).ok()?;
    Some(out[..len].to_vec())
}
