//! Packet protection with everything laid out beforehand, and nothing else: the floor's.

use anyhow::Result;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time;
use aws_lc_rs::iv::FixedLength;
use railgun_media_core::srtp::Suite;
use railgun_media_core::srtp::hmac_sha1::HmacSha1;

pub(super) const HEADER: usize = 12;
const SALT: u128 = 0x5a17_1234_5678_9abc_def0_5a17;

/// One SRTP stream (RFC 3711, RFC 7714).
pub(super) struct Stream {
    cipher: Cipher,
    tag_len: usize,
    /// Salt XOR SSRC at its place in the IV, alike in both RFCs.
    mask: u128,
    ssrc: u32,
}

enum Cipher {
    Gcm(LessSafeKey),
    Cm(Box<CounterMode>),
}

struct CounterMode {
    aes: EncryptingKey,
    hmac: HmacSha1,
}

impl Stream {
    /// Its keys follow from the SSRC.
    pub(super) fn new(suite: Suite, ssrc: u32) -> Result<Self> {
        let mut key = [0x6b; 32];
        key[..4].copy_from_slice(&ssrc.to_be_bytes());
        let key = &key[..suite.key_len()];
        let cipher = match suite {
            Suite::AeadAes256Gcm => Cipher::Gcm(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?)),
            Suite::AeadAes128Gcm => Cipher::Gcm(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key)?)),
            Suite::AesCm128HmacSha1_80 => {
                let aes = EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, key)?)?;
                Cipher::Cm(Box::new(CounterMode { aes, hmac: HmacSha1::new(key) }))
            }
        };
        let mask = SALT ^ u128::from(ssrc) << 48;
        Ok(Self { cipher, tag_len: suite.tag_len(), mask, ssrc })
    }

    /// Fills `out` with the packet of this index: roll-over counter and sequence number.
    #[inline]
    pub(super) fn seal(
        &self,
        payload_type: u8,
        index: u64,
        timestamp: &[u8],
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<()> {
        let (message, tag) = out.split_at_mut(HEADER + payload.len());
        let (header, body) = message.split_at_mut(HEADER);
        let [.., high, low] = index.to_be_bytes();
        header[..4].copy_from_slice(&[0x80, payload_type, high, low]);
        header[4..8].copy_from_slice(timestamp);
        header[8..].copy_from_slice(&self.ssrc.to_be_bytes());
        let iv = self.mask ^ u128::from(index);
        match &self.cipher {
            Cipher::Gcm(key) => {
                let aad = Aad::from(&*header);
                key.seal_out_of_place_scatter(nonce(iv), aad, payload, body, &[], tag)?;
            }
            Cipher::Cm(key) => {
                body.copy_from_slice(payload);
                apply(&key.aes, iv, body)?;
                tag.copy_from_slice(&sha1_80(&key.hmac, message, index));
            }
        }
        Ok(())
    }

    /// Opens the packet of this index in place; what is between header and tag is then plain.
    #[inline]
    pub(super) fn open(&self, index: u64, packet: &mut [u8]) -> Result<()> {
        let (message, tag) = packet.split_at_mut(packet.len() - self.tag_len);
        let iv = self.mask ^ u128::from(index);
        match &self.cipher {
            Cipher::Gcm(key) => {
                let (header, body) = message.split_at_mut(HEADER);
                key.open_in_place_separate_tag(nonce(iv), Aad::from(&*header), tag, body)?;
            }
            Cipher::Cm(key) => {
                let expected = sha1_80(&key.hmac, message, index);
                constant_time::verify_slices_are_equal(&expected, tag)?;
                apply(&key.aes, iv, &mut message[HEADER..])?;
            }
        }
        Ok(())
    }
}

fn nonce(iv: u128) -> Nonce {
    let [_, _, _, _, nonce @ ..] = iv.to_be_bytes();
    Nonce::assume_unique_for_key(nonce)
}

fn apply(aes: &EncryptingKey, iv: u128, body: &mut [u8]) -> Result<()> {
    let iv = FixedLength::from((iv << 16).to_be_bytes());
    aes.less_safe_encrypt(body, EncryptionContext::Iv128(iv))?;
    Ok(())
}

/// HMAC-SHA1 cut to 80 bits, of the packet and its roll-over counter.
fn sha1_80(key: &HmacSha1, message: &[u8], index: u64) -> [u8; 10] {
    let [_, _, roc @ .., _, _] = index.to_be_bytes();
    let mut tag = [0; 10];
    tag.copy_from_slice(&key.tag(message, &roc)[..10]);
    tag
}
