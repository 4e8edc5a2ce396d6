//! The FINGERPRINT attribute's value (RFC 8489 section 14.7).

/// CRC-32 of the message before the attribute, under the mask that tells STUN from others' CRCs.
pub(super) fn of(message: &[u8]) -> u32 {
    crc32(message) ^ 0x5354_554e
}

/// The CRC of ISO 3309, as in zip and Ethernet: reflected, polynomial 0x04c11db7.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let [index, ..] = (crc ^ u32::from(*byte)).to_le_bytes();
        crc >> 8 ^ TABLE[usize::from(index)]
    };
    !bytes.iter().fold(!0, step)
}

static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    let mut value = 0_u32;
    while index < table.len() {
        let mut crc = value;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
        value += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    #[test]
    fn crc32_of_the_check_string() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
    }
}
