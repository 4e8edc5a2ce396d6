//! H.264 payloads (RFC 6184 section 5), as far as the NAL unit types go.
//!
//! Of a producer whose channel is encrypted end to end only the NAL headers are in the clear.
//!
//! Temporal layers cannot be read from these: that takes the dependency descriptor.

use super::{FrameInfo, TemporalSwitch};

/// NAL unit types of H.264 (table 7-1) and of RFC 6184 (table 1).
const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const ACCESS_UNIT_DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const FU_B: u8 = 29;

/// What a payload has in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payload {
    /// A sequence parameter set: what a decoder must have before the IDR picture, and so what a
    /// receiver that comes from another stream must be begun with if the sender repeats it.
    pub(crate) has_sps: bool,
    /// Part of an IDR picture.
    pub(crate) has_idr: bool,
    /// The first slice of an IDR picture; of an encrypted one, any slice.
    pub(crate) starts_idr: bool,
    /// A unit that may be the first of its access unit (H.264 section 7.4.1.2.3).
    pub(crate) may_start_frame: bool,
}

impl Payload {
    /// None if it is cut short, or of a type that is not allowed in packetization modes 0 and 1.
    /// `is_encrypted`: behind the NAL headers.
    pub(crate) fn parse(payload: &[u8], is_encrypted: bool) -> Option<Self> {
        let (&header, rest) = payload.split_first()?;
        let mut found = Self::default();
        match header & 0x1f {
            // Section 5.7.1: units, each after its 16-bit size.
            STAP_A => {
                let mut rest = rest;
                while !rest.is_empty() {
                    let (size, units) = rest.split_first_chunk()?;
                    let (unit, next) = units.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
                    let (&header, body) = unit.split_first()?;
                    found.add(header & 0x1f, body, is_encrypted);
                    rest = next;
                }
            }
            // Section 5.8. FU-B, of mode 2, has a decoding order number before the fragment.
            fragment @ (FU_A | FU_B) => {
                let (&header, rest) = rest.split_first()?;
                let body = if fragment == FU_B { rest.get(2..)? } else { rest };
                let (starts, unit_type) = (header & 0x80 != 0, header & 0x1f);
                if starts {
                    found.add(unit_type, body, is_encrypted);
                } else {
                    found.has_idr = unit_type == IDR_SLICE;
                }
            }
            unit_type @ 1..=23 => found.add(unit_type, rest, is_encrypted),
            _ => return None,
        }
        Some(found)
    }

    /// `body`: the unit after its header.
    fn add(&mut self, unit_type: u8, body: &[u8], is_encrypted: bool) {
        // first_mb_in_slice, the slice header's first field, is 0: as ue(v) a single 1 bit. Encrypted, it says nothing;
        // browsers send pictures of one slice.
        let first_slice = is_encrypted || body.first().is_some_and(|octet| octet & 0x80 != 0);
        match unit_type {
            SPS => {
                self.has_sps = true;
                self.may_start_frame = true;
            }
            PPS | SEI | ACCESS_UNIT_DELIMITER => self.may_start_frame = true,
            IDR_SLICE => {
                self.has_idr = true;
                self.starts_idr |= first_slice;
                self.may_start_frame |= first_slice;
            }
            SLICE => self.may_start_frame |= first_slice,
            _ => {}
        }
    }

