//! The VP9 payload descriptor (RFC 9628 section 4.2), and which of a scalable stream's frames a
//! receiver needs.

use super::{FrameInfo, TemporalSwitch};

/// Most reference indices of one frame (section 4.2, P_DIFF).
const MAX_REFERENCES: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// I, M and PICTURE ID: 7 or 15 bits.
    pub(crate) picture_id: Option<PictureId>,
    /// P.
    pub(crate) inter_picture: bool,
    /// F: each frame names its references.
    pub(crate) flexible: bool,
    /// B: the layer frame's first packet.
    pub(crate) starts_frame: bool,
    /// E: the layer frame's last packet.
    pub(crate) ends_frame: bool,
    /// Z: no frame of a higher spatial layer is predicted from this one.
    pub(crate) unused_above: bool,
    /// None if L = 0.
    pub(crate) layer: Option<Layer>,
    /// TL0PICIDX: the running index of temporal layer 0's pictures; not in flexible mode.
    pub(crate) tl0_pic_idx: Option<u8>,
    reference_diffs: [u8; MAX_REFERENCES],
    references: u8,
    pub(crate) structure: Option<ScalabilityStructure>,
    /// Where the VP9 frame's bytes start.
    pub(crate) payload_at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PictureId {
    pub(crate) wide: bool,
    pub(crate) value: u16,
}

/// The layer indices octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// TID: 0-7.
    pub(crate) temporal: u8,
    /// U: what follows in higher temporal layers depends on no earlier picture of those.
    pub(crate) switching_up: bool,
    /// SID: 0-7.
    pub(crate) spatial: u8,
    /// D: predicted from the next lower spatial layer of its picture.
    pub(crate) inter_layer: bool,
}

/// What is kept of the SS data (section 4.2.1): the rest is the decoder's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScalabilityStructure {
    /// N_S + 1: 1-8.
    pub(crate) spatial_layers: u8,
    /// N_G: the pictures of the group that is described.
    pub(crate) pictures: u8,
}

impl Descriptor {
    /// None if the payload ends within the descriptor or with it, or has a fourth reference index.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut octets = Octets(payload);
        let flags = octets.take()?;
        let mut descriptor = Self {
            picture_id: None,
            inter_picture: flags & 0x40 != 0,
            flexible: flags & 0x10 != 0,
            starts_frame: flags & 0x08 != 0,
            ends_frame: flags & 0x04 != 0,
            unused_above: flags & 0x01 != 0,
            layer: None,
            tl0_pic_idx: None,
            reference_diffs: [0; MAX_REFERENCES],
            references: 0,
            structure: None,
            payload_at: 0,
        };
        if flags & 0x80 != 0 {
            descriptor.picture_id = Some(picture_id(&mut octets)?);
        }
        if flags & 0x20 != 0 {
            descriptor.layer = Some(Layer::from_octet(octets.take()?));
            if !descriptor.flexible {
                descriptor.tl0_pic_idx = Some(octets.take()?);
            }
        }
        if descriptor.flexible && descriptor.inter_picture {
            descriptor.parse_references(&mut octets)?;
        }
        if flags & 0x02 != 0 {
            descriptor.structure = Some(skip_structure(&mut octets)?);
        }
        descriptor.payload_at = payload.len().checked_sub(octets.0.len())?;
        (!octets.0.is_empty()).then_some(descriptor)
    }

    fn parse_references(&mut self, octets: &mut Octets<'_>) -> Option<()> {
        for place in &mut self.reference_diffs {
            let octet = octets.take()?;
            *place = octet >> 1;
            self.references += 1;
            if octet & 0x01 == 0 {
                return Some(());
            }
        }
        None
    }

    /// P_DIFF: how many picture ids back each reference is. Of flexible mode only.
    #[cfg(test)]
    pub(crate) fn reference_diffs(&self) -> &[u8] {
        self.reference_diffs.get(..usize::from(self.references)).unwrap_or_default()
    }

    /// `marker`: the packet's RTP marker, which ends a picture.
    pub(crate) fn frame_info(&self, marker: bool) -> FrameInfo {
        let spatial = self.layer.map_or(0, |layer| layer.spatial);
        let starts_key_frame = self.starts_frame && !self.inter_picture && spatial == 0;
        let temporal_switch = if starts_key_frame {
            TemporalSwitch::WithThis
        } else if self.layer.is_some_and(|layer| layer.switching_up) {
            TemporalSwitch::AfterThis
        } else {
            TemporalSwitch::None
        };
        FrameInfo {
            starts_frame: self.starts_frame,
            ends_frame: self.ends_frame || marker,
            starts_key_frame,
            inter_picture: self.inter_picture,
            spatial,
            temporal: self.layer.map_or(0, |layer| layer.temporal),
            temporal_switch,
        }
    }
}

