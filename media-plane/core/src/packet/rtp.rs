//! The RTP header (RFC 3550 section 5.1) and its extensions (RFC 8285).

use std::ops::Range;

use thiserror::Error;

use super::{MAX_DATAGRAM, WriteError, Writer, u32_at};

/// Bytes of the header before CSRCs and extensions.
pub const FIXED_HEADER: usize = 12;
/// Most header extension elements written into one packet.
pub const MAX_ELEMENTS: usize = 16;

pub(crate) const ONE_BYTE_PROFILE: u16 = 0xbede;
const TWO_BYTE_PROFILE: u16 = 0x1000;

/// Why a packet is no well-formed RTP.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each message says what was wrong")]
pub enum RtpError {
    #[error("shorter than the fixed header")]
    TooShort,
    #[error("longer than a datagram may be")]
    TooLong,
    #[error("version is not 2")]
    BadVersion,
    #[error("CSRC list past the end")]
    CsrcPastEnd,
    #[error("extension header past the end")]
    ExtensionHeaderPastEnd,
    #[error("extension block past the end")]
    ExtensionPastEnd,
    #[error("extension element past the end of its block")]
    ElementPastEnd,
    /// RFC 8285 would stop reading here; no sender writes it, so the packet is refused.
    #[error("extension padding with a length")]
    PaddingElementWithLength,
    #[error("padding of zero bytes")]
    PaddingZero,
    #[error("more padding than payload")]
    PaddingPastStart,
}

/// A checked header, as values and offsets, so that the packet itself stays writable.
///
/// The padding's length is inside the encryption: see [`Self::strip_padding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    /// As the payload format says: for video, the last packet of a frame.
    pub marker: bool,
    /// Whether the payload ends in padding.
    pub padding: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// The low 16 bits of the packet's index; the upper ones are the roll-over counter.
    pub sequence: u16,
    /// In units of the codec's clock rate.
    pub timestamp: u32,
    /// Which stream.
    pub ssrc: u32,
    /// 0 to 15 contributing sources, 4 bytes each.
    pub csrc_count: u8,
    /// Where the payload starts, in bytes.
    pub header_len: usize,
    /// `None` without an extension header.
    pub extension: Option<ExtensionBlock>,
}

/// Where a packet's extension elements lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionBlock {
    /// 0xBEDE: one-byte element headers. 0x1000-0x100F: two-byte. Others hold no elements.
    pub profile: u16,
    start: usize,
    end: usize,
}

impl ExtensionBlock {
    /// The block's bytes in the packet, without its four-byte header.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

impl RtpHeader {
    /// Checks the header of `packet`, encrypted or not, to the last extension element.
    pub fn parse(packet: &[u8]) -> Result<Self, RtpError> {
        if packet.len() > MAX_DATAGRAM {
            return Err(RtpError::TooLong);
        }
        let fixed: &[u8; FIXED_HEADER] = packet.first_chunk().ok_or(RtpError::TooShort)?;
        let &[flags, marker_and_type, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = fixed;
        if flags >> 6 != 2 {
            return Err(RtpError::BadVersion);
        }
        let csrc_count = flags & 0x0f;
        let mut header_len = FIXED_HEADER + 4 * usize::from(csrc_count);
        if packet.len() < header_len {
            return Err(RtpError::CsrcPastEnd);
        }
        let mut extension = None;
        if flags & 0x10 != 0 {
            let block = extension_block(packet, header_len)?;
            header_len = block.end;
            extension = Some(block);
        }
        Ok(Self {
            marker: marker_and_type & 0x80 != 0,
            padding: flags & 0x20 != 0,
            payload_type: marker_and_type & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            csrc_count,
            header_len,
            extension,
        })
    }

    /// The extension elements of `packet`, from which this header was parsed.
    pub fn extensions<'a>(&self, packet: &'a [u8]) -> Extensions<'a> {
        let elements = match self.extension {
            Some(block) => Elements::new(block.profile, packet.get(block.range()).unwrap_or_default()),
            None => Elements::new(ONE_BYTE_PROFILE, &[]),
        };
        Extensions { elements }
    }

