//! What a client reports of what it was sent, besides what it lost: transport-wide feedback, receiver
//! reports, and echoes of the node's times.

use crate::heard::middle;
use crate::peer::Peer;
use railgun_media_core::packet::rtcp::{
    LastReference, ReportBlock, TransportCcInfo, write_last_references, write_receiver_report,
    write_transport_cc,
};
use std::time::Instant;

impl Peer {
    /// Feedback on these arrivals, with their times since `start`.
    pub fn feedback_on(&mut self, arrivals: Vec<(u16, Instant)>, start: Instant) -> Option<Vec<u8>> {
        self.heard.feedback_on(arrivals, start)
    }

    /// Feedback on the transport-wide numbers that arrived since the last one, sealed: on the last 500 of
    /// them, for which a datagram has room.
    pub fn feedback(&mut self) -> Option<Vec<u8>> {
        let numbers: Vec<u16> = self.take_arrivals().into_iter().map(|(number, _)| number).collect();
        let newest = numbers.get(numbers.len().saturating_sub(500)..)?;
        (!newest.is_empty()).then(|| self.acknowledge(newest))
    }

    /// The transport-wide numbers that arrived since this or [`Self::feedback`] was asked last, with their times.
    pub fn take_arrivals(&mut self) -> Vec<(u16, Instant)> {
        std::mem::take(&mut self.heard.arrivals)
    }

    /// From now on notes what comes by SSRC.
    pub fn note_streams(&mut self) {
        self.heard.streams.get_or_insert_default();
    }

    /// Feedback by SSRC (RFC 8888) on what came since the last one, with times since `start`; none if nothing did.
    pub fn congestion_feedback(&mut self, start: Instant, now: Instant) -> Option<Vec<u8>> {
        self.heard.streams.as_mut()?.report(start, now)
    }

    /// The middle of the time that a stream's last sender report said, and when that came.
    pub fn last_time(&self, ssrc: u32) -> Option<(u32, Instant)> {
        self.heard.last_time(ssrc)
    }

    /// The transport-wide number that arrived last.
    pub fn newest_number(&self) -> Option<u16> {
        self.heard.newest
    }

    /// Feedback that says these numbers arrived, sealed. They lie within half of all numbers.
    pub fn acknowledge(&mut self, numbers: &[u16]) -> Vec<u8> {
        let pivot = numbers[0];
        let ahead = |number: &u16| number.wrapping_sub(pivot).cast_signed();
        let mut sorted = numbers.to_vec();
        sorted.sort_by_key(ahead);
        let (first, last) = (sorted[0], sorted[sorted.len() - 1]);
        let count = usize::from(last.wrapping_sub(first)) + 1;
        let mut statuses = vec![None; count];
        for number in sorted {
            statuses[usize::from(number.wrapping_sub(first))] = Some(1);
        }
        let info = TransportCcInfo {
            sender_ssrc: 1,
            media_ssrc: 2,
            base_sequence: first,
            reference_time: 1,
            feedback_count: 0,
        };
        let mut out = [0; 1400];
        let len = write_transport_cc(&mut out, &info, statuses.into_iter()).expect("room");
        self.seal_rtcp(&out[..len])
    }

    /// A receiver report of these streams with what the node is to be told of its times, sealed.
    pub fn report_times(&mut self, ssrcs: &[u32]) -> Vec<u8> {
        let block = |ssrc: &u32| ReportBlock {
            ssrc: *ssrc,
            last_sr: self.heard.times.get(ssrc).map_or(0, |(ntp, _)| middle(*ntp)),
            ..ReportBlock::default()
        };
        let blocks: Vec<_> = ssrcs.iter().map(block).collect();
        self.report_blocks(&blocks, self.heard.reference)
    }

    /// A receiver report with these blocks, and an echo of (whose, which time), sealed.
    pub fn report_blocks(&mut self, blocks: &[ReportBlock], echo: Option<(u32, u32)>) -> Vec<u8> {
        let mut out = [0; 1400];
        let mut len = write_receiver_report(&mut out, 1, blocks).expect("room");
        if let Some((ssrc, time)) = echo {
            let echo = LastReference { ssrc, time, delay: 0 };
            len += write_last_references(&mut out[len..], 1, &[echo]).expect("room");
        }
        self.seal_rtcp(&out[..len])
    }

    /// The NTP time and the timestamp of a stream's last sender report.
    pub fn last_report(&self, ssrc: u32) -> Option<(u64, u32)> {
        self.heard.times.get(&ssrc).copied()
    }

    /// Who asked for an echo last, and of which time.
    pub fn last_reference(&self) -> Option<(u32, u32)> {
        self.heard.reference
    }
}
