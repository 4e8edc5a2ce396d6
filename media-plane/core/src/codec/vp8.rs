//! The VP8 payload descriptor (RFC 7741 section 4.2).

pub(crate) mod rewriter;

use super::{FrameInfo, TemporalSwitch};

/// The descriptor's values, and where those lie in the payload that each receiver gets anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// S = 1 and PID = 0: the first packet of the first partition.
    pub(crate) starts_frame: bool,
    /// This packet starts a frame whose payload header has P = 0 (section 4.3).
    pub(crate) starts_key_frame: bool,
    /// N: no other frame depends on this one.
    pub(crate) discardable: bool,
    pub(crate) picture_id: Option<PictureId>,
    /// TL0PICIDX: the running index of layer 0's frames.
    pub(crate) tl0_pic_idx: Option<Octet>,
    /// TID and Y; none if T = 0.
    pub(crate) layer: Option<TemporalLayer>,
    /// KEYIDX, five bits: the running index of key frames.
    pub(crate) key_idx: Option<Octet>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PictureId {
    /// Byte offset in the payload.
    at: u8,
    /// M: 15 bits, else 7.
    wide: bool,
    pub(crate) value: u16,
}

/// A value of one octet or less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Octet {
    /// Byte offset in the payload.
    at: u8,
    pub(crate) value: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TemporalLayer {
    /// 0-3.
    pub(crate) id: u8,
    /// Y: the frame depends on layer 0 alone.
    pub(crate) sync: bool,
}

impl Descriptor {
    /// None if the payload ends within the descriptor, or with it.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut octets = Octets { payload, next: 0 };
        let first = octets.take()?.value;
        let mut descriptor = Self {
            starts_frame: first & 0x17 == 0x10,
            starts_key_frame: false,
            discardable: first & 0x20 != 0,
            picture_id: None,
            tl0_pic_idx: None,
            layer: None,
            key_idx: None,
        };
        if first & 0x80 != 0 {
            descriptor.parse_extension(&mut octets)?;
        }
        let payload_header = octets.take()?.value;
        descriptor.starts_key_frame = descriptor.starts_frame && payload_header & 0x01 == 0;
        Some(descriptor)
    }

    fn parse_extension(&mut self, octets: &mut Octets<'_>) -> Option<()> {
        let present = octets.take()?.value;
        if present & 0x80 != 0 {
            let Octet { at, value } = octets.take()?;
            let wide = value & 0x80 != 0;
            let high = u16::from(value & 0x7f);
            let value = if wide { high << 8 | u16::from(octets.take()?.value) } else { high };
            self.picture_id = Some(PictureId { at, wide, value });
        }
        if present & 0x40 != 0 {
            self.tl0_pic_idx = Some(octets.take()?);
        }
        if present & 0x30 != 0 {
            let Octet { at, value } = octets.take()?;
            if present & 0x20 != 0 {
                self.layer = Some(TemporalLayer { id: value >> 6, sync: value & 0x20 != 0 });
            }
            if present & 0x10 != 0 {
                self.key_idx = Some(Octet { at, value: value & KEY_IDX });
            }
        }
        Some(())
    }

    /// `marker`: the packet's RTP marker, the only sign of a frame's end.
    pub(crate) fn frame_info(&self, marker: bool) -> FrameInfo {
        let sync = self.starts_key_frame || self.layer.is_some_and(|layer| layer.sync);
        FrameInfo {
            starts_frame: self.starts_frame,
            ends_frame: marker,
            starts_key_frame: self.starts_key_frame,
            inter_picture: !self.starts_key_frame,
            spatial: 0,
            temporal: self.layer.map_or(0, |layer| layer.id),
            temporal_switch: if sync { TemporalSwitch::WithThis } else { TemporalSwitch::None },
        }
    }
}

/// The bits of KEYIDX in its octet.
const KEY_IDX: u8 = 0x1f;

/// Hands out octets with their offsets.
struct Octets<'a> {
    payload: &'a [u8],
    next: u8,
}