    /// The data of the first element with this id.
    pub fn extension<'a>(&self, packet: &'a [u8], id: u8) -> Option<&'a [u8]> {
        self.extensions(packet).find(|element| element.0 == id).map(|element| element.1)
    }

    /// Where the payload of the decrypted `packet` lies once its padding is taken off
    /// (RFC 3550 section 5.1). An empty range is a packet of padding alone.
    pub fn strip_padding(&self, packet: &[u8]) -> Result<Range<usize>, RtpError> {
        let payload = packet.get(self.header_len..).ok_or(RtpError::TooShort)?;
        let padding = match (self.padding, payload.last()) {
            (false, _) => 0,
            (true, None) => return Err(RtpError::PaddingPastStart),
            (true, Some(0)) => return Err(RtpError::PaddingZero),
            (true, Some(&padding)) => usize::from(padding),
        };
        let len = payload.len().checked_sub(padding).ok_or(RtpError::PaddingPastStart)?;
        Ok(self.header_len..self.header_len + len)
    }
}

fn extension_block(packet: &[u8], at: usize) -> Result<ExtensionBlock, RtpError> {
    let word = u32_at(packet, at).ok_or(RtpError::ExtensionHeaderPastEnd)?;
    let [p0, p1, w0, w1] = word.to_be_bytes();
    let profile = u16::from_be_bytes([p0, p1]);
    let start = at + 4;
    let end = start + 4 * usize::from(u16::from_be_bytes([w0, w1]));
    let body = packet.get(start..end).ok_or(RtpError::ExtensionPastEnd)?;
    let mut elements = Elements::new(profile, body);
    while elements.step()?.is_some() {}
    Ok(ExtensionBlock { profile, start, end })
}

/// Extension elements as (id, data), in the packet's order.
#[derive(Clone, Debug)]
pub struct Extensions<'a> {
    elements: Elements<'a>,
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.elements.step().unwrap_or(None)
    }
}

#[derive(Clone, Debug)]
struct Elements<'a> {
    two_byte: bool,
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    fn new(profile: u16, body: &'a [u8]) -> Self {
        let two_byte = profile & 0xfff0 == TWO_BYTE_PROFILE;
        let rest = if two_byte || profile == ONE_BYTE_PROFILE { body } else { &[] };
        Self { two_byte, rest }
    }

    fn step(&mut self) -> Result<Option<(u8, &'a [u8])>, RtpError> {
        let (id, len, body) = loop {
            let Some((&first, rest)) = self.rest.split_first() else { return Ok(None) };
            if first == 0 {
                self.rest = rest;
            } else if self.two_byte {
                let (&len, body) = rest.split_first().ok_or(RtpError::ElementPastEnd)?;
                break (first, usize::from(len), body);
            } else {
                match first >> 4 {
                    0 => return Err(RtpError::PaddingElementWithLength),
                    15 => {
                        self.rest = &[];
                        return Ok(None);
                    }
                    id => break (id, usize::from(first & 0x0f) + 1, rest),
                }
            }
        };
        let (data, rest) = body.split_at_checked(len).ok_or(RtpError::ElementPastEnd)?;
        self.rest = rest;
        Ok(Some((id, data)))
    }
}

/// The fields of an outgoing header: no CSRCs, no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderWriter {
    /// As in [`RtpHeader::marker`].
    pub marker: bool,
    /// 0-127.
    pub payload_type: u8,
    /// The low 16 bits of the packet's index.
    pub sequence: u16,
    /// In units of the codec's clock rate.
    pub timestamp: u32,
    /// Which stream.
    pub ssrc: u32,
}

/// Where a header and its extension elements were put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenHeader {
    /// Bytes written.
    pub len: usize,
    data_at: [u16; MAX_ELEMENTS],
    elements: usize,
}

impl WrittenHeader {
    /// Byte offset of the data of the `nth` element given to [`HeaderWriter::write`].
    pub fn data_at(&self, nth: usize) -> Option<usize> {
        self.data_at.get(..self.elements)?.get(nth).copied().map(usize::from)
    }
}

