//! Step 5, in part: the header that a consumer gets. What all consumers of a packet share, and what
//! all packets of a consumer share, is laid out once; what remains for each is its numbers.

use super::mid::Mid;
use crate::packet::rtp::{FIXED_HEADER, HeaderWriter, MAX_ELEMENTS, ONE_BYTE_PROFILE};

/// Bytes of passed elements that are laid out; more are written one by one.
const PASSED_MAX: usize = 48;
/// MID of eight characters, send time and transport-wide number, each behind its one-byte header.
const OWN_MAX: usize = 9 + 4 + 3;
/// Ids and lengths of the one-byte form (RFC 8285 section 4.2).
const ONE_BYTE_ID_MAX: u8 = 14;
const ONE_BYTE_LEN_MAX: usize = 16;

/// The elements that a consumer gets of its own, as the one-byte form has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnElements {
    /// The first `len` bytes count. The values that change are zero, as is what follows.
    bytes: [u8; OWN_MAX],
    len: usize,
    /// Byte offset of the time; none without that element.
    send_time: Option<usize>,
    /// The element of the transport-wide number is present. It is always the first.
    has_transport_cc: bool,
    /// An id is above those of the one-byte form.
    is_long: bool,
}

impl OwnElements {
    pub(crate) fn new(mid: Option<(u8, Mid)>, send_time: Option<u8>, transport_cc: Option<u8>) -> Self {
        let has_transport_cc = transport_cc.is_some();
        let mut own = Self { bytes: [0; OWN_MAX], len: 0, send_time: None, has_transport_cc, is_long: false };
        if let Some(id) = transport_cc {
            own.put(id, &[0; 2]);
        }
        own.send_time = send_time.map(|id| own.put(id, &[0; 3]));
        if let Some((id, mid)) = mid {
            own.put(id, mid.as_bytes());
        }
        own
    }

    /// Byte offset of the element's data.
    fn put(&mut self, id: u8, data: &[u8]) -> usize {
        self.is_long |= id > ONE_BYTE_ID_MAX || data.is_empty();
        let at = self.len + 1;
        let head = one_byte_head(id, data.len());
        let free = self.bytes.iter_mut().skip(self.len);
        for (place, byte) in free.zip(std::iter::once(head).chain(data.iter().copied())) {
            *place = byte;
        }
        self.len = at + data.len();
        at
    }

    /// With the time that every packet of a burst says.
    #[inline]
    pub(crate) fn at(mut self, send_time: u32) -> Self {
        let [_, time @ ..] = send_time.to_be_bytes();
        let place = self.send_time.and_then(|at| self.bytes.get_mut(at..)?.first_chunk_mut());
        if let Some(place) = place {
            *place = time;
        }
        self
    }
}

/// The elements of a source packet that consumers are passed, laid out for those who pass the same.
#[derive(Clone, Debug)]
pub(crate) struct PassedElements {
    /// Bit `id` is set if the router's element `id` is passed.
    ids: u16,
    bytes: [u8; PASSED_MAX],
    /// None if they do not fit in here, or not the one-byte form.
    len: Option<usize>,
}

impl PassedElements {
    /// `elements`: as (router's id, data).
    pub(crate) fn new<'a>(ids: u16, elements: impl Iterator<Item = (u8, &'a [u8])>) -> Self {
        let mut passed = Self { ids, bytes: [0; PASSED_MAX], len: Some(0) };
        for (id, data) in elements.filter(|(id, _)| passes(ids, *id)) {
            passed.len = passed.put(id, data);
        }
        passed
    }

    fn put(&mut self, id: u8, data: &[u8]) -> Option<usize> {
        let (head, rest) = self.bytes.get_mut(self.len?..)?.split_first_mut()?;
        if id > ONE_BYTE_ID_MAX || !(1..=ONE_BYTE_LEN_MAX).contains(&data.len()) {
            return None;
        }
        *head = one_byte_head(id, data.len());
        rest.get_mut(..data.len())?.copy_from_slice(data);
        Some(self.len? + 1 + data.len())
    }

    #[inline]
    pub(crate) fn is_for(&self, ids: u16) -> bool {
        self.ids == ids
    }
}

pub(crate) fn passes(ids: u16, id: u8) -> bool {
    ids.checked_shr(id.into()).unwrap_or(0) & 1 != 0
}

fn one_byte_head(id: u8, len: usize) -> u8 {
    id << 4 | u8::try_from(len.saturating_sub(1)).unwrap_or_default() & 0x0f
}

