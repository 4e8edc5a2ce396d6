//! The descriptor as one receiver gets it: with the decode targets that are forwarded to it.

use super::bits::{BitReader, BitWriter};
use super::{Descriptor, MAX_LEN};
use crate::packet::WriteError;

/// Bits of the mandatory fields.
const MANDATORY: u16 = 24;
/// Bits of these and of the extended fields' flags.
const FLAGS_END: u16 = 29;
/// Bytes of a descriptor without extended fields.
const SHORT_LEN: usize = 3;

impl Descriptor {
    /// Writes to the start of `out` the descriptor `source`, of which this is what was read, with
    /// `active` as its active_decode_targets_bitmask (A.8.3), whether or not it had one. Returns its
    /// length in bytes: up to 5 more than the source's, and never more than [`MAX_LEN`].
    pub(crate) fn write_with_active_targets(
        &self,
        source: &[u8],
        active: u32,
        out: &mut [u8],
    ) -> Result<usize, WriteError> {
        if source.len() > MAX_LEN {
            return Err(WriteError::ElementTooLong);
        }
        let mut reader = BitReader::new(source);
        let mut writer = BitWriter::new(out);
        writer.copy(&mut reader, MANDATORY)?;
        if source.len() > SHORT_LEN {
            // The structure's flag, the mask's own, the three custom flags, then the structure.
            writer.copy(&mut reader, MANDATORY + 1)?;
            writer.put(1, 1)?;
            let mut reader = BitReader::starting_at(source, MANDATORY + 2);
            writer.copy(&mut reader, self.layout.mask.max(FLAGS_END))?;
        } else {
            writer.put(0b01000, 5)?;
        }
        writer.put(active, self.decode_targets)?;
        writer.copy(&mut BitReader::starting_at(source, self.layout.definition), self.layout.end)?;
        Ok(writer.len())
    }
}
