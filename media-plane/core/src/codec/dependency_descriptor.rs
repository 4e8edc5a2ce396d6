//! The dependency descriptor header extension (AV1 RTP specification, appendix A): which frames a
//! frame depends on, and which receivers need it, for any codec and under end-to-end encryption.
//!
//! A descriptor is short because it points into a structure, which comes with the first packet of
//! each coded video sequence: [`StructureCache`] keeps it, one cache a source stream.

mod error;
mod indications;
mod bits;
mod structure;
mod rewrite;
#[cfg(test)]
mod tests;

use super::{FrameInfo, TemporalSwitch};
use bits::BitReader;
use indications::{Indications, MAX_CHAINS, MAX_REFERENCES};

pub(crate) use bits::MAX_LEN;
pub(crate) use error::DescriptorError;
pub(crate) use indications::Indication;
pub(crate) use structure::Structure;

/// of a source that began to count anew.
const REORDERED_FRAMES_MAX: u16 = 512;

/// One packet's descriptor, with what its template says filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) starts_frame: bool,
    pub(crate) ends_frame: bool,
    /// In decode order; wraps.
    pub(crate) frame_number: u16,
    /// The packet brings a structure: it is the first of a coded video sequence.
    pub(crate) has_structure: bool,
    pub(crate) spatial: u8,
    pub(crate) temporal: u8,
    /// Which decode targets are available from here on, bit by bit, if this packet says so (A.4).
    pub(crate) active_decode_targets: Option<u32>,
    decode_targets: u8,
    indications: Indications,
    frame_diffs: [u16; MAX_REFERENCES],
    references: u8,
    chain_diffs: [u8; MAX_CHAINS],
    chains: u8,
    layout: Layout,
}

/// Bit offsets, for the writer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Layout {
    /// Where the active targets' mask lies or would lie.
    mask: u16,
    /// What follows it: the frame's own definition.
    definition: u16,
    /// Where zero padding begins.
    end: u16,
}

impl Descriptor {
    /// How the frame relates to a decode target. A receiver of the target gets all frames but those
    /// that are not present in it.
    pub(crate) fn indication(&self, target: u8) -> Indication {
        if target < self.decode_targets { self.indications.get(target) } else { Indication::NotPresent }
    }

    /// Whether a receiver may take up the target with this frame, given that it can decode the frame:
    /// that all frames it refers to were forwarded to it (A.7).
    pub(crate) fn may_switch_to(&self, target: u8) -> bool {
        self.starts_frame && self.indication(target) == Indication::Switch
    }

    /// How many frame numbers back each referred frame is.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn frame_diffs(&self) -> &[u16] {
        self.frame_diffs.get(..usize::from(self.references)).unwrap_or_default()
    }

    /// How many frame numbers back the last frame of a chain is; 0 if the chain begins here. The chain
    /// is intact at a receiver that got that frame.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn chain_diff(&self, chain: u8) -> Option<u8> {
        self.chain_diffs.get(..usize::from(self.chains))?.get(usize::from(chain)).copied()
    }

    pub(crate) fn frame_info(&self) -> FrameInfo {
        let depends = self.references != 0;
        let switches = self.indications.any_switch();
        FrameInfo {
            starts_frame: self.starts_frame,
            ends_frame: self.ends_frame,
            starts_key_frame: self.starts_frame && self.has_structure && !depends,
            inter_picture: depends,
            spatial: self.spatial,
            temporal: self.temporal,
            temporal_switch: if switches { TemporalSwitch::WithThis } else { TemporalSwitch::None },
        }
    }
}

/// A source stream's structure and active decode targets, kept from packet to packet.
#[derive(Debug, Default)]
pub(crate) struct StructureCache {
    structure: Option<Structure>,
    /// The first frame that the structure is for, and the newest one read, as frame numbers that do
    /// not wrap.
    since: u64,
    newest: u64,
    active_decode_targets: u32,
}

impl StructureCache {
    /// None before the first key frame.
    pub(crate) fn structure(&self) -> Option<&Structure> {
        self.structure.as_ref()
    }

    /// Which decode targets the source produces at present, bit by bit (A.4).
    pub(crate) fn active_decode_targets(&self) -> u32 {
        self.active_decode_targets
    }

    /// Reads the extension's data from an authentic packet, and keeps the structure in it, if any.
    pub(crate) fn read(&mut self, data: &[u8]) -> Result<Descriptor, DescriptorError> {
        let Parsed { descriptor, attached, number, is_late } = self.parse(data)?;
        if !is_late {
            self.keep(attached, descriptor.active_decode_targets, number);
        }
        Ok(descriptor)
    }

    /// Reads it from a packet that was read before.
    pub(crate) fn read_again(&self, data: &[u8]) -> Result<Descriptor, DescriptorError> {
        self.parse(data).map(|parsed| parsed.descriptor)
    }

