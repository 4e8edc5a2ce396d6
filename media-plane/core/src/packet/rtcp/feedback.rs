//! Feedback messages: generic NACK and PLI (RFC 4585), FIR (RFC 5104), REMB
//! (draft-alvestrand-rmcat-remb-03).

use super::super::{u16_at, u32_at};
use super::wire::{RtcpError, feedback_sources, words};

const NACK_ENTRY: usize = 4;
const FIR_ENTRY: usize = 8;
const REMB: &[u8; 4] = b"REMB";

/// Packets of one source that did not arrive (RFC 4585 section 6.2.1).
#[derive(Clone, Copy, Debug)]
pub struct Nack<'a> {
    /// Who asks.
    pub sender_ssrc: u32,
    /// SSRC of the stream whose packets did not arrive.
    pub media_ssrc: u32,
    entries: &'a [u8],
}

/// A lost packet and a bit for each of the sixteen after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NackEntry {
    /// Sequence number of the first lost packet.
    pub pid: u16,
    /// Bit `n`, from the lowest, is packet `pid + n + 1`: 1 if it is lost, too.
    pub blp: u16,
}

impl NackEntry {
    /// The sequence numbers it means, in order.
    pub fn lost(self) -> impl Iterator<Item = u16> {
        let following = (0..16).filter(move |bit| self.blp >> bit & 1 == 1);
        let following = following.map(move |bit| self.pid.wrapping_add(bit + 1));
        std::iter::once(self.pid).chain(following)
    }
}

impl<'a> Nack<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, RtcpError> {
        let (sender_ssrc, media_ssrc, entries) = feedback_sources(body)?;
        if entries.is_empty() || !entries.len().is_multiple_of(NACK_ENTRY) {
            return Err(RtcpError::BadNackLength);
        }
        Ok(Self { sender_ssrc, media_ssrc, entries })
    }

    /// In the order of the message.
    pub fn entries(&self) -> impl Iterator<Item = NackEntry> + 'a {
        let entry = |&[p0, p1, b0, b1]: &[u8; NACK_ENTRY]| NackEntry {
            pid: u16::from_be_bytes([p0, p1]),
            blp: u16::from_be_bytes([b0, b1]),
        };
        self.entries.as_chunks().0.iter().map(entry)
    }

    /// Every sequence number asked for, as often as it is asked for: at most 17 an entry.
    pub fn lost(&self) -> impl Iterator<Item = u16> + 'a {
        self.entries().flat_map(NackEntry::lost)
    }

    /// How many [`Self::lost`] gives.
    pub fn count(&self) -> u64 {
        self.entries().map(|entry| 1 + u64::from(entry.blp.count_ones())).sum()
    }
}

/// A request for a key frame (RFC 4585 section 6.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pli {
    /// Who asks.
    pub sender_ssrc: u32,
    /// SSRC of the stream whose key frame is wanted.
    pub media_ssrc: u32,
}

impl Pli {
    pub(super) fn parse(body: &[u8]) -> Result<Self, RtcpError> {
        let (sender_ssrc, media_ssrc, rest) = feedback_sources(body)?;
        if !rest.is_empty() {
            return Err(RtcpError::BadPliLength);
        }
        Ok(Self { sender_ssrc, media_ssrc })
    }
}

/// Requests for key frames, repeated until obeyed (RFC 5104 section 4.3.1).
#[derive(Clone, Copy, Debug)]
pub struct Fir<'a> {
    /// Who asks.
    pub sender_ssrc: u32,
    entries: &'a [u8],
}

/// One FIR request. A repetition keeps its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirEntry {
    /// SSRC of the stream whose key frame is wanted.
    pub ssrc: u32,
    /// Rises by one with each new request, modulo 256.
    pub sequence: u8,
}

impl<'a> Fir<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, RtcpError> {
        // The media source in front is unused; each entry has its own.
        let (sender_ssrc, _, entries) = feedback_sources(body)?;
        if entries.is_empty() || !entries.len().is_multiple_of(FIR_ENTRY) {
            return Err(RtcpError::BadFirLength);
        }
        Ok(Self { sender_ssrc, entries })
    }

    /// In the order of the message.
    pub fn entries(&self) -> impl Iterator<Item = FirEntry> + 'a {
        let entry = |&[s0, s1, s2, s3, sequence, ..]: &[u8; FIR_ENTRY]| FirEntry {
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            sequence,
        };
        self.entries.as_chunks().0.iter().map(entry)
    }
}

/// What a receiver thinks it can take of all these sources together.
#[derive(Clone, Copy, Debug)]
pub struct Remb<'a> {
    /// Who says so.
    pub sender_ssrc: u32,
    /// In bit/s.
    pub bitrate: u64,
    sources: &'a [u8],
}

impl<'a> Remb<'a> {
    pub(super) fn is_remb(body: &[u8]) -> bool {
        body.get(8..12) == Some(REMB)
    }

    pub(super) fn parse(body: &'a [u8]) -> Result<Self, RtcpError> {
        let sender_ssrc = u32_at(body, 0).ok_or(RtcpError::FeedbackTooShort)?;
        let [count, exponent_and_top, ..] = u32_at(body, 12).ok_or(RtcpError::BadRembLength)?.to_be_bytes();
        let sources = body.get(16..).ok_or(RtcpError::BadRembLength)?;
        if sources.len() != 4 * usize::from(count) {
            return Err(RtcpError::BadRembLength);
        }
        let low = u16_at(body, 14).ok_or(RtcpError::BadRembLength)?;
        let mantissa = u64::from(exponent_and_top & 3) << 16 | u64::from(low);
        let exponent = u32::from(exponent_and_top >> 2);
        if mantissa != 0 && exponent > mantissa.leading_zeros() {
            return Err(RtcpError::RembOverflow);
        }
        Ok(Self { sender_ssrc, bitrate: mantissa << exponent, sources })
    }

    /// At most 255.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + 'a {
        words(self.sources)
    }
}
