//! From 16-bit sequence numbers to 48-bit packet indexes (RFC 3711 section 3.3.1).

const HALF: u16 = 1 << 15;

/// The last packet index of a key: 32 bits of roll-over counter, 16 of sequence number.
pub const MAX_INDEX: u64 = (1 << 48) - 1;

/// The index a sequence number most likely means, `highest` being the highest authentic one so far.
///
/// Before the first wrap there is no earlier counter to guess: a number far ahead is then taken as
/// a jump forward. `None`: past the last index, when the key is used up.
pub fn estimate(highest: Option<u64>, sequence: u16) -> Option<u64> {
    let Some(highest) = highest else { return Some(u64::from(sequence)) };
    let [_, _, .., s0, s1] = highest.to_be_bytes();
    let last = u16::from_be_bytes([s0, s1]);
    let rollovers = highest >> 16;
    let rollovers = if last < HALF {
        if sequence > last && sequence - last > HALF { rollovers.saturating_sub(1) } else { rollovers }
    } else if last - HALF > sequence {
        rollovers + 1
    } else {
        rollovers
    };
    let index = rollovers << 16 | u64::from(sequence);
    (index <= MAX_INDEX).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_index_is_taken() {
        for (highest, sequence, index) in [
            (None, 65535, Some(65535)),
            (Some(65535), 0, Some(65536)),
            (Some(65536), 65535, Some(65535)),
            (Some(0x1_0000), 0x8000, Some(0x1_8000)),
            (Some(0x1_0000), 0x8001, Some(0x8001)),
            (Some(0x1_8000), 0, Some(0x1_0000)),
            (Some(0x1_8001), 0, Some(0x2_0000)),
            (Some(5), 65530, Some(65530)),
            (Some(0xffff_ffff_ffff), 0, None),
            (Some(0xffff_ffff_0000), 0xffff, Some(0xffff_fffe_ffff)),
        ] {
            assert_eq!(estimate(highest, sequence), index, "{highest:x?} {sequence:x}");
        }
    }
}