impl HeaderWriter {
    /// What comes before the extensions, if there are any.
    #[inline]
    pub(crate) fn fixed(&self, extended: bool) -> [u8; FIXED_HEADER] {
        let ([s0, s1], [t0, t1, t2, t3]) = (self.sequence.to_be_bytes(), self.timestamp.to_be_bytes());
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        let flags = 0x80 | u8::from(extended) << 4;
        let marker_and_type = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        [flags, marker_and_type, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3]
    }

    /// Writes the header and `elements`, as (id, data), to the start of `out`: in the one-byte form
    /// if ids and lengths allow it, else in the two-byte form (RFC 8285 section 4).
    pub fn write(&self, out: &mut [u8], elements: &[(u8, &[u8])]) -> Result<WrittenHeader, WriteError> {
        let mut data_at = [0; MAX_ELEMENTS];
        if elements.len() > MAX_ELEMENTS {
            return Err(WriteError::TooManyElements);
        }
        let mut writer = Writer::new(out);
        writer.put(&self.fixed(!elements.is_empty()))?;
        if !elements.is_empty() {
            let one_byte = elements.iter().all(|(id, data)| *id < 15 && (1..=16).contains(&data.len()));
            writer.put_u16(if one_byte { ONE_BYTE_PROFILE } else { TWO_BYTE_PROFILE })?;
            writer.put_u16(0)?;
            for ((id, data), place) in elements.iter().zip(&mut data_at) {
                *place = put_element(&mut writer, one_byte, *id, data)?;
            }
            writer.pad_to_word()?;
            let words = (writer.len() - FIXED_HEADER - 4) / 4;
            let words = u16::try_from(words).map_err(|_| WriteError::TooManyElements)?;
            writer.patch_u16(FIXED_HEADER + 2, words)?;
        }
        Ok(WrittenHeader { len: writer.len(), data_at, elements: elements.len() })
    }
}

