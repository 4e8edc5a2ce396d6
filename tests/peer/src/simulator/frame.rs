//! A frame of the simulated encoder, as its packets say it: VP8's descriptor, then what the reference
//! decoder has to know.

/// Bytes of payload that a packet has at most.
pub(super) const PAYLOAD_MAX: usize = 1_100;
/// VP8's descriptor with all of its fields.
const DESCRIPTOR: usize = 6;
const TAG: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) layer: u8,
    pub(super) temporal: u8,
    pub(super) sync: bool,
    pub(super) is_key: bool,
    pub(super) part: u8,
    pub(super) parts: u8,
    pub(super) picture: u16,
    pub(super) tl0: u8,
    /// Counted from 1 in its layer.
    pub(super) number: u32,
    /// The frames it is predicted from.
    pub(super) needs: Vec<u32>,
}

impl Frame {
    /// A packet's payload, of at least `len` bytes.
    pub(super) fn payload(&self, len: usize) -> Vec<u8> {
        let [high, low] = self.picture.to_be_bytes();
        let start = if self.part == 0 { 0x90 } else { 0x80 };
        let layer = self.temporal << 6 | u8::from(self.sync) << 5;
        let mut payload = vec![start, 0xe0, 0x80 | high, low, self.tl0, layer, u8::from(!self.is_key)];
        let needs = u8::try_from(self.needs.len()).expect("two at most");
        payload.extend([self.layer, self.temporal, u8::from(self.is_key), self.part, self.parts, needs]);
        payload.extend(self.number.to_be_bytes());
        payload.extend(self.needs.iter().flat_map(|number| number.to_be_bytes()));
        payload.resize(len.max(payload.len()), 0x55);
        payload
    }

    /// None for a payload that no frame wrote.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let (head, rest) = payload.split_at_checked(DESCRIPTOR + 1 + TAG)?;
        let (descriptor, tag) = head.split_at(DESCRIPTOR + 1);
        let [layer, temporal, is_key, part, parts, needs, n0, n1, n2, n3] = *tag.first_chunk::<TAG>()?;
        let needs = rest.chunks_exact(4).take(needs.into());
        let needs = needs.map(|it| u32::from_be_bytes([it[0], it[1], it[2], it[3]])).collect();
        Some(Self {
            layer,
            temporal,
            sync: descriptor[5] & 0x20 != 0,
            is_key: is_key == 1,
            part,
            parts,
            picture: u16::from_be_bytes([descriptor[2] & 0x7f, descriptor[3]]),
            tl0: descriptor[4],
            number: u32::from_be_bytes([n0, n1, n2, n3]),
            needs,
        })
    }
}