impl Layer {
    fn from_octet(octet: u8) -> Self {
        Self {
            temporal: octet >> 5,
            switching_up: octet & 0x10 != 0,
            spatial: octet >> 1 & 0x07,
            inter_layer: octet & 0x01 != 0,
        }
    }
}

fn picture_id(octets: &mut Octets<'_>) -> Option<PictureId> {
    let first = octets.take()?;
    let (wide, high) = (first & 0x80 != 0, u16::from(first & 0x7f));
    let value = if wide { high << 8 | u16::from(octets.take()?) } else { high };
    Some(PictureId { wide, value })
}

/// Section 4.2.1.
fn skip_structure(octets: &mut Octets<'_>) -> Option<ScalabilityStructure> {
    let first = octets.take()?;
    let spatial_layers = (first >> 5) + 1;
    if first & 0x10 != 0 {
        octets.skip(4 * usize::from(spatial_layers))?;
    }
    let mut pictures = 0;
    if first & 0x08 != 0 {
        pictures = octets.take()?;
        for _ in 0..pictures {
            let references = octets.take()? >> 2 & 0x03;
            octets.skip(usize::from(references))?;
        }
    }
    Some(ScalabilityStructure { spatial_layers, pictures })
}

struct Octets<'a>(&'a [u8]);

impl Octets<'_> {
    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }
}

/// How a stream's spatial layers depend on each other (W3C webrtc-svc section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpatialPrediction {
    /// LxTy: each frame may be predicted from the lower layers of its picture. A receiver can go up
    /// with a key frame, and down after any frame's end.
    EveryPicture,
    /// LxTy_KEY: only key pictures are. A receiver can change layers with a key frame alone.
    KeyPictures,
}

impl SpatialPrediction {
    /// Whether a receiver of the layers up to `spatial` and `temporal` needs this frame.
    pub(crate) fn needs(self, frame: &FrameInfo, spatial: u8, temporal: u8) -> bool {
        let below = match self {
            Self::EveryPicture => true,
            Self::KeyPictures => !frame.inter_picture,
        };
        let wanted = frame.spatial == spatial || frame.spatial < spatial && below;
        wanted && frame.temporal <= temporal
    }
}

