//! The VP8 payload descriptor (RFC 7741 section 4.2).

/// Whether this payload begins a key frame: first partition's first packet (S = 1, PID = 0) whose
/// VP8 payload header has P = 0 (section 4.3).
pub(crate) fn starts_key_frame(payload: &[u8]) -> bool {
    let Some((&first, rest)) = payload.split_first() else { return false };
    let starts_frame = first & 0x10 != 0 && first & 0x0f == 0;
    if !starts_frame {
        return false;
    }
    match skip_extensions(first, rest) {
        Some([header, ..]) => header & 0x01 == 0,
        _ => false,
    }
}

/// What follows the descriptor's extension octets.
fn skip_extensions(first: u8, rest: &[u8]) -> Option<&[u8]> {
    if first & 0x80 == 0 {
        return Some(rest);
    }
    let (&extension, mut rest) = rest.split_first()?;
    if extension & 0x80 != 0 {
        let wide = rest.first()? & 0x80 != 0;
        rest = rest.get(if wide { 2 } else { 1 }..)?;
    }
    if extension & 0x40 != 0 {
        rest = rest.get(1..)?;
    }
    if extension & 0x30 != 0 {
        rest = rest.get(1..)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_is_cut_short_is_no_key_frame() {
        let whole = [0x90, 0xe0, 0x92, 0x34, 0x01, 0x20, 0x50];
        for len in 0..whole.len() {
            assert!(!starts_key_frame(&whole[..len]), "{len}");
        }
    }
}