    fn parse(&self, data: &[u8]) -> Result<Parsed, DescriptorError> {
        if data.len() > MAX_LEN {
            return Err(DescriptorError::TooLong);
        }
        let mut reader = BitReader::new(data);
        let starts_frame = reader.flag()?;
        let ends_frame = reader.flag()?;
        let template_id = reader.take_u8(6)?;
        let frame_number = reader.take_u16(16)?;
        let flags = if data.len() > 3 { Flags::parse(&mut reader)? } else { Flags::default() };
        let attached = if flags.structure { Some(Structure::parse(&mut reader)?) } else { None };
        let number = self.unwrap(frame_number);
        let is_late = self.structure.is_some() && number < self.since;
        if is_late && attached.is_none() {
            return Err(DescriptorError::OlderThanStructure);
        }
        let structure = attached.as_ref().or(self.structure.as_ref());
        let structure = structure.ok_or(DescriptorError::NoStructure)?;
        let descriptor = read_definition(&mut reader, structure, template_id, flags)?;
        let descriptor = Descriptor { starts_frame, ends_frame, frame_number, ..descriptor };
        Ok(Parsed { descriptor, attached, number, is_late })
    }

    fn unwrap(&self, frame_number: u16) -> u64 {
        // Begun one round up, so that there is room for late frames below the first.
        let newest = if self.structure.is_some() { self.newest } else { 1 << 16 };
        let ahead = frame_number.wrapping_sub(u16::try_from(newest & 0xffff).unwrap_or_default());
        let behind = ahead.wrapping_neg();
        if (1..=REORDERED_FRAMES_MAX).contains(&behind) {
            newest.saturating_sub(u64::from(behind))
        } else {
            newest.saturating_add(u64::from(ahead))
        }
    }

    fn keep(&mut self, attached: Option<Structure>, active: Option<u32>, number: u64) {
        if let Some(structure) = attached {
            self.structure = Some(structure);
            self.since = number;
        }
        if let Some(active) = active.filter(|_| number >= self.newest) {
            self.active_decode_targets = active;
        }
        self.newest = self.newest.max(number);
    }
}

/// A descriptor, and what it changes for those after it.
struct Parsed {
    descriptor: Descriptor,
    attached: Option<Structure>,
    number: u64,
    /// The packet belongs to the previous coded video sequence.
    is_late: bool,
}

/// The flags of extended_descriptor_fields (A.8.2).
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    structure: bool,
    active_targets: bool,
    custom_indications: bool,
    custom_frame_diffs: bool,
    custom_chains: bool,
}

impl Flags {
    fn parse(reader: &mut BitReader<'_>) -> Result<Self, DescriptorError> {
        Ok(Self {
            structure: reader.flag()?,
            active_targets: reader.flag()?,
            custom_indications: reader.flag()?,
            custom_frame_diffs: reader.flag()?,
            custom_chains: reader.flag()?,
        })
    }
}

/// The active targets' mask, then frame_dependency_definition (A.8.2).
fn read_definition(
    reader: &mut BitReader<'_>,
    structure: &Structure,
    template_id: u8,
    flags: Flags,
) -> Result<Descriptor, DescriptorError> {
    let decode_targets = structure.decode_targets();
    let mut layout = Layout { mask: reader.position(), ..Layout::default() };
    let mut active_decode_targets = flags.structure.then(|| structure.all_targets());
    if flags.active_targets {
        active_decode_targets = Some(reader.take(decode_targets)?);
    }
    layout.definition = reader.position();
    let template = structure.template(template_id).ok_or(DescriptorError::UnknownTemplate)?;
    let mut indications = template.indications;
    if flags.custom_indications {
        indications = Indications::parse(reader, decode_targets)?;
    }
    let (frame_diffs, references) =
        if flags.custom_frame_diffs { read_frame_diffs(reader)? } else { template.frame_diffs() };
    let chains = structure.chains();
    let mut chain_diffs = template.chain_diffs();
    if flags.custom_chains {
        for diff in chain_diffs.iter_mut().take(usize::from(chains)) {
            *diff = reader.take_u8(8)?;
        }
    }
    layout.end = reader.position();
    Ok(Descriptor {
        starts_frame: false,
        ends_frame: false,
        frame_number: 0,
        has_structure: flags.structure,
        spatial: template.spatial,
        temporal: template.temporal,
        active_decode_targets,
        decode_targets,
        indications,
        frame_diffs,
        references,
        chain_diffs,
        chains,
        layout,
    })
}

/// frame_fdiffs (A.8.2): differences of up to 12 bits.
fn read_frame_diffs(reader: &mut BitReader<'_>) -> Result<([u16; MAX_REFERENCES], u8), DescriptorError> {
    let (mut diffs, mut count) = ([0; MAX_REFERENCES], 0u8);
    loop {
        let size = reader.take_u8(2)?;
        if size == 0 {
            return Ok((diffs, count));
        }
        let place = diffs.get_mut(usize::from(count)).ok_or(DescriptorError::TooManyReferences)?;
        *place = reader.take_u16(4 * size)? + 1;
        count += 1;
    }
}
