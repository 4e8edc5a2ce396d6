//! ICE checks as a client makes them, with whatever else a fuzzer puts in.

use aws_lc_rs::hmac;

/// A check without its integrity.
pub struct Check<'a> {
    pub id: [u8; 12],
    /// The receiver's.
    pub ufrag: &'a str,
    pub controlling: bool,
    pub nominates: bool,
    /// Further attributes, or what is none.
    pub more: &'a [u8],
}

/// The check with MESSAGE-INTEGRITY by this password, and FINGERPRINT.
pub fn sealed(check: &Check<'_>, password: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    message.extend_from_slice(&check.id);
    attribute(&mut message, 0x0006, format!("{}:peer", check.ufrag).as_bytes());
    attribute(&mut message, 0x0024, &[0x6e, 0x7f, 0x1e, 0xff]);
    if check.controlling {
        attribute(&mut message, 0x802a, &[7; 8]);
    }
    if check.nominates {
        attribute(&mut message, 0x0025, &[]);
    }
    message.extend_from_slice(check.more);
    set_length(&mut message, 24);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password), &message);
    attribute(&mut message, 0x0008, tag.as_ref());
    set_length(&mut message, 8);
    let checksum = fingerprint_of(&message);
    attribute(&mut message, 0x8028, &checksum.to_be_bytes());
    message
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&(value.len() as u16).to_be_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// The length field as if so many bytes more followed.
fn set_length(message: &mut [u8], following: usize) {
    let length = (message.len() - 20 + following) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

/// CRC-32 of the message before the attribute, under its mask (RFC 8489 section 14.7).
pub fn fingerprint_of(message: &[u8]) -> u32 {
    let crc = message.iter().fold(!0_u32, |crc, byte| crc >> 8 ^ TABLE[(crc as u8 ^ byte) as usize]);
    !crc ^ 0x5354_554e
}

static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let (mut crc, mut bit) = (index as u32, 0);
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};
