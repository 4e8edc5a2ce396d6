//! The two kinds of packet protection with expanded keys: AES-GCM (RFC 7714) and AES in counter mode
//! with HMAC-SHA1 (RFC 3711).
//!
//! AES is aws-lc's, but for packets that are sealed (`gcm_sealer`); the HMAC is that of `hmac_sha1`.

use aws_lc_rs::aead::{self, AES_128_GCM, AES_256_GCM, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time;
use aws_lc_rs::iv::FixedLength;

use super::error::SrtpError;
use super::hmac_sha1::HmacSha1;
use super::keys::{MasterKey, Suite};

/// HMAC-SHA1 cut to 80 bits.
pub(super) const SHA1_80: usize = 10;

/// What the derived keys are for: the label of its encryption key, which those of its authentication
/// key and salt follow (RFC 3711 section 4.3.2).
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Rtp = 0,
    Rtcp = 3,
}

/// An expanded key of AES-GCM.
pub(super) trait GcmKey: Sized {
    fn new(algorithm: &'static aead::Algorithm, key: &[u8]) -> Result<Self, SrtpError>;
}

impl GcmKey for LessSafeKey {
    fn new(algorithm: &'static aead::Algorithm, key: &[u8]) -> Result<Self, SrtpError> {
        let key = UnboundKey::new(algorithm, key).map_err(|_| SrtpError::BadKey)?;
        Ok(Self::new(key))
    }
}

/// Ciphers of one direction, of RTP or of RTCP. `G`: the implementation of AES-GCM.
pub(super) struct PacketCipher<G = LessSafeKey> {
    pub(super) suite: Suite,
    pub(super) algorithm: Algorithm<G>,
    /// As a number: 96 bits for GCM, 112 bits for counter mode.
    salt: u128,
}

pub(super) enum Algorithm<G = LessSafeKey> {
    Gcm(G),
    Cm(Box<CounterMode>),
}

pub(super) struct CounterMode {
    aes: EncryptingKey,
    hmac: HmacSha1,
}

impl<G: GcmKey> PacketCipher<G> {
    pub(super) fn new(master: &MasterKey, purpose: Purpose) -> Result<Self, SrtpError> {
        let label = purpose as u8;
        let suite = master.suite();
        let key = master.derive::<32>(label)?;
        let auth = master.derive::<20>(label + 1)?;
        let salt = master.derive::<14>(label + 2)?;
        let key = key.0.get(..suite.key_len()).unwrap_or_default();
        Self::with_session_keys(suite, key, &auth.0, salt.0.get(..suite.salt_len()).unwrap_or_default())
    }

    /// `auth` is for counter mode alone.
    pub(super) fn with_session_keys(
        suite: Suite,
        key: &[u8],
        auth: &[u8],
        salt: &[u8],
    ) -> Result<Self, SrtpError> {
        let algorithm = match suite {
            Suite::AeadAes256Gcm => Algorithm::Gcm(G::new(&AES_256_GCM, key)?),
            Suite::AeadAes128Gcm => Algorithm::Gcm(G::new(&AES_128_GCM, key)?),
            Suite::AesCm128HmacSha1_80 => {
                let aes = UnboundCipherKey::new(&AES_128, key)
                    .and_then(EncryptingKey::ctr)
                    .map_err(|_| SrtpError::BadKey)?;
                Algorithm::Cm(Box::new(CounterMode { aes, hmac: HmacSha1::new(auth) }))
            }
        };
        let salt = salt.iter().fold(0, |salt, byte| salt << 8 | u128::from(*byte));
        Ok(Self { suite, algorithm, salt })
    }

    /// The IV without its last 16 bits, which counter mode counts in. The same number for both kinds
    /// and for RTP and RTCP (RFC 3711 section 4.1.1, RFC 7714 sections 8.1 and 9.1).
    pub(super) fn iv(&self, ssrc: u32, index: u64) -> u128 {
        self.salt ^ u128::from(ssrc) << 48 ^ u128::from(index)
    }
}

/// The nonce of AES-GCM: the IV's lower 96 bits.
pub(super) fn nonce_bytes(iv: u128) -> [u8; 12] {
    let [_, _, _, _, nonce @ ..] = iv.to_be_bytes();
    nonce
}

pub(super) fn nonce(iv: u128) -> Nonce {
    Nonce::assume_unique_for_key(nonce_bytes(iv))
}

impl CounterMode {
    /// Encrypts or decrypts.
    pub(super) fn apply(&self, iv: u128, body: &mut [u8]) -> Result<(), SrtpError> {
        let iv = FixedLength::from((iv << 16).to_be_bytes());
        let done = self.aes.less_safe_encrypt(body, EncryptionContext::Iv128(iv));
        done.map(|_| ()).map_err(|_| SrtpError::NotSealed)
    }

    /// The tag of `message` followed by `suffix`.
    pub(super) fn tag(&self, message: &[u8], suffix: &[u8]) -> [u8; SHA1_80] {
        self.hmac.tag(message, suffix).first_chunk().copied().unwrap_or_default()
    }

    pub(super) fn verify(&self, message: &[u8], suffix: &[u8], tag: &[u8]) -> Result<(), SrtpError> {
        constant_time::verify_slices_are_equal(&self.tag(message, suffix), tag)
            .map_err(|_| SrtpError::NotAuthentic)
    }
}

/// The roll-over counter of a packet index, as it is authenticated.
pub(super) fn rollover_bytes(index: u64) -> [u8; 4] {
    let [_, _, roc @ .., _, _] = index.to_be_bytes();
    roc
}