fn put_element(writer: &mut Writer<'_>, one_byte: bool, id: u8, data: &[u8]) -> Result<u16, WriteError> {
    let len = u8::try_from(data.len()).map_err(|_| WriteError::ElementTooLong)?;
    match (id, one_byte) {
        (0, _) => return Err(WriteError::ExtensionIdZero),
        (_, true) => writer.put(&[id << 4 | len.wrapping_sub(1) & 0x0f])?,
        (_, false) => writer.put(&[id, len])?,
    }
    let place = u16::try_from(writer.len()).map_err(|_| WriteError::NoRoom)?;
    writer.put(data)?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: HeaderWriter =
        HeaderWriter { marker: true, payload_type: 111, sequence: 7, timestamp: 960, ssrc: 0xdead_beef };

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn a_plain_header_is_read() {
        let header = RtpHeader::parse(&packet(0x80, &[9])).unwrap();
        assert_eq!((header.payload_type, header.marker, header.sequence), (96, false, 1));
        assert_eq!((header.timestamp, header.ssrc, header.header_len), (2, 3, 12));
    }

    #[test]
    fn every_way_to_be_wrong_has_its_error() {
        let one = |body: [u8; 4]| packet(0x90, &[&[0xbe, 0xde, 0, 1][..], &body].concat());
        let two = |body: [u8; 4]| packet(0x90, &[&[0x10, 0x05, 0, 1][..], &body].concat());
        for (bytes, error) in [
            (vec![0x80; 11], RtpError::TooShort),
            (vec![0x80; 1501], RtpError::TooLong),
            (packet(0x40, &[]), RtpError::BadVersion),
            (packet(0x82, &[0; 7]), RtpError::CsrcPastEnd),
            (packet(0x90, &[0xbe, 0xde, 0]), RtpError::ExtensionHeaderPastEnd),
            (packet(0x90, &[0xbe, 0xde, 0, 1, 0, 0, 0]), RtpError::ExtensionPastEnd),
            (packet(0x90, &[0, 0, 0xff, 0xff]), RtpError::ExtensionPastEnd),
            (one([0x10, 1, 0x21, 2]), RtpError::ElementPastEnd),
            (one([0x10, 1, 0x02, 0x40]), RtpError::PaddingElementWithLength),
            (two([0, 0, 0, 7]), RtpError::ElementPastEnd),
            (two([0, 0x22, 0x33, 0x44]), RtpError::ElementPastEnd),
        ] {
            assert_eq!(RtpHeader::parse(&bytes), Err(error), "{bytes:02x?}");
        }
    }

    #[test]
    fn both_extension_forms_are_walked() {
        let one = packet(0x90, &[0xbe, 0xde, 0, 2, 0x10, 0xaa, 0, 0x31, 1, 2, 0xf0, 0x33]);
        let header = RtpHeader::parse(&one).unwrap();
        let found: Vec<_> = header.extensions(&one).collect();
        assert_eq!(found, [(1, &[0xaa][..]), (3, &[1, 2])], "id 15 stops the walk");
        let two = packet(0x90, &[0x10, 0x0f, 0, 2, 20, 0, 0, 15, 2, 8, 9, 0]);
        let header = RtpHeader::parse(&two).unwrap();
        let found: Vec<_> = header.extensions(&two).collect();
        assert_eq!(found, [(20, &[][..]), (15, &[8, 9])]);
        let other = packet(0x90, &[0x12, 0x34, 0, 1, 0xff, 0xff, 0xff, 0xff]);
        let header = RtpHeader::parse(&other).unwrap();
        assert_eq!((header.extensions(&other).count(), header.header_len), (0, 20));
        assert_eq!(header.extensions(&[]).count(), 0, "another packet than the parsed one");
    }

    #[test]
    fn padding_is_stripped_or_refused() {
        for (payload, expected) in [
            (&[1, 2, 3, 1][..], Ok(12..15)),
            (&[0, 0, 0, 4], Ok(12..12)),
            (&[1, 2, 3, 5], Err(RtpError::PaddingPastStart)),
            (&[1, 2, 3, 0], Err(RtpError::PaddingZero)),
            (&[], Err(RtpError::PaddingPastStart)),
        ] {
            let bytes = packet(0xa0, payload);
            assert_eq!(RtpHeader::parse(&bytes).unwrap().strip_padding(&bytes), expected);
        }
        let bytes = packet(0x80, &[1, 2, 0]);
        let header = RtpHeader::parse(&bytes).unwrap();
        assert_eq!(header.strip_padding(&bytes), Ok(12..15));
        assert_eq!(header.strip_padding(&bytes[..11]), Err(RtpError::TooShort));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let long = [5; 17];
        for elements in [
            &[][..],
            &[(4, &b"mid"[..])],
            &[(1, &[1][..]), (14, &long[..16])],
            &[(1, &[1][..]), (15, &[2])],
            &[(2, &[][..]), (3, &[7, 7])],
            &[(2, &long[..])],
        ] {
            let mut out = [0xff; 64];
            let written = FIELDS.write(&mut out, elements).unwrap();
            let header = RtpHeader::parse(&out[..written.len]).unwrap();
            assert_eq!(header.header_len, written.len);
            assert!(header.extensions(&out).eq(elements.iter().copied()));
            for (nth, (_, data)) in elements.iter().enumerate() {
                let at = written.data_at(nth).unwrap();
                assert_eq!(&out[at..at + data.len()], *data);
            }
            assert_eq!(written.data_at(elements.len()), None);
            assert_eq!((header.marker, header.payload_type, header.sequence), (true, 111, 7));
            assert_eq!((header.timestamp, header.ssrc), (960, 0xdead_beef));
            for room in 0..written.len {
                assert_eq!(FIELDS.write(&mut out[..room], elements), Err(WriteError::NoRoom));
            }
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let mut out = [0; 1500];
        assert_eq!(FIELDS.write(&mut out, &[(0, &[1])]), Err(WriteError::ExtensionIdZero));
        assert_eq!(FIELDS.write(&mut out, &[(1, &[0; 256])]), Err(WriteError::ElementTooLong));
        let many = [(1, &[0][..]); MAX_ELEMENTS + 1];
        assert_eq!(FIELDS.write(&mut out, &many), Err(WriteError::TooManyElements));
    }
}
