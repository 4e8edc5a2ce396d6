//! Views of and writers for what arrives on the media socket.
//!
//! Every parser takes the whole datagram, checks every length it will later rely on and allocates
//! nothing; what a view hands out afterwards cannot fail. Malformed input is an error value.

pub mod ecn;
pub mod kind;
pub mod stun;
pub mod rtp;
pub mod rtcp;

use thiserror::Error;

/// Longest datagram that is looked at, in bytes: the Ethernet MTU, which no peer exceeds.
pub const MAX_DATAGRAM: usize = 1500;

/// The 16 bits of a packet index that travel as the sequence number.
#[inline]
pub(crate) fn sequence_of(index: u64) -> u16 {
    let [.., high, low] = index.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// The latest index up to `last` with this sequence number, if it is less than `within` behind.
pub(crate) fn index_up_to(last: u64, sequence: u16, within: u16) -> Option<u64> {
    let back = sequence_of(last).wrapping_sub(sequence);
    last.checked_sub(u64::from(back)).filter(|_| back < within)
}

/// The middle 32 of an NTP time's 64 bits, in 65536ths of a second: what reports echo.
pub(crate) fn middle_of_ntp(ntp: u64) -> u32 {
    let [_, _, a, b, c, d, _, _] = ntp.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// Why a packet could not be written.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each message says what was wrong")]
pub enum WriteError {
    /// The buffer is shorter than the packet.
    #[error("no room in the buffer")]
    NoRoom,
    /// The packet would need more elements than its count field or our cap allows.
    #[error("too many elements")]
    TooManyElements,
    /// A packet of this type needs at least one element.
    #[error("no elements")]
    NoElements,
    /// An element is longer than its length field can say.
    #[error("element too long")]
    ElementTooLong,
    /// RTP header extension id 0 means padding (RFC 8285 section 4.2).
    #[error("header extension id 0")]
    ExtensionIdZero,
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Appends to a caller's buffer, refusing what does not fit.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn written(&self) -> &[u8] {
        self.out.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let end = self.len.checked_add(bytes.len()).ok_or(WriteError::NoRoom)?;
        self.out.get_mut(self.len..end).ok_or(WriteError::NoRoom)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    pub(crate) fn put_u16(&mut self, value: u16) -> Result<(), WriteError> {
        self.put(&value.to_be_bytes())
    }

    pub(crate) fn put_u32(&mut self, value: u32) -> Result<(), WriteError> {
        self.put(&value.to_be_bytes())
    }

    /// Zeros up to the next multiple of four bytes.
    pub(crate) fn pad_to_word(&mut self) -> Result<(), WriteError> {
        while !self.len.is_multiple_of(4) {
            self.put(&[0])?;
        }
        Ok(())
    }

    /// Sets the 16 bits at `at`, which were written before.
    pub(crate) fn patch_u16(&mut self, at: usize, value: u16) -> Result<(), WriteError> {
        let place = self.out.get_mut(at..at + 2).ok_or(WriteError::NoRoom)?;
        place.copy_from_slice(&value.to_be_bytes());
        Ok(())
    }
}
