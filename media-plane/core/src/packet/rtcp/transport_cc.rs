//! Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use super::super::{u16_at, u32_at};
use super::wire::{RtcpError, feedback_sources};

/// Most packets one feedback message may speak of: half of the numbers, beyond which nobody can tell
/// ahead from behind. Losses are passed over in runs, and what arrived has a delta in the datagram, so
/// that the walk over a datagram stays short.
pub const MAX_STATUSES: u16 = 1 << 15;

pub(super) const NOT_RECEIVED: u8 = 0;
pub(super) const SMALL_DELTA: u8 = 1;
pub(super) const LARGE_DELTA: u8 = 2;

/// When packets of a transport arrived.
#[derive(Clone, Copy, Debug)]
pub struct TransportCc<'a> {
    /// Who reports.
    pub sender_ssrc: u32,
    /// SSRC of any one stream that was sent; the transport-wide numbers count over all of them.
    pub media_ssrc: u32,
    /// Transport-wide sequence number of the first status.
    pub base_sequence: u16,
    /// Packets spoken of, from the base on: 1 to [`MAX_STATUSES`].
    pub status_count: u16,
    /// What the first delta is added to, in 64 ms: 24 bits signed.
    pub reference_time: i32,
    /// Rises by one with each message, modulo 256: a gap is a lost report.
    pub feedback_count: u8,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl<'a> TransportCc<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, RtcpError> {
        let (sender_ssrc, media_ssrc, rest) = feedback_sources(body)?;
        let too_short = RtcpError::TransportCcTooShort;
        let base_sequence = u16_at(rest, 0).ok_or(too_short)?;
        let status_count = u16_at(rest, 2).ok_or(too_short)?;
        let [r0, r1, r2, feedback_count] = u32_at(rest, 4).ok_or(too_short)?.to_be_bytes();
        let after = rest.get(8..).unwrap_or_default();
        if !(1..=MAX_STATUSES).contains(&status_count) {
            return Err(RtcpError::BadTransportCcCount);
        }
        let (chunks, deltas) = split_chunks(after, status_count)?;
        Ok(Self {
            sender_ssrc,
            media_ssrc,
            base_sequence,
            status_count,
            reference_time: i32::from_be_bytes([r0, r1, r2, 0]) >> 8,
            feedback_count,
            chunks,
            deltas,
        })
    }

    /// The packets that arrived, as (transport-wide sequence number, time since the one before in
    /// 250 us). Those left out between them, and up to the status count, did not arrive.
    pub fn received(&self) -> impl Iterator<Item = (u16, i16)> + 'a {
        let Self { base_sequence, status_count, mut deltas, .. } = *self;
        statuses(self.chunks, status_count).filter_map(move |(offset, status)| {
            let delta = match status {
                SMALL_DELTA => {
                    let (&delta, rest) = deltas.split_first()?;
                    deltas = rest;
                    i16::from(delta)
                }
                LARGE_DELTA => {
                    let (delta, rest) = deltas.split_first_chunk()?;
                    deltas = rest;
                    i16::from_be_bytes(*delta)
                }
                _ => return None,
            };
            Some((base_sequence.wrapping_add(offset), delta))
        })
    }
}

/// Divides chunks from deltas and checks that both are whole.
fn split_chunks(bytes: &[u8], status_count: u16) -> Result<(&[u8], &[u8]), RtcpError> {
    let mut seen = 0;
    let mut at = 0;
    while seen < usize::from(status_count) {
        let chunk = u16_at(bytes, at).ok_or(RtcpError::TransportCcChunksPastEnd)?;
        seen += usize::from(Chunk::from_word(chunk).len);
        at += 2;
    }
    let (chunks, deltas) = bytes.split_at_checked(at).ok_or(RtcpError::TransportCcChunksPastEnd)?;
    let mut needed = 0;
    for (_, status) in statuses(chunks, status_count) {
        needed += match status {
            SMALL_DELTA => 1,
            LARGE_DELTA => 2,
            _ => return Err(RtcpError::TransportCcReservedStatus),
        };
        if deltas.len() < needed {
            return Err(RtcpError::TransportCcDeltasPastEnd);
        }
    }
    Ok((chunks, deltas))
}

/// Every status that is not "not received", with its offset from the base.
fn statuses(chunks: &[u8], status_count: u16) -> impl Iterator<Item = (u16, u8)> + '_ {
    let mut start = 0_u16;
    chunks.as_chunks().0.iter().flat_map(move |word| {
        let chunk = Chunk::from_word(u16::from_be_bytes(*word));
        let first = start;
        let len = chunk.len.min(status_count - first);
        start = first + len;
        // A run of losses is passed over at once.
        let len = if chunk.is_lost_run() { 0 } else { len };
        (0..len)
            .map(move |nth| (first + nth, chunk.status(nth)))
            .filter(|(_, status)| *status != NOT_RECEIVED)
    })
}

/// A packet status chunk: a run of one status, or a vector of one- or two-bit statuses.
#[derive(Clone, Copy)]
struct Chunk {
    word: u16,
    len: u16,
}

impl Chunk {
    fn from_word(word: u16) -> Self {
        let len = match word >> 14 {
            0 | 1 => word & 0x1fff,
            2 => 14,
            _ => 7,
        };
        Self { word, len }
    }

    fn is_lost_run(self) -> bool {
        self.word >> 13 == u16::from(NOT_RECEIVED)
    }

    fn status(self, nth: u16) -> u8 {
        let bits = match self.word >> 14 {
            0 | 1 => self.word >> 13 & 3,
            2 => self.word >> 13_u16.saturating_sub(nth) & 1,
            _ => self.word >> (2 * 6_u16.saturating_sub(nth)) & 3,
        };
        bits.to_be_bytes()[1]
    }
}
