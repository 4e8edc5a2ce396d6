//! Unsigned numbers of any number of bits, high bits first (A.8.2).

use super::error::DescriptorError;
use crate::packet::WriteError;

/// Longest descriptor, in bytes: the length of a two-byte header extension element (RFC 8285
/// section 4.3).
pub(crate) const MAX_LEN: usize = 255;

#[derive(Clone, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: u16,
}

impl<'a> BitReader<'a> {
    /// `bytes`: no more than a descriptor may have.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// From the given bit on.
    pub(super) fn starting_at(bytes: &'a [u8], at: u16) -> Self {
        Self { bytes, at }
    }

    /// In bits from the start.
    pub(super) fn position(&self) -> u16 {
        self.at
    }

    /// f(n), with up to 32 bits.
    pub(super) fn take(&mut self, bits: u8) -> Result<u32, DescriptorError> {
        let (mut value, mut wanted) = (0u32, u16::from(bits));
        while wanted > 0 {
            let octet = self.bytes.get(usize::from(self.at / 8)).ok_or(DescriptorError::CutShort)?;
            let left = 8 - self.at % 8;
            let count = left.min(wanted);
            let part = octet >> (left - count) & low_bits(count);
            value = value << count | u32::from(part);
            self.at += count;
            wanted -= count;
        }
        Ok(value)
    }

    pub(super) fn flag(&mut self) -> Result<bool, DescriptorError> {
        Ok(self.take(1)? != 0)
    }

    /// f(n), with up to 8 bits.
    pub(super) fn take_u8(&mut self, bits: u8) -> Result<u8, DescriptorError> {
        Ok(u8::try_from(self.take(bits)?).unwrap_or(u8::MAX))
    }

    /// f(n), with up to 16 bits.
    pub(super) fn take_u16(&mut self, bits: u8) -> Result<u16, DescriptorError> {
        Ok(u16::try_from(self.take(bits)?).unwrap_or(u16::MAX))
    }

    /// ns(n): a number below `values`, which is 1-33 here, in as few bits as that allows.
    pub(super) fn take_below(&mut self, values: u8) -> Result<u8, DescriptorError> {
        let width = 8 - u8::try_from(values.leading_zeros()).unwrap_or_default();
        let short = (1u16 << width) - u16::from(values);
        let value = self.take_u16(width.saturating_sub(1))?;
        let value = if value < short { value } else { (value << 1) - short + self.take_u16(1)? };
        Ok(u8::try_from(value).unwrap_or(u8::MAX))
    }

    pub(super) fn skip(&mut self, bits: u16) -> Result<(), DescriptorError> {
        let at = self.at.saturating_add(bits);
        if usize::from(at) > self.bytes.len().saturating_mul(8) {
            return Err(DescriptorError::CutShort);
        }
        self.at = at;
        Ok(())
    }
}

/// `count`: 0-8.
fn low_bits(count: u16) -> u8 {
    0xff_u8.checked_shr(8 - u32::from(count)).unwrap_or(0)
}

/// Writes to the start of a caller's buffer, of which it uses no more than a descriptor may have.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    out: &'a mut [u8],
    /// In bits.
    at: u16,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        let len = out.len().min(MAX_LEN);
        Self { out: out.get_mut(..len).unwrap_or_default(), at: 0 }
    }

    /// The low `bits` of `value`, up to 32.
    pub(super) fn put(&mut self, value: u32, bits: u8) -> Result<(), WriteError> {
        let mut wanted = u16::from(bits);
        while wanted > 0 {
            let octet = self.out.get_mut(usize::from(self.at / 8)).ok_or(WriteError::NoRoom)?;
            let left = 8 - self.at % 8;
            if left == 8 {
                *octet = 0;
            }
            let count = left.min(wanted);
            let [.., part] = (value >> (wanted - count)).to_be_bytes();
            *octet |= (part & low_bits(count)) << (left - count);
            self.at += count;
            wanted -= count;
        }
        Ok(())
    }

    /// The next bits of `source`, up to its bit `end`.
    pub(super) fn copy(&mut self, source: &mut BitReader<'_>, end: u16) -> Result<(), WriteError> {
        while source.position() < end {
            let count = u8::try_from((end - source.position()).min(32)).unwrap_or_default();
            let value = source.take(count).map_err(|_| WriteError::NoRoom)?;
            self.put(value, count)?;
        }
        Ok(())
    }

    /// Bytes begun; the last one's other bits are zero.
    pub(super) fn len(&self) -> usize {
        usize::from(self.at.div_ceil(8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The table of A.8.2 for ns(5).
    #[test]
    fn numbers_below_five_take_two_or_three_bits() {
        for (octet, value, bits) in [
            (0b0000_0000, 0, 2),
            (0b0100_0000, 1, 2),
            (0b1000_0000, 2, 2),
            (0b1100_0000, 3, 3),
            (0b1110_0000, 4, 3),
        ] {
            let bytes = [octet];
            let mut reader = BitReader::new(&bytes);
            assert_eq!((reader.take_below(5), reader.position()), (Ok(value), bits));
        }
        assert_eq!(BitReader::new(&[]).take_below(1), Ok(0), "no bits for the only value");
    }

    #[test]
    fn neither_end_is_passed() {
        let mut reader = BitReader::new(&[0xff]);
        assert_eq!(reader.skip(9), Err(DescriptorError::CutShort));
        assert_eq!(reader.take(9), Err(DescriptorError::CutShort));
        let mut out = [0; 300];
        let mut writer = BitWriter::new(&mut out);
        for _ in 0..255 {
            writer.put(0xff, 8).unwrap();
        }
        assert_eq!((writer.put(1, 1), writer.len()), (Err(WriteError::NoRoom), 255));
    }

    proptest! {
        #[test]
        fn what_is_put_is_taken(numbers in proptest::collection::vec((any::<u32>(), 0u8..=32), 0..60)) {
            let mut out = [0xaa; 255];
            let mut writer = BitWriter::new(&mut out);
            for (value, bits) in &numbers {
                writer.put(*value, *bits).unwrap();
            }
            let mut reader = BitReader::new(&out);
            for (value, bits) in numbers {
                let expected = u64::from(value) & ((1 << bits) - 1);
                prop_assert_eq!(reader.take(bits).map(u64::from), Ok(expected));
            }
        }
    }
}
