//! Keys of SFrame, and the header that says which one a frame is under (RFC 9605, sections 4.3 and 4.4).

use super::format::{SALT_LEN, SframeError};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm, Nonce};
use hkdf::Hkdf;
use sha2::{Sha256, Sha512};

/// Of the invite and the frames: RFC 9605, section 8.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    Aes128GcmSha256,
    Aes256GcmSha512,
}

impl Suite {
    pub(super) fn from_number(number: u16) -> Result<Self, SframeError> {
        match number {
            4 => Ok(Self::Aes128GcmSha256),
            5 => Ok(Self::Aes256GcmSha512),
            _ => Err(SframeError::Suite),
        }
    }

    pub(super) fn number(self) -> u16 {
        match self {
            Self::Aes128GcmSha256 => 4,
            Self::Aes256GcmSha512 => 5,
        }
    }

    /// HKDF (RFC 5869) without a salt.
    pub(super) fn derive<const N: usize>(self, ikm: &[u8], info: &[u8]) -> [u8; N] {
        let mut out = [0; N];
        let done = match self {
            Self::Aes128GcmSha256 => Hkdf::<Sha256>::new(None, ikm).expand(info, &mut out),
            Self::Aes256GcmSha512 => Hkdf::<Sha512>::new(None, ikm).expand(info, &mut out),
        };
        // 255 hashes are many more bytes than any key has.
        done.map(|()| out).unwrap_or([0; N])
    }
}

/// One key of SFrame.
pub(super) struct FrameKey {
    pub(super) key: Vec<u8>,
    pub(super) salt: [u8; SALT_LEN],
    suite: Suite,
}

impl FrameKey {
    /// RFC 9605, section 4.4.2.
    pub(super) fn new(suite: Suite, base_key: &[u8], kid: u64) -> Self {
        let label = |text: &[u8]| [text, &kid.to_be_bytes(), &suite.number().to_be_bytes()].concat();
        let (of_key, of_salt) = (label(b"SFrame 1.0 Secret key "), label(b"SFrame 1.0 Secret salt "));
        let key = match suite {
            Suite::Aes128GcmSha256 => suite.derive::<16>(base_key, &of_key).to_vec(),
            Suite::Aes256GcmSha512 => suite.derive::<32>(base_key, &of_key).to_vec(),
        };
        Self { key, salt: suite.derive(base_key, &of_salt), suite }
    }

    pub(super) fn nonce(&self, counter: u64) -> [u8; SALT_LEN] {
        let mut nonce = self.salt;
        let counter = counter.to_be_bytes();
        nonce.iter_mut().rev().zip(counter.iter().rev()).for_each(|(byte, of)| *byte ^= of);
        nonce
    }

    pub(super) fn seal(&self, counter: u64, aad: &[u8], msg: &[u8]) -> Option<Vec<u8>> {
        let (nonce, payload) = (self.nonce(counter), Payload { msg, aad });
        let nonce = Nonce::from_slice(&nonce);
        match self.suite {
            Suite::Aes128GcmSha256 => Aes128Gcm::new_from_slice(&self.key).ok()?.encrypt(nonce, payload).ok(),
            Suite::Aes256GcmSha512 => Aes256Gcm::new_from_slice(&self.key).ok()?.encrypt(nonce, payload).ok(),
        }
    }

    pub(super) fn open(&self, counter: u64, aad: &[u8], msg: &[u8]) -> Option<Vec<u8>> {
        let (nonce, payload) = (self.nonce(counter), Payload { msg, aad });
        let nonce = Nonce::from_slice(&nonce);
        match self.suite {
            Suite::Aes128GcmSha256 => Aes128Gcm::new_from_slice(&self.key).ok()?.decrypt(nonce, payload).ok(),
            Suite::Aes256GcmSha512 => Aes256Gcm::new_from_slice(&self.key).ok()?.decrypt(nonce, payload).ok(),
        }
    }
}

/// RFC 9605, section 4.3.
pub(super) fn write_header(kid: u64, counter: u64) -> Vec<u8> {
    let (mut head, mut rest) = (0, Vec::new());
    for (value, shift) in [(kid, 4), (counter, 0)] {
        let bytes = value.to_be_bytes();
        let used = bytes.get((value.leading_zeros() as usize / 8).min(7)..).unwrap_or_default();
        if value < 8 {
            head |= u8::try_from(value).unwrap_or_default() << shift;
        } else {
            head |= (0x08 | u8::try_from(used.len() - 1).unwrap_or_default()) << shift;
            rest.extend(used);
        }
    }
    std::iter::once(head).chain(rest).collect()
}

/// KID, counter, and how long the header is.
pub(super) fn read_header(bytes: &[u8]) -> Option<(u64, u64, usize)> {
    let head = *bytes.first()?;
    let mut at = 1;
    let mut read = |field: u8| {
        if field & 0x08 == 0 {
            return Some(u64::from(field));
        }
        let len = usize::from(field & 0x07) + 1;
        let value = bytes.get(at..at + len)?;
        at += len;
        Some(value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let (kid, counter) = (read(head >> 4)?, read(head & 0x0f)?);
    Some((kid, counter, at))
}
