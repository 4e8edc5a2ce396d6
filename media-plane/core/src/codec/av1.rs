//! AV1 payloads without a dependency descriptor: the aggregation header (AV1 RTP specification
//! section 4.4) and the headers of the OBU elements (AV1 specification section 5.3).
//!
//! The descriptor, where there is one, says all of this better and survives end-to-end encryption.

use super::{FrameInfo, TemporalSwitch};

/// OBU types (AV1 specification section 6.2.2).
const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const TILE_GROUP: u8 = 4;
const METADATA: u8 = 5;
const FRAME: u8 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    /// Z: the first element continues the last one of the packet before.
    pub(crate) continues: bool,
    /// Y: the last element goes on in the next packet.
    pub(crate) is_continued: bool,
    /// N: the first packet of a coded video sequence.
    pub(crate) starts_sequence: bool,
    /// An OBU with the sequence header begins in this packet.
    pub(crate) has_sequence_header: bool,
    /// The first OBU that begins here may be the first of a frame.
    pub(crate) may_start_frame: bool,
    /// temporal_id and spatial_id of the first frame's OBU that has an extension header.
    pub(crate) temporal: u8,
    pub(crate) spatial: u8,
}

impl Payload {
    /// None if an element is cut short, or there is none.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let (&header, mut rest) = payload.split_first()?;
        let mut found = Self {
            continues: header & 0x80 != 0,
            is_continued: header & 0x40 != 0,
            starts_sequence: header & 0x08 != 0,
            has_sequence_header: false,
            may_start_frame: false,
            temporal: 0,
            spatial: 0,
        };
        // W: the number of elements, the last of which has no length; 0: each has one.
        let count = header >> 4 & 0x03;
        let (mut nth, mut layer) = (0u8, None);
        while !rest.is_empty() {
            nth = nth.saturating_add(1);
            let element = if nth == count {
                std::mem::take(&mut rest)
            } else {
                let (len, after) = leb128(rest)?;
                let (element, after) = after.split_at_checked(len)?;
                rest = after;
                element
            };
            if nth > 1 || !found.continues {
                found.add(element, nth == 1, &mut layer)?;
            }
        }
        (found.temporal, found.spatial) = layer.unwrap_or_default();
        (nth >= count.max(1)).then_some(found)
    }

    fn add(&mut self, element: &[u8], is_first: bool, layer: &mut Option<(u8, u8)>) -> Option<()> {
        let (&header, rest) = element.split_first()?;
        let obu_type = header >> 3 & 0x0f;
        if obu_type == SEQUENCE_HEADER {
            self.has_sequence_header = true;
        }
        if is_first {
            self.may_start_frame =
                matches!(obu_type, SEQUENCE_HEADER | TEMPORAL_DELIMITER | FRAME_HEADER | METADATA | FRAME);
        }
        let is_frame = matches!(obu_type, FRAME_HEADER | TILE_GROUP | FRAME);
        // A fragment may end before the extension.
        if let Some(extension) = rest.first().filter(|_| is_frame && header & 0x04 != 0) {
            layer.get_or_insert((extension >> 5, extension >> 3 & 0x03));
        }
        Some(())
    }

    /// `marker`: the packet's RTP marker, which ends a temporal unit (section 4.2).
    pub(crate) fn frame_info(&self, marker: bool) -> FrameInfo {
        let starts_key_frame = self.starts_sequence && self.has_sequence_header && !self.continues;
        FrameInfo {
            starts_frame: self.may_start_frame,
            ends_frame: marker,
            starts_key_frame,
            inter_picture: !starts_key_frame,
            spatial: self.spatial,
            temporal: self.temporal,
            temporal_switch: if starts_key_frame { TemporalSwitch::WithThis } else { TemporalSwitch::None },
        }
    }
}

/// A length, and what follows it (AV1 specification section 4.10.5).
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    // More octets than five would be a length of 2^32 or more, or a longer form than need be.
    for (shift, octet) in (0..).step_by(7).zip(bytes.iter().take(5)) {
        value |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            let rest = bytes.get(shift / 7 + 1..)?;
            return Some((usize::try_from(value).ok()?, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sequence header, then a frame's first fragment: the usual start of a stream (section 4.4,
    /// W = 2, N = 1, Y = 1).
    #[test]
    fn a_coded_video_sequence_begins_with_its_header() {
        let payload = [0b0110_1000, 3, 0x08, 1, 2, 0x30, 9, 9];
        let found = Payload::parse(&payload).unwrap();
        assert!(found.is_continued && found.starts_sequence && found.has_sequence_header);
        let info = found.frame_info(false);
        assert!(info.starts_key_frame && info.starts_frame && !info.inter_picture);
        let all_sized = [0b0000_1000, 3, 0x08, 1, 2, 3, 0x30, 9, 9];
        assert!(Payload::parse(&all_sized).unwrap().frame_info(false).starts_key_frame);
        for len in 0..5 {
            assert_eq!(Payload::parse(&payload[..len]), None, "{len}");
        }
    }

    #[test]
    fn without_the_header_or_the_flag_no_key_frame_begins() {
        for payload in [
            [0b0001_1000, 0x30, 9, 9],
            [0b0001_0000, 0x08, 9, 9],
            // A continued element is no header, whatever its bytes.
            [0b1001_1000, 0x08, 9, 9],
        ] {
            let info = Payload::parse(&payload).unwrap().frame_info(true);
            assert!(!info.starts_key_frame && info.ends_frame, "{payload:02x?}");
        }
        let both = Payload::parse(&[0b1000_1000, 1, 9, 2, 0x08, 9]).unwrap();
        assert!(both.has_sequence_header && !both.frame_info(false).starts_key_frame);
        assert!(!Payload::parse(&[0x90, 0x08, 9]).unwrap().frame_info(false).starts_frame);
        assert!(!Payload::parse(&[0x10, 0x20, 9]).unwrap().frame_info(false).starts_frame, "tile group");
    }

    #[test]
    fn layers_are_read_from_the_obu_extension() {
        let found = Payload::parse(&[0b0001_0000, 0x34, 0b0101_0000, 9]).unwrap();
        assert_eq!((found.temporal, found.spatial), (2, 2));
        assert!(Payload::parse(&[0b0101_0000, 0x34]).is_some(), "a fragment without the extension");
    }

    #[test]
    fn lengths_of_more_than_one_octet_are_read() {
        assert_eq!(leb128(&[0xac, 0x02, 7]), Some((300, &[7][..])));
        assert_eq!(leb128(&[0x80, 0x80, 0x00]), Some((0, &[][..])));
        assert_eq!(leb128(&[0xff; 8]), None);
        assert_eq!(leb128(&[0x80]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(found) = Payload::parse(&payload) {
                prop_assert!(payload.len() > 1 && found.temporal < 8 && found.spatial < 4);
            }
        }
    }
}