    /// `marker`: the packet's RTP marker, which ends an access unit (section 5.1).
    pub(crate) fn frame_info(&self, marker: bool) -> FrameInfo {
        let starts_key_frame = self.has_sps || self.starts_idr;
        FrameInfo {
            starts_frame: self.may_start_frame,
            ends_frame: marker,
            starts_key_frame,
            inter_picture: !(starts_key_frame || self.has_idr),
            spatial: 0,
            temporal: 0,
            temporal_switch: if starts_key_frame { TemporalSwitch::WithThis } else { TemporalSwitch::None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn info(payload: &[u8]) -> FrameInfo {
        Payload::parse(payload, false).unwrap().frame_info(false)
    }

    /// Section 5.6: a single NAL unit.
    #[test]
    fn single_units_are_told_apart() {
        for (payload, starts_key_frame, starts_frame) in [
            (&[0x67, 0x42, 0x00, 0x1f][..], true, true),
            (&[0x68, 0xce], false, true),
            (&[0x65, 0x88], true, true),
            (&[0x65, 0x08], false, false),
            (&[0x41, 0x9a], false, true),
            (&[0x41, 0x1a], false, false),
            (&[0x09, 0xf0], false, true),
            (&[0x41], false, false),
        ] {
            let info = info(payload);
            assert_eq!(info.starts_key_frame, starts_key_frame, "{payload:02x?}");
            assert_eq!(info.starts_frame, starts_frame, "{payload:02x?}");
        }
        assert!(!info(&[0x65, 0x08]).inter_picture && info(&[0x41, 0x9a]).inter_picture);
    }

    /// Section 5.7.1, figure 7: an STAP-A with two units.
    #[test]
    fn an_aggregate_is_a_key_frame_if_any_of_its_units_is() {
        let sps = [0x78, 0, 2, 0x68, 0xce, 0, 3, 0x67, 0x42, 0x00];
        assert!(info(&sps).starts_key_frame && info(&sps).starts_frame);
        assert!(!info(&[0x78, 0, 2, 0x41, 0x9a, 0, 1, 0x06]).starts_key_frame);
        for len in [0, 2, 4, 6, 7, 8, 9] {
            assert_eq!(Payload::parse(&sps[..len], false), None, "{len}");
        }
        assert_eq!(Payload::parse(&[0x78, 0, 0], false), None, "a unit of no bytes");
    }

    /// Section 5.8, figures 14 and 15: the FU header's S bit and type.
    #[test]
    fn only_the_first_fragment_begins_a_key_frame() {
        assert!(info(&[0x7c, 0x85, 0x88]).starts_key_frame);
        assert!(info(&[0x7c, 0x87, 0x42]).starts_key_frame);
        assert!(info(&[0x7d, 0x85, 0, 1, 0x88]).starts_key_frame);
        let later = info(&[0x7c, 0x45, 0x88]);
        assert!(!later.starts_key_frame && !later.starts_frame && !later.inter_picture);
        assert!(!info(&[0x7c, 0x81, 0x9a]).starts_key_frame);
        for cut in [&[0x7c][..], &[0x7d, 0x85, 0]] {
            assert_eq!(Payload::parse(cut, false), None);
        }
    }

    #[test]
    fn of_an_encrypted_unit_the_type_decides() {
        for octet in [0x08, 0x88] {
            for (payload, is_key) in
                [([0x65, octet, 0], true), ([0x7c, 0x85, octet], true), ([0x41, octet, 0], false)]
            {
                let info = Payload::parse(&payload, true).unwrap().frame_info(false);
                assert_eq!((info.starts_key_frame, info.starts_frame), (is_key, true), "{payload:02x?}");
            }
        }
        assert!(!Payload::parse(&[0x7c, 0x45, 0x88], true).unwrap().starts_idr, "a later fragment");
    }

    #[test]
    fn types_that_are_reserved_or_interleaved_are_refused() {
        for unit_type in [0, 25, 26, 27, 30, 31] {
            assert_eq!(Payload::parse(&[unit_type, 0, 0, 0, 1, 0x67], false), None, "{unit_type}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            payload in proptest::collection::vec(any::<u8>(), 0..64),
            is_encrypted: bool,
        ) {
            if let Some(found) = Payload::parse(&payload, is_encrypted) {
                prop_assert!(found.has_idr || !found.starts_idr);
                prop_assert!(found.may_start_frame || !found.frame_info(true).starts_key_frame);
            }
        }
    }
}
