//! Extended reports (RFC 3611), of which two blocks matter here: a receiver's reference time, which
//! anybody may ask with, and its echo, which says when it was asked last.

use super::super::{WriteError, u32_at};
use super::wire::{EXTENDED_REPORT, words};
use super::write::{finish, start};

const REFERENCE_TIME: u8 = 4;
const LAST_REFERENCE: u8 = 5;

/// The blocks of one extended report. What is malformed in it is passed over.
#[derive(Clone, Copy, Debug)]
pub struct ExtendedReport<'a> {
    /// Who reports.
    pub ssrc: u32,
    blocks: &'a [u8],
}

/// An echo of a reference time (RFC 3611 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastReference {
    /// Whose reference time it was.
    pub ssrc: u32,
    /// The middle 32 bits of that NTP time; 0 if none came.
    pub time: u32,
    /// Since it came, in 1/65536 s.
    pub delay: u32,
}

impl<'a> ExtendedReport<'a> {
    /// None if it is too short to have a source.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        Some(Self { ssrc: u32_at(body, 0)?, blocks: body.get(4..)? })
    }

    /// The NTP time of which it wants an echo.
    pub fn reference_time(&self) -> Option<u64> {
        let mut times = Blocks { rest: self.blocks }.filter(|(kind, _)| *kind == REFERENCE_TIME);
        times.find_map(|(_, block)| Some(u64::from_be_bytes(*block.first_chunk()?)))
    }

    /// The echoes in it, up to the first block that does not fit.
    pub fn last_references(&self) -> impl Iterator<Item = LastReference> + 'a {
        Blocks { rest: self.blocks }.filter(|(kind, _)| *kind == LAST_REFERENCE).flat_map(|(_, block)| {
            block.as_chunks::<12>().0.iter().map(|echo| {
                let mut words = words(echo);
                let mut next = || words.next().unwrap_or_default();
                LastReference { ssrc: next(), time: next(), delay: next() }
            })
        })
    }
}

struct Blocks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Blocks<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[kind, _, l0, l1], after) = self.rest.split_first_chunk()?;
        let (block, rest) = after.split_at_checked(4 * usize::from(u16::from_be_bytes([l0, l1])))?;
        self.rest = rest;
        Some((kind, block))
    }
}

/// An extended report that asks for an echo of `ntp`, an NTP time in 32.32 fixed point (RFC 3611
/// section 4.4).
pub fn write_reference_time(out: &mut [u8], ssrc: u32, ntp: u64) -> Result<usize, WriteError> {
    let mut writer = start(out, EXTENDED_REPORT, 0)?;
    writer.put_u32(ssrc)?;
    writer.put(&[REFERENCE_TIME, 0, 0, 2])?;
    writer.put(&ntp.to_be_bytes())?;
    finish(writer)
}

/// An extended report with these echoes.
pub fn write_last_references(
    out: &mut [u8],
    ssrc: u32,
    echoes: &[LastReference],
) -> Result<usize, WriteError> {
    let mut writer = start(out, EXTENDED_REPORT, 0)?;
    writer.put_u32(ssrc)?;
    let words = u16::try_from(3 * echoes.len()).map_err(|_| WriteError::TooManyElements)?;
    let [l0, l1] = words.to_be_bytes();
    writer.put(&[LAST_REFERENCE, 0, l0, l1])?;
    for echo in echoes {
        writer.put_u32(echo.ssrc)?;
        writer.put_u32(echo.time)?;
        writer.put_u32(echo.delay)?;
    }
    finish(writer)
}