/// Writes a header in the one-byte form to the start of `out`, and may write up to 19 bytes beyond
/// it; its length. None if it needs the other form, or `out` is too short.
#[inline]
pub(crate) fn write(
    out: &mut [u8],
    fields: &HeaderWriter,
    own: &OwnElements,
    transport_cc: u16,
    passed: &PassedElements,
) -> Option<usize> {
    let passed = passed.bytes.get(..passed.len?)?;
    let len = own.len + passed.len();
    if own.is_long {
        return None;
    }
    let (fixed, rest) = out.split_first_chunk_mut::<FIXED_HEADER>()?;
    *fixed = fields.fixed(len > 0);
    if len == 0 {
        return Some(FIXED_HEADER);
    }
    let words = len.div_ceil(4);
    let (block, rest) = rest.split_first_chunk_mut::<4>()?;
    let [p0, p1] = ONE_BYTE_PROFILE.to_be_bytes();
    *block = [p0, p1, 0, u8::try_from(words).ok()?];
    // All of its bytes each time: a fixed length costs less than the right one.
    let elements = rest.first_chunk_mut::<OWN_MAX>()?;
    *elements = own.bytes;
    if own.has_transport_cc {
        let [_, high, low, ..] = elements;
        [*high, *low] = transport_cc.to_be_bytes();
    }
    if !passed.is_empty() {
        rest.get_mut(own.len..len)?.copy_from_slice(passed);
    }
    *rest.get_mut(len..)?.first_chunk_mut::<3>()? = [0; 3];
    Some(FIXED_HEADER + 4 + 4 * words)
}

/// [`write`] in whichever form it needs, element by element.
pub(crate) fn write_long<'a, 'b>(
    out: &mut [u8],
    fields: &HeaderWriter,
    own: impl Iterator<Item = (u8, &'a [u8])>,
    passed: impl Iterator<Item = (u8, &'b [u8])>,
) -> Option<usize> {
    let mut all: [(u8, &[u8]); MAX_ELEMENTS] = [(0, &[]); MAX_ELEMENTS];
    let mut places = all.iter_mut();
    for (element, place) in own.zip(&mut places) {
        *place = element;
    }
    for (element, place) in passed.zip(&mut places) {
        *place = element;
    }
    let count = MAX_ELEMENTS - places.len();
    fields.write(out, all.get(..count)?).ok().map(|header| header.len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::rtp::RtpHeader;
    use proptest::prelude::*;

    const FIELDS: HeaderWriter =
        HeaderWriter { marker: true, payload_type: 101, sequence: 7, timestamp: 960, ssrc: 0xdead_beef };

    proptest! {
        /// What is laid out says the same as what is written element by element.
        #[test]
        fn both_ways_to_write_a_header_say_the_same(
            mid in proptest::option::of("[a-z0-9]{1,8}"),
            has_time: bool,
            has_number: bool,
            (time, number) in (0_u32..1 << 24, any::<u16>()),
            elements in proptest::collection::vec((4_u8..17, proptest::collection::vec(any::<u8>(), 0..20)), 0..6),
            ids: u16,
        ) {
            let mid = mid.as_deref().and_then(Mid::new).map(|mid| (1, mid));
            let own = OwnElements::new(mid, has_time.then_some(2), has_number.then_some(3)).at(time);
            let elements = || elements.iter().map(|(id, data)| (*id, &data[..]));
            let passed = PassedElements::new(ids, elements());
            let [_, t @ ..] = time.to_be_bytes();
            let (t, n) = (t, number.to_be_bytes());
            let listed = [
                has_number.then_some((3, &n[..])),
                has_time.then_some((2, &t[..])),
                mid.as_ref().map(|(id, mid)| (*id, mid.as_bytes())),
            ];
            let listed = listed.into_iter().flatten();
            let (mut fast, mut slow) = ([0xee; 512], [0xee; 512]);
            let slow_len = write_long(&mut slow, &FIELDS, listed, elements().filter(|(id, _)| passes(ids, *id)));
            let slow_len = slow_len.unwrap();
            if let Some(len) = write(&mut fast, &FIELDS, &own, number, &passed) {
                prop_assert_eq!(&fast[..len], &slow[..slow_len]);
            } else {
                let header = RtpHeader::parse(&slow[..slow_len]).unwrap();
                let two_byte = header.extension.is_some_and(|block| block.profile != ONE_BYTE_PROFILE);
                let long = header.extension.is_some_and(|block| block.range().len() > PASSED_MAX);
                prop_assert!(two_byte || long, "refused without a reason");
            }
        }
    }

    #[test]
    fn a_buffer_that_is_too_short_is_refused() {
        let own = OwnElements::new(Mid::new("12345678").map(|mid| (1, mid)), Some(2), Some(3));
        let passed = PassedElements::new(1 << 4, [(4, &[0xaa][..])].into_iter());
        let mut out = [0; 64];
        let len = write(&mut out, &FIELDS, &own, 1, &passed).unwrap();
        assert_eq!(len, 12 + 4 + 20);
        for short in 0..len {
            assert_eq!(write(&mut out[..short], &FIELDS, &own, 1, &passed), None, "{short}");
        }
    }
}
