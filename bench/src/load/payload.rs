//! RTP payloads of the recordings, with a stamp at their end that no server rewrites and no decoder
//! reads: in Opus it is padding, in VP8 it is behind the last partition.

/// How much of a VP8 frame one packet carries at most.
const FRAGMENT_MAX: usize = 1100;
pub(super) const STAMP_LEN: usize = 12;
/// The payload descriptor that [`vp8`] writes.
const VP8_HEAD: usize = 4;
/// Before the Opus frame and its padding: table of contents, count, length of the padding.
const OPUS_HEAD: usize = 3;

/// What a packet says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Its stream's own.
    pub(super) tag: u32,
    /// Counted up by one from packet to packet.
    pub(super) number: u32,
    /// When it was sent, in us, modulo 2^32.
    pub(super) at: u32,
}

impl Stamp {
    fn write(self) -> [u8; STAMP_LEN] {
        let [tag, number, at] = [self.tag, self.number, self.at].map(u32::to_be_bytes);
        let mut out = [0; STAMP_LEN];
        out.iter_mut().zip(tag.into_iter().chain(number).chain(at)).for_each(|(to, from)| *to = from);
        out
    }

    /// Reads the stamp, which is the last bytes of a payload.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let stamp: &[u8; STAMP_LEN] = payload.last_chunk()?;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *stamp;
        let [tag, number, at] = [[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_be_bytes);
        Some(Self { tag, number, at })
    }
}

/// An Opus packet of one frame as one of `len` bytes (RFC 6716 section 3.2.5), or a little more if it
/// must.
pub(super) fn opus(packet: &[u8], len: usize, stamp: Stamp) -> Vec<u8> {
    let (toc, frame) = packet.split_first().map_or((0, packet), |(toc, frame)| (*toc, frame));
    // One byte gives lengths up to 254.
    let padding = len.saturating_sub(OPUS_HEAD + frame.len()).clamp(STAMP_LEN, 254);
    let mut out = vec![toc | 3, 0x41, u8::try_from(padding).unwrap_or(u8::MAX)];
    out.extend_from_slice(frame);
    out.resize(out.len() + padding - STAMP_LEN, 0);
    out.extend(stamp.write());
    out
}

/// A VP8 frame of at least so many bytes, with room for the stamp.
pub(super) fn picture(frame: &[u8], least: usize) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    bytes.resize(frame.len().max(least) + STAMP_LEN, 0);
    bytes
}

/// In how many packets a frame of so many bytes goes.
pub(super) fn packets(len: usize) -> usize {
    len.div_ceil(FRAGMENT_MAX)
}

/// A VP8 frame, encrypted or not, in so many equal parts (RFC 7741 section 4).
pub(super) fn vp8(bytes: &[u8], count: usize, picture: u16) -> Vec<Vec<u8>> {
    let [high, low] = picture.to_be_bytes();
    let packet = |(place, part): (usize, &[u8])| {
        // Extended; partition 0 begins in the first; a picture id of 15 bits.
        let first = if place == 0 { 0x90 } else { 0x80 };
        [&[first, 0x80, 0x80 | high, low], part].concat()
    };
    bytes.chunks(bytes.len().div_ceil(count)).enumerate().map(packet).collect()
}

/// The part of a frame that a packet of [`vp8`] carries.
pub(super) fn vp8_part(packet: &[u8]) -> &[u8] {
    packet.get(VP8_HEAD..).unwrap_or_default()
}

/// Writes the stamp where [`picture`] left room.
pub(super) fn stamp_last(picture: &mut [u8], stamp: Stamp) {
    if let Some(room) = picture.last_chunk_mut() {
        *room = stamp.write();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { tag: 0x0102_0304, number: 0x0506_0708, at: 0x090a_0b0c };

    #[test]
    fn an_opus_packet_keeps_its_frame_and_carries_a_stamp() {
        let packet = opus(&[0x48, 1, 2, 3], 40, STAMP);
        assert_eq!(packet.len(), 40);
        assert_eq!(packet[..6], [0x4b, 0x41, 34, 1, 2, 3]);
        assert_eq!(Stamp::read(&packet), Some(STAMP));
        let silent = opus(&[0x48], 0, STAMP);
        assert_eq!(silent[..3], [0x4b, 0x41, 12]);
        assert_eq!((silent.len(), Stamp::read(&silent)), (15, Some(STAMP)));
    }

    #[test]
    fn a_frame_goes_in_equal_parts_with_the_stamp_in_the_last() {
        let frame: Vec<u8> = (0..=u8::MAX).cycle().take(3000).collect();
        let mut whole = picture(&frame, 0);
        stamp_last(&mut whole, STAMP);
        let packets = vp8(&whole, 3, 0x1234);
        assert_eq!(packets.iter().map(Vec::len).collect::<Vec<_>>(), [1008, 1008, 1008]);
        assert_eq!(packets[0][..4], [0x90, 0x80, 0x92, 0x34]);
        assert_eq!(packets[2][..4], [0x80, 0x80, 0x92, 0x34]);
        assert_eq!((Stamp::read(&packets[2]), packets.len()), (Some(STAMP), 3));
        let parts: Vec<u8> = packets.iter().flat_map(|packet| vp8_part(packet)).copied().collect();
        assert_eq!(parts[..3000], frame);
        let padded = vp8(&picture(&[1, 2, 3], 5000), 5, 0);
        assert_eq!(padded.iter().map(|packet| packet.len() - 4).sum::<usize>(), 5000 + STAMP_LEN);
    }
}
