//! What a frame is to each decode target.

use super::bits::BitReader;
use super::error::DescriptorError;

/// dt_cnt_minus_one has five bits.
pub(super) const MAX_DECODE_TARGETS: usize = 32;
/// There are no more chains than decode targets.
pub(super) const MAX_CHAINS: usize = MAX_DECODE_TARGETS;
/// Referred frames of one frame. AV1 has seven references.
pub(super) const MAX_REFERENCES: usize = 16;

/// Relation of a frame to a decode target (table A.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Indication {
    NotPresent,
    /// No frame of the target depends on it.
    Discardable,
    /// If it can be decoded, so can all that follows of the target: a receiver may begin here.
    Switch,
    Required,
}

/// Two bits a decode target, the first target lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Indications(u64);

impl Indications {
    pub(super) fn parse(reader: &mut BitReader<'_>, decode_targets: u8) -> Result<Self, DescriptorError> {
        let mut packed = 0;
        for target in 0..decode_targets {
            packed |= u64::from(reader.take(2)?) << (2 * target);
        }
        Ok(Self(packed))
    }

    pub(super) fn get(self, target: u8) -> Indication {
        match self.0.checked_shr(2 * u32::from(target)).unwrap_or(0) & 3 {
            1 => Indication::Discardable,
            2 => Indication::Switch,
            3 => Indication::Required,
            _ => Indication::NotPresent,
        }
    }

    pub(super) fn any_switch(self) -> bool {
        self.0 >> 1 & !self.0 & 0x5555_5555_5555_5555 != 0
    }
}
