//! Sender and receiver reports, source descriptions and BYE (RFC 3550 sections 6.4 to 6.6).

use super::super::u32_at;
use super::wire::{RtcpError, words};

pub(super) const REPORT_BLOCK: usize = 24;
const SENDER_INFO: usize = 24;
const CNAME: u8 = 1;

/// What a receiver saw of one source (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// SSRC of the stream that is reported on.
    pub ssrc: u32,
    /// Part lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in all: 24 bits signed, clamped to that when written.
    pub total_lost: i32,
    /// Sequence number cycles and highest sequence number.
    pub highest_sequence: u32,
    /// In timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's NTP time, 0 if none came.
    pub last_sr: u32,
    /// Since that report, in 1/65536 s.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    fn read(bytes: &[u8; REPORT_BLOCK]) -> Self {
        let word = |at| u32_at(bytes, at).unwrap_or_default();
        let [fraction_lost, l0, l1, l2] = word(4).to_be_bytes();
        Self {
            ssrc: word(0),
            fraction_lost,
            // The 24 bits at the top, moved down with their sign.
            total_lost: i32::from_be_bytes([l0, l1, l2, 0]) >> 8,
            highest_sequence: word(8),
            jitter: word(12),
            last_sr: word(16),
            delay_since_last_sr: word(20),
        }
    }

    pub(super) fn bytes(&self) -> [u8; REPORT_BLOCK] {
        let [_, l0, l1, l2] = self.total_lost.clamp(-0x80_0000, 0x7f_ffff).to_be_bytes();
        let lost = u32::from_be_bytes([self.fraction_lost, l0, l1, l2]);
        let fields =
            [self.ssrc, lost, self.highest_sequence, self.jitter, self.last_sr, self.delay_since_last_sr];
        let mut bytes = [0; REPORT_BLOCK];
        for (place, field) in bytes.as_chunks_mut().0.iter_mut().zip(fields) {
            *place = field.to_be_bytes();
        }
        bytes
    }
}

fn report_blocks(bytes: &[u8]) -> impl Iterator<Item = ReportBlock> + '_ {
    bytes.as_chunks().0.iter().map(ReportBlock::read)
}

/// The sender's own part of a sender report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// SSRC of the stream that is sent.
    pub ssrc: u32,
    /// Wall clock as an NTP timestamp: seconds since 1900 in 32.32 fixed point.
    pub ntp: u64,
    /// The moment of `ntp_time` in the stream's timestamp units.
    pub rtp_time: u32,
    /// RTP packets sent so far, modulo 2^32.
    pub packets: u32,
    /// Payload bytes, without headers and padding.
    pub octets: u32,
}

/// What a sender says of its stream, with what it received of others (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug)]
pub struct SenderReport<'a> {
    /// What the sender says of its own stream.
    pub info: SenderInfo,
    blocks: &'a [u8],
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Result<Self, RtcpError> {
        let word = |at| u32_at(body, at).ok_or(RtcpError::SenderReportTooShort);
        let info = SenderInfo {
            ssrc: word(0)?,
            ntp: u64::from(word(4)?) << 32 | u64::from(word(8)?),
            rtp_time: word(12)?,
            packets: word(16)?,
            octets: word(20)?,
        };
        let end = SENDER_INFO + REPORT_BLOCK * usize::from(count);
        let blocks = body.get(SENDER_INFO..end).ok_or(RtcpError::SenderReportTooShort)?;
        Ok(Self { info, blocks })
    }

    /// At most 31.
    pub fn report_blocks(&self) -> impl Iterator<Item = ReportBlock> + 'a {
        report_blocks(self.blocks)
    }
}

/// What a receiver says of the streams that it gets (RFC 3550 section 6.4.2).
#[derive(Clone, Copy, Debug)]
pub struct ReceiverReport<'a> {
    /// Who reports.
    pub ssrc: u32,
    blocks: &'a [u8],
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Result<Self, RtcpError> {
        let ssrc = u32_at(body, 0).ok_or(RtcpError::ReceiverReportTooShort)?;
        let end = 4 + REPORT_BLOCK * usize::from(count);
        let blocks = body.get(4..end).ok_or(RtcpError::ReceiverReportTooShort)?;
        Ok(Self { ssrc, blocks })
    }

    /// At most 31.
    pub fn report_blocks(&self) -> impl Iterator<Item = ReportBlock> + 'a {
        report_blocks(self.blocks)
    }
}

/// A source description, of which only CNAMEs are read.
#[derive(Clone, Copy, Debug)]
pub struct Sdes<'a> {
    chunks: &'a [u8],
    count: u8,
}

impl<'a> Sdes<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Result<Self, RtcpError> {
        let mut rest = body;
        for _ in 0..count {
            rest = SdesChunk::split(rest).ok_or(RtcpError::SdesPastEnd)?.1;
        }
        Ok(Self { chunks: body, count })
    }

    /// Each source that names itself, as (SSRC, CNAME); the name is bytes of the peer's choice.
    pub fn cnames(&self) -> impl Iterator<Item = (u32, &'a [u8])> + 'a {
        let mut rest = self.chunks;
        let chunks = (0..self.count).map_while(move |_| {
            let (chunk, after) = SdesChunk::split(rest)?;
            rest = after;
            Some(chunk)
        });
        chunks.filter_map(|chunk| Some((chunk.ssrc, chunk.cname?)))
    }
}

struct SdesChunk<'a> {
    ssrc: u32,
    cname: Option<&'a [u8]>,
}

impl<'a> SdesChunk<'a> {
    /// The first chunk and what follows it.
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let ssrc = u32_at(bytes, 0)?;
        let mut at = 4;
        let mut cname = None;
        loop {
            let item = *bytes.get(at)?;
            if item == 0 {
                break;
            }
            let len = usize::from(*bytes.get(at + 1)?);
            let text = bytes.get(at + 2..at + 2 + len)?;
            if item == CNAME && cname.is_none() {
                cname = Some(text);
            }
            at += 2 + len;
        }
        // The list ends with one to four zeros, at a word boundary.
        Some((Self { ssrc, cname }, bytes.get((at + 4) & !3..)?))
    }
}

/// Sources that leave.
#[derive(Clone, Copy, Debug)]
pub struct Bye<'a> {
    sources: &'a [u8],
}

impl<'a> Bye<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Result<Self, RtcpError> {
        let (sources, reason) =
            body.split_at_checked(4 * usize::from(count)).ok_or(RtcpError::ByeTooShort)?;
        match reason.split_first() {
            Some((&len, text)) if text.len() < usize::from(len) => Err(RtcpError::ByeTooShort),
            _ => Ok(Self { sources }),
        }
    }

    /// At most 31.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + 'a {
        words(self.sources)
    }
}
