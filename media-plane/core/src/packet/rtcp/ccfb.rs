//! Congestion control feedback (RFC 8888): which packets of each SSRC arrived, when, and with which ECN mark.

use super::super::ecn::Ecn;
use super::super::{WriteError, u16_at, u32_at};
use super::wire::{FORMAT_CCFB, RtcpError, TRANSPORT_FEEDBACK};
use super::write::{finish, start};

/// Most packets that one report block may speak of (RFC 8888 section 3.1).
pub const MAX_REPORTS: u16 = 1 << 14;

/// SSRC, first sequence number, count.
const BLOCK_HEADER: usize = 8;
/// Fields of a packet's report: received, ECN, arrival time offset.
const RECEIVED: u16 = 1 << 15;
const ECN_SHIFT: u16 = 13;
const OFFSET_BITS: u16 = 0x1fff;
/// Offsets from this one on are no times: this one, too long ago; the one after it, unknown.
const NO_TIME: u16 = 0x1ffe;

/// One congestion control feedback packet.
#[derive(Clone, Copy, Debug)]
pub struct CongestionFeedback<'a> {
    /// Who reports.
    pub sender_ssrc: u32,
    /// When it was made by the receiver's clock, in 65536ths of a second modulo 2^32.
    pub timestamp: u32,
    blocks: &'a [u8],
}

/// What it says of one SSRC.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamReport<'a> {
    /// The stream's.
    pub ssrc: u32,
    /// Sequence number of the first packet.
    pub begin: u16,
    packets: &'a [[u8; 2]],
}

/// A packet that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reception {
    /// As the packet's IP header had it on arrival.
    pub ecn: Ecn,
    /// How long before the message was made, in 1024ths of a second. None: 8 s or more, or unknown.
    pub offset: Option<u16>,
}

impl<'a> CongestionFeedback<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, RtcpError> {
        let sender_ssrc = u32_at(body, 0).ok_or(RtcpError::CcfbTooShort)?;
        let after = body.get(4..).unwrap_or_default();
        let (blocks, timestamp) = after.split_last_chunk().ok_or(RtcpError::CcfbTooShort)?;
        let mut rest = blocks;
        while !rest.is_empty() {
            rest = StreamReport::split(rest)?.1;
        }
        Ok(Self { sender_ssrc, timestamp: u32::from_be_bytes(*timestamp), blocks })
    }

    /// One of each SSRC, in the order of the message.
    pub fn streams(&self) -> impl Iterator<Item = StreamReport<'a>> + 'a {
        let mut rest = self.blocks;
        std::iter::from_fn(move || {
            let (report, after) = StreamReport::split(rest).ok()?;
            rest = after;
            Some(report)
        })
    }
}

impl<'a> StreamReport<'a> {
    /// The first block of `bytes`, and what is behind it.
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), RtcpError> {
        let past_end = RtcpError::CcfbBlocksPastEnd;
        let ssrc = u32_at(bytes, 0).ok_or(past_end)?;
        let begin = u16_at(bytes, 4).ok_or(past_end)?;
        let count = u16_at(bytes, 6).ok_or(past_end)?;
        if count > MAX_REPORTS {
            return Err(RtcpError::BadCcfbCount);
        }
        // An odd count is padded to a word.
        let len = 2 * usize::from(count.next_multiple_of(2));
        let after = bytes.get(BLOCK_HEADER..).unwrap_or_default();
        let (packets, rest) = after.split_at_checked(len).ok_or(past_end)?;
        let packets = packets.as_chunks().0.get(..usize::from(count)).unwrap_or_default();
        Ok((Self { ssrc, begin, packets }, rest))
    }

    /// It speaks of no packet.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// What it says of a packet: none if nothing, `Some(None)` that it did not arrive.
    pub fn of(&self, sequence: u16) -> Option<Option<Reception>> {
        let offset = usize::from(sequence.wrapping_sub(self.begin));
        self.packets.get(offset).map(|report| Reception::read(u16::from_be_bytes(*report)))
    }

    /// Each packet it speaks of, with its sequence number; none: it did not arrive.
    pub fn packets(self) -> impl Iterator<Item = (u16, Option<Reception>)> + 'a {
        let begin = self.begin;
        (0..).zip(self.packets).map(move |(offset, report)| {
            (begin.wrapping_add(offset), Reception::read(u16::from_be_bytes(*report)))
        })
    }
}

impl Reception {
    fn read(report: u16) -> Option<Self> {
        let [high, _] = (report << 1).to_be_bytes();
        let offset = report & OFFSET_BITS;
        let reception = Self { ecn: Ecn::from_bits(high >> 6), offset: (offset < NO_TIME).then_some(offset) };
        (report & RECEIVED != 0).then_some(reception)
    }

    fn report(self) -> u16 {
        let offset = self.offset.map_or(OFFSET_BITS, |offset| offset.min(NO_TIME));
        RECEIVED | u16::from(self.ecn.bits()) << ECN_SHIFT | offset
    }
}

/// A message with a block for each of `streams`: SSRC, first sequence number, and from that on what became of
/// each packet; none: it did not arrive. An offset of 8 s or more is written as too long ago.
pub fn write_congestion_feedback<P: ExactSizeIterator<Item = Option<Reception>>>(
    out: &mut [u8],
    sender_ssrc: u32,
    timestamp: u32,
    streams: impl Iterator<Item = (u32, u16, P)>,
) -> Result<usize, WriteError> {
    let mut writer = start(out, TRANSPORT_FEEDBACK, FORMAT_CCFB)?;
    writer.put_u32(sender_ssrc)?;
    for (ssrc, begin, packets) in streams {
        let count = u16::try_from(packets.len()).ok().filter(|count| *count <= MAX_REPORTS);
        writer.put_u32(ssrc)?;
        writer.put_u16(begin)?;
        writer.put_u16(count.ok_or(WriteError::TooManyElements)?)?;
        for packet in packets {
            writer.put_u16(packet.map_or(0, Reception::report))?;
        }
        writer.pad_to_word()?;
    }
    writer.put_u32(timestamp)?;
    finish(writer)
}

#[cfg(test)]
mod tests;
