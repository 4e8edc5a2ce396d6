//! RTCP compound packets (RFC 3550 section 6, RFC 4585, RFC 5104, RFC 8888), reduced-size ones included
//! (RFC 5506), as borrowed views.
//!
//! [`parse_compound`] checks every sub-packet to its last entry first, so a datagram is taken whole
//! or not at all.

mod wire;
mod report;
mod extended;
mod feedback;
mod transport_cc;
mod transport_cc_write;
mod ccfb;
mod write;

use super::MAX_DATAGRAM;
use wire::*;

pub use ccfb::{CongestionFeedback, MAX_REPORTS, Reception, StreamReport, write_congestion_feedback};
pub use extended::{ExtendedReport, LastReference, write_last_references, write_reference_time};
pub use feedback::{Fir, FirEntry, Nack, NackEntry, Pli, Remb};
pub use report::{Bye, ReceiverReport, ReportBlock, Sdes, SenderInfo, SenderReport};
pub use transport_cc::{MAX_STATUSES, TransportCc};
pub(crate) use transport_cc_write::ChunkPacker;
pub use transport_cc_write::{TransportCcInfo, write_transport_cc};
pub use wire::RtcpError;
pub use write::{
    write_bye, write_fir, write_nack, write_pli, write_receiver_report, write_remb, write_sdes_cname,
    write_sender_report,
};

/// Most sub-packets of one compound packet.
pub const MAX_SUB_PACKETS: usize = 64;

/// One sub-packet.
#[derive(Clone, Copy, Debug)]
pub enum RtcpPacket<'a> {
    /// What a sender says of its stream.
    SenderReport(SenderReport<'a>),
    /// What a receiver says of the streams that it gets.
    ReceiverReport(ReceiverReport<'a>),
    /// Names of sources, RFC 3550 section 6.5.
    Sdes(Sdes<'a>),
    /// Sources that end, RFC 3550 section 6.6.
    Bye(Bye<'a>),
    /// Packets asked for again.
    Nack(Nack<'a>),
    /// A key frame asked for.
    Pli(Pli),
    /// Key frames asked for, each until it comes.
    Fir(Fir<'a>),
    /// What a receiver thinks it can take.
    Remb(Remb<'a>),
    /// When packets of a transport arrived.
    TransportCc(TransportCc<'a>),
    /// When packets of each stream arrived, and with which ECN marks.
    CongestionFeedback(CongestionFeedback<'a>),
    /// RFC 3611: times to measure a round trip by.
    Extended(ExtendedReport<'a>),
    /// Well-framed but of no type that is read here (APP and others).
    Unknown {
        /// As RFC 3550 section 12.1 numbers them.
        packet_type: u8,
        /// The count or format field, 0-31.
        format: u8,
    },
}

impl<'a> RtcpPacket<'a> {
    fn parse(frame: Frame<'a>) -> Result<Self, RtcpError> {
        let Frame { packet_type, format, body } = frame;
        Ok(match (packet_type, format) {
            (SENDER_REPORT, count) => Self::SenderReport(SenderReport::parse(count, body)?),
            (RECEIVER_REPORT, count) => Self::ReceiverReport(ReceiverReport::parse(count, body)?),
            (SDES, count) => Self::Sdes(Sdes::parse(count, body)?),
            (BYE, count) => Self::Bye(Bye::parse(count, body)?),
            (TRANSPORT_FEEDBACK, FORMAT_NACK) => Self::Nack(Nack::parse(body)?),
            (TRANSPORT_FEEDBACK, FORMAT_CCFB) => Self::CongestionFeedback(CongestionFeedback::parse(body)?),
            (TRANSPORT_FEEDBACK, FORMAT_TRANSPORT_CC) => Self::TransportCc(TransportCc::parse(body)?),
            (PAYLOAD_FEEDBACK, FORMAT_PLI) => Self::Pli(Pli::parse(body)?),
            (PAYLOAD_FEEDBACK, FORMAT_FIR) => Self::Fir(Fir::parse(body)?),
            (PAYLOAD_FEEDBACK, FORMAT_APPLICATION) if Remb::is_remb(body) => Self::Remb(Remb::parse(body)?),
            (EXTENDED_REPORT, _) => match ExtendedReport::parse(body) {
                Some(report) => Self::Extended(report),
                None => Self::Unknown { packet_type, format },
            },
            _ => Self::Unknown { packet_type, format },
        })
    }
}

/// Checks a decrypted RTCP datagram, then walks its sub-packets.
pub fn parse_compound(datagram: &[u8]) -> Result<Compound<'_>, RtcpError> {
    if datagram.len() > MAX_DATAGRAM {
        return Err(RtcpError::TooLong);
    }
    if datagram.is_empty() {
        return Err(RtcpError::Empty);
    }
    let mut rest = datagram;
    let mut sub_packets = 0;
    while !rest.is_empty() {
        sub_packets += 1;
        if sub_packets > MAX_SUB_PACKETS {
            return Err(RtcpError::TooManySubPackets);
        }
        let (frame, after) = Frame::split(rest)?;
        RtcpPacket::parse(frame)?;
        rest = after;
    }
    Ok(Compound { rest: datagram })
}

/// The sub-packets of a checked datagram.
#[derive(Clone, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Compound<'a> {
    type Item = RtcpPacket<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (frame, rest) = Frame::split(self.rest).ok()?;
        self.rest = rest;
        RtcpPacket::parse(frame).ok()
    }
}

/// A sub-packet behind its four-byte header, padding taken off.
#[derive(Clone, Copy, Debug)]
struct Frame<'a> {
    packet_type: u8,
    format: u8,
    body: &'a [u8],
}

impl<'a> Frame<'a> {
    fn split(datagram: &'a [u8]) -> Result<(Self, &'a [u8]), RtcpError> {
        let (&[flags, packet_type, l0, l1], after) =
            datagram.split_first_chunk().ok_or(RtcpError::HeaderPastEnd)?;
        if flags >> 6 != 2 {
            return Err(RtcpError::BadVersion);
        }
        let len = 4 * usize::from(u16::from_be_bytes([l0, l1]));
        let (mut body, rest) = after.split_at_checked(len).ok_or(RtcpError::LengthPastEnd)?;
        if flags & 0x20 != 0 {
            if !rest.is_empty() {
                return Err(RtcpError::PaddingNotLast);
            }
            body = without_padding(body).ok_or(RtcpError::BadPadding)?;
        }
        Ok((Self { packet_type, format: flags & 0x1f, body }, rest))
    }
}

fn without_padding(body: &[u8]) -> Option<&[u8]> {
    // RFC 3550 section 6.4.1 wants a multiple of four; Chromium pads its transport-cc by one to three.
    let padding = usize::from(*body.last()?);
    let kept = body.len().checked_sub(padding).filter(|_| padding > 0)?;
    body.get(..kept)
}

#[cfg(test)]
mod tests;
