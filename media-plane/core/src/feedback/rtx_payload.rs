//! The payload of a retransmission: the original sequence number, then the original payload
//! (RFC 4588 section 4).

use crate::packet::u16_at;

/// Bytes that a retransmission is longer than its original.
pub(crate) const OSN_LEN: usize = 2;

/// Writes the payload of a retransmission to the start of `out`; none if there is no room.
pub(crate) fn write(out: &mut [u8], original_sequence: u16, original: &[u8]) -> Option<usize> {
    let (osn, payload) = out.split_first_chunk_mut()?;
    payload.get_mut(..original.len())?.copy_from_slice(original);
    *osn = original_sequence.to_be_bytes();
    Some(OSN_LEN + original.len())
}

/// The original's sequence number and payload; none for a payload without them, which senders use
/// as padding.
pub(crate) fn read(payload: &[u8]) -> Option<(u16, &[u8])> {
    let original = payload.get(OSN_LEN..).filter(|original| !original.is_empty())?;
    Some((u16_at(payload, 0)?, original))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = [0; 5];
        assert_eq!(write(&mut out, 0x1234, b"abc"), Some(5));
        assert_eq!(&out, b"\x12\x34abc");
        assert_eq!(read(&out), Some((0x1234, &b"abc"[..])));
    }

    #[test]
    fn what_does_not_fit_or_is_empty_is_refused() {
        assert_eq!(write(&mut [0; 4], 1, b"abc"), None);
        assert_eq!(write(&mut [0; 1], 1, b""), None);
        for short in [&[][..], &[1], &[1, 2]] {
            assert_eq!(read(short), None);
        }
    }
}