impl Octets<'_> {
    fn take(&mut self) -> Option<Octet> {
        let at = self.next;
        let value = *self.payload.get(usize::from(at))?;
        self.next = at.checked_add(1)?;
        Some(Octet { at, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts_key_frame(payload: &[u8]) -> bool {
        Descriptor::parse(payload).is_some_and(|descriptor| descriptor.starts_key_frame)
    }
    use proptest::prelude::*;

    #[test]
    fn a_key_frame_is_told_from_an_inter_frame_in_every_descriptor_form() {
        let key = [0x50, 0x9d, 0x01];
        let inter = [0x51, 0x00];
        let descriptors: [&[u8]; 5] = [
            &[0x10],
            &[0x90, 0x80, 0x12],
            &[0x90, 0x80, 0x92, 0x34],
            &[0x90, 0xe0, 0x92, 0x34, 0x01, 0x20],
            &[0x90, 0x10, 0x03],
        ];
        for descriptor in descriptors {
            assert!(starts_key_frame(&[descriptor, &key[..]].concat()), "{descriptor:02x?}");
            assert!(!starts_key_frame(&[descriptor, &inter[..]].concat()), "{descriptor:02x?}");
        }
    }

    #[test]
    fn a_later_packet_of_a_key_frame_does_not_begin_one() {
        assert!(!starts_key_frame(&[0x00, 0x50, 0x9d]));
        assert!(!starts_key_frame(&[0x11, 0x50, 0x9d]), "another partition");
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let whole = [0x90, 0xf0, 0x92, 0x34, 0x01, 0x20, 0x50];
        for len in 0..whole.len() {
            assert_eq!(Descriptor::parse(&whole[..len]), None, "{len}");
        }
        assert!(Descriptor::parse(&whole).is_some());
    }

    /// The figure of RFC 7741 section 4.2 with every field present.
    #[test]
    fn every_field_is_read_with_its_place() {
        let payload = [0b1011_0000, 0b1111_0000, 0x92, 0x34, 0x56, 0b1010_0111, 0x51];
        let descriptor = Descriptor::parse(&payload).unwrap();
        assert_eq!(descriptor.picture_id, Some(PictureId { at: 2, wide: true, value: 0x1234 }));
        assert_eq!(descriptor.tl0_pic_idx, Some(Octet { at: 4, value: 0x56 }));
        assert_eq!(descriptor.layer, Some(TemporalLayer { id: 2, sync: true }));
        assert_eq!(descriptor.key_idx, Some(Octet { at: 5, value: 7 }));
        assert!(descriptor.discardable && descriptor.starts_frame && !descriptor.starts_key_frame);
        let info = descriptor.frame_info(true);
        assert_eq!((info.temporal, info.temporal_switch), (2, TemporalSwitch::WithThis));
        assert!(info.starts_frame && info.ends_frame && info.inter_picture);
    }

    #[test]
    fn a_field_counts_only_if_its_flag_is_set() {
        // K alone: the octet's TID and Y bits mean nothing.
        let descriptor = Descriptor::parse(&[0x90, 0x10, 0xe3, 0x50]).unwrap();
        assert_eq!((descriptor.layer, descriptor.key_idx), (None, Some(Octet { at: 2, value: 3 })));
        // T alone: its KEYIDX bits mean nothing. A short picture id, and the reserved bit of octet 0.
        let descriptor = Descriptor::parse(&[0x98, 0xa0, 0x7f, 0x5f, 0x51]).unwrap();
        assert_eq!(descriptor.picture_id, Some(PictureId { at: 2, wide: false, value: 0x7f }));
        assert_eq!(descriptor.layer, Some(TemporalLayer { id: 1, sync: false }));
        assert!(descriptor.key_idx.is_none() && descriptor.starts_frame);
        assert_eq!(descriptor.frame_info(false).temporal_switch, TemporalSwitch::None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(payload in proptest::collection::vec(any::<u8>(), 0..16)) {
            if let Some(descriptor) = Descriptor::parse(&payload) {
                let places = [
                    descriptor.picture_id.map(|id| id.at + u8::from(id.wide)),
                    descriptor.tl0_pic_idx.map(|octet| octet.at),
                    descriptor.key_idx.map(|octet| octet.at),
                ];
                prop_assert!(places.iter().flatten().all(|at| usize::from(*at) + 1 < payload.len()));
            }
        }
    }
}