/// The RTP marker towards a receiver of the spatial layers up to `spatial`: it ends the picture, whose
/// last packet may be one of a layer that is not forwarded (section 4.1).
pub(crate) fn marker(frame: &FrameInfo, source_marker: bool, spatial: u8) -> bool {
    source_marker || frame.ends_frame && frame.spatial == spatial
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The figure of section 4.2 for non-flexible mode.
    #[test]
    fn the_non_flexible_form_has_a_tl0_index() {
        let payload = [0b1110_1000, 0x92, 0x34, 0b0101_0101, 0x77, 0xff];
        let descriptor = Descriptor::parse(&payload).unwrap();
        assert_eq!(descriptor.picture_id, Some(PictureId { wide: true, value: 0x1234 }));
        let layer = Layer { temporal: 2, switching_up: true, spatial: 2, inter_layer: true };
        assert_eq!((descriptor.layer, descriptor.tl0_pic_idx), (Some(layer), Some(0x77)));
        assert!(descriptor.inter_picture && descriptor.starts_frame && !descriptor.ends_frame);
        assert!(!descriptor.unused_above && descriptor.reference_diffs().is_empty());
        assert_eq!(descriptor.payload_at, 5);
        let info = descriptor.frame_info(false);
        assert_eq!((info.spatial, info.temporal), (2, 2));
        assert_eq!(info.temporal_switch, TemporalSwitch::AfterThis);
        assert!(!info.starts_key_frame);
    }

    /// The figure of section 4.2 for flexible mode.
    #[test]
    fn the_flexible_form_has_up_to_three_references() {
        let payload = [0b1111_0101, 0x11, 0b0010_0010, 0x03, 0x05, 0x08, 0xff];
        let descriptor = Descriptor::parse(&payload).unwrap();
        assert_eq!(descriptor.picture_id, Some(PictureId { wide: false, value: 0x11 }));
        assert_eq!((descriptor.reference_diffs(), descriptor.tl0_pic_idx), (&[1, 2, 4][..], None));
        assert!(descriptor.flexible && descriptor.ends_frame && descriptor.unused_above);
        assert_eq!(Descriptor::parse(&[0x50, 0x03, 0x05, 0x07, 0x02, 0xff]), None, "a fourth");
    }

    /// The figure of section 4.2.1: three layers with sizes, two pictures, one and two references.
    #[test]
    fn the_scalability_structure_is_skipped_with_its_bounds() {
        let mut payload = vec![0b0000_1010, 0b0101_1000];
        payload.extend([1, 64, 0, 180, 2, 128, 1, 104, 5, 0, 2, 208]);
        payload.extend([2, 0b0000_0100, 1, 0b0011_1000, 1, 2]);
        payload.push(0xff);
        let descriptor = Descriptor::parse(&payload).unwrap();
        assert_eq!(descriptor.structure, Some(ScalabilityStructure { spatial_layers: 3, pictures: 2 }));
        assert_eq!(descriptor.payload_at, payload.len() - 1);
        assert!(descriptor.frame_info(false).starts_key_frame);
        for len in 0..payload.len() {
            assert_eq!(Descriptor::parse(&payload[..len]), None, "{len}");
        }
    }

    #[test]
    fn only_the_base_layer_of_a_key_picture_starts_a_key_frame() {
        for (flags, layer, starts) in
            [(0x28, 0x00, true), (0x28, 0x03, false), (0x68, 0x00, false), (0x20, 0x00, false)]
        {
            let descriptor = Descriptor::parse(&[flags, layer, 0, 0xff]).unwrap();
            assert_eq!(descriptor.frame_info(false).starts_key_frame, starts, "{flags:02x} {layer:02x}");
        }
        assert!(Descriptor::parse(&[0x08, 0xff]).unwrap().frame_info(true).starts_key_frame);
    }

    #[test]
    fn a_receiver_gets_what_its_layer_is_predicted_from() {
        let frame = |inter_picture, spatial, temporal| FrameInfo {
            inter_picture,
            spatial,
            temporal,
            ends_frame: true,
            ..FrameInfo::default()
        };
        let (full, key) = (SpatialPrediction::EveryPicture, SpatialPrediction::KeyPictures);
        for spatial in 0..3 {
            assert!(full.needs(&frame(true, spatial, 0), 2, 0));
            assert!(key.needs(&frame(false, spatial, 0), 2, 0));
            assert_eq!(key.needs(&frame(true, spatial, 0), 1, 0), spatial == 1);
            assert_eq!(full.needs(&frame(true, spatial, 0), 1, 0), spatial <= 1);
            assert_eq!(marker(&frame(true, spatial, 0), false, 1), spatial == 1);
        }
        assert!(!full.needs(&frame(true, 0, 2), 2, 1) && full.needs(&frame(true, 0, 1), 2, 1));
        assert!(marker(&frame(true, 0, 0), true, 2), "a picture without its upper layers");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(descriptor) = Descriptor::parse(&payload) {
                prop_assert!(descriptor.payload_at < payload.len());
                prop_assert!(descriptor.reference_diffs().len() <= MAX_REFERENCES);
            }
        }
    }
}
