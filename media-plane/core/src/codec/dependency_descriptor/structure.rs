//! The template dependency structure (A.8.2, A.8.3), of which descriptors name one template each.

use super::bits::BitReader;
use super::error::DescriptorError;
use super::indications::{Indication, Indications, MAX_CHAINS, MAX_DECODE_TARGETS, MAX_REFERENCES};

/// Template ids have six bits.
const MAX_TEMPLATES: usize = 64;
/// AV1's layer ids have two and three bits (AV1 specification section 5.3.3).
const MAX_SPATIAL: u8 = 3;
const MAX_TEMPORAL: u8 = 7;

/// What many frames have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) spatial: u8,
    pub(super) temporal: u8,
    pub(super) indications: Indications,
    /// Bit `n`: depends on the frame `n + 1` numbers back.
    references: u16,
    /// Four bits a chain, the first one lowest.
    chain_diffs: u128,
}

impl Template {
    /// How many numbers back each referred frame is, and how many there are.
    pub(super) fn frame_diffs(&self) -> ([u16; MAX_REFERENCES], u8) {
        let (mut diffs, mut count) = ([0; MAX_REFERENCES], 0);
        let set = (0u16..16).filter(|bit| self.references >> bit & 1 != 0);
        for (place, bit) in diffs.iter_mut().zip(set) {
            *place = bit + 1;
            count += 1;
        }
        (diffs, count)
    }

    pub(super) fn chain_diffs(&self) -> [u8; MAX_CHAINS] {
        let mut rest = self.chain_diffs;
        [(); MAX_CHAINS].map(|()| {
            let [.., last] = rest.to_be_bytes();
            rest >>= 4;
            last & 0x0f
        })
    }
}

/// A set of frames that gives one spatial and temporal fidelity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DecodeTarget {
    /// The highest layers that it has.
    pub(crate) spatial: u8,
    pub(crate) temporal: u8,
    /// The chain that protects it; meaningless without chains.
    protected_by: u8,
    /// The targets, this one among them, that need no frame which it has not, bit by bit. None for a
    /// target without frames.
    includes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Structure {
    template_id_offset: u8,
    chains: u8,
    templates: Vec<Template>,
    targets: Vec<DecodeTarget>,
}

impl Structure {
    pub(super) fn parse(reader: &mut BitReader<'_>) -> Result<Self, DescriptorError> {
        let template_id_offset = reader.take_u8(6)?;
        let decode_targets = reader.take_u8(5)? + 1;
        let mut templates = Vec::with_capacity(16);
        let max_spatial = read_layers(reader, &mut templates)?;
        for template in &mut templates {
            template.indications = Indications::parse(reader, decode_targets)?;
        }
        for template in &mut templates {
            while reader.flag()? {
                template.references |= 1 << reader.take_u8(4)?;
            }
        }
        let mut targets = vec![DecodeTarget::default(); usize::from(decode_targets)];
        let chains = read_chains(reader, &mut templates, &mut targets)?;
        if reader.flag()? {
            // Render resolutions: width and height of each spatial layer.
            reader.skip(32 * (u16::from(max_spatial) + 1))?;
        }
        describe_targets(&templates, &mut targets);
        Ok(Self { template_id_offset, chains, templates, targets })
    }

    /// 1-32.
    pub(crate) fn decode_targets(&self) -> u8 {
        u8::try_from(self.targets.len()).unwrap_or_default()
    }

    /// 0-32.
    pub(crate) fn chains(&self) -> u8 {
        self.chains
    }

    pub(crate) fn decode_target(&self, target: u8) -> Option<DecodeTarget> {
        self.targets.get(usize::from(target)).copied()
    }

    /// The best of the `active` targets within these layers: the highest spatial layer, then the
    /// highest temporal one.
    pub(crate) fn best_target(&self, spatial: u8, temporal: u8, active: u32) -> Option<u8> {
        let within = (0u8..).zip(&self.targets).filter(|(index, target)| {
            let is_active = active & target.includes & 1 << index != 0;
            is_active && target.spatial <= spatial && target.temporal <= temporal
        });
        within.max_by_key(|(_, target)| (target.spatial, target.temporal)).map(|(index, _)| index)
    }

    /// The targets that a receiver of this one can still decode, bit by bit: those of them that the
    /// source produces are the mask that it is to be told (A.4).
    pub(crate) fn included_targets(&self, target: u8) -> u32 {
        self.decode_target(target).map_or(0, |target| target.includes)
    }

    /// The chain whose frames keep the target decodable (A.5); none if there are no chains.
    #[cfg(any(test, feature = "fuzzing"))]
    #[cfg(test)]
    pub(crate) fn chain_of(&self, target: u8) -> Option<u8> {
        let target = self.decode_target(target)?;
        (self.chains > 0).then_some(target.protected_by)
    }

    pub(super) fn all_targets(&self) -> u32 {
        u32::MAX >> 32u8.saturating_sub(self.decode_targets()).min(31)
    }

    pub(super) fn template(&self, id: u8) -> Option<&Template> {
        let index = id.wrapping_sub(self.template_id_offset) & 0x3f;
        self.templates.get(usize::from(index))
    }
}

/// template_layers: one template after the other with its layers. Returns the highest spatial layer.
fn read_layers(reader: &mut BitReader<'_>, templates: &mut Vec<Template>) -> Result<u8, DescriptorError> {
    let (mut spatial, mut temporal) = (0, 0);
    loop {
        if templates.len() == MAX_TEMPLATES {
            return Err(DescriptorError::TooManyTemplates);
        }
        if spatial > MAX_SPATIAL || temporal > MAX_TEMPORAL {
            return Err(DescriptorError::LayerOutOfRange);
        }
        templates.push(Template { spatial, temporal, ..Template::default() });
        match reader.take(2)? {
            0 => {}
            1 => temporal += 1,
            2 => (spatial, temporal) = (spatial + 1, 0),
            _ => return Ok(spatial),
        }
    }
}

/// template_chains. Returns their number.
fn read_chains(
    reader: &mut BitReader<'_>,
    templates: &mut [Template],
    targets: &mut [DecodeTarget],
) -> Result<u8, DescriptorError> {
    let targets_max = u8::try_from(targets.len().min(MAX_DECODE_TARGETS)).unwrap_or_default();
    let chains = reader.take_below(targets_max + 1)?;
    if chains == 0 {
        return Ok(0);
    }
    for target in targets {
        target.protected_by = reader.take_below(chains)?;
    }
    for template in templates {
        for chain in 0..chains {
            template.chain_diffs |= u128::from(reader.take(4)?) << (4 * chain);
        }
    }
    Ok(chains)
}

/// decode_target_layers, and which targets lie within which.
fn describe_targets(templates: &[Template], targets: &mut [DecodeTarget]) {
    // Bit by bit, the templates that each target needs.
    let mut needs = [0u64; MAX_DECODE_TARGETS];
    for ((index, target), needs) in (0u8..).zip(targets.iter_mut()).zip(&mut needs) {
        for (bit, template) in (0u8..).zip(templates) {
            if template.indications.get(index) != Indication::NotPresent {
                target.spatial = target.spatial.max(template.spatial);
                target.temporal = target.temporal.max(template.temporal);
                *needs |= 1 << bit;
            }
        }
    }
    let count = targets.len();
    for (target, own) in targets.iter_mut().zip(&needs) {
        for (bit, other) in (0u8..).zip(needs.iter().take(count)) {
            if *other != 0 && other & !own == 0 {
                target.includes |= 1 << bit;
            }
        }
    }
}
