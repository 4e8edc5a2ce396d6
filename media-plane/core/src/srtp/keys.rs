//! Protection profiles and where their keys come from.

use std::fmt;

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use zeroize::Zeroize;

use super::error::SrtpError;

const MAX_KEY: usize = 32;
const MAX_SALT: usize = 14;

/// A DTLS-SRTP protection profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2), in our order of
/// preference: GCM costs a third of SHA-1 a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// RFC 7714, 16 bytes of tag.
    AeadAes256Gcm,
    /// RFC 7714, 16 bytes of tag.
    AeadAes128Gcm,
    /// RFC 3711, 10 bytes of tag; what every WebRTC client has.
    AesCm128HmacSha1_80,
}

impl Suite {
    /// In order of preference.
    pub const ALL: [Self; 3] = [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_80];

    /// Bytes of the master and of the session key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 => 16,
        }
    }

    /// Bytes of the master and of the session salt.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 12,
            Self::AesCm128HmacSha1_80 => 14,
        }
    }

    /// Bytes a protected RTP packet ends with.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 16,
            Self::AesCm128HmacSha1_80 => 10,
        }
    }

    /// Bytes to export from DTLS (RFC 5764 section 4.2).
    pub const fn keying_material_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }
}

/// One direction's master key and salt. Erased when dropped.
#[derive(Clone)]
pub struct MasterKey {
    suite: Suite,
    key: [u8; MAX_KEY],
    salt: [u8; MAX_SALT],
}

impl MasterKey {
    /// `key` and `salt`: as long as the suite's.
    pub fn new(suite: Suite, key: &[u8], salt: &[u8]) -> Result<Self, SrtpError> {
        if key.len() != suite.key_len() || salt.len() != suite.salt_len() {
            return Err(SrtpError::KeyingMaterialLength);
        }
        let mut master = Self { suite, key: [0; MAX_KEY], salt: [0; MAX_SALT] };
        // A salt of 96 bits is followed by zeros (RFC 7714 section 11).
        for (to, from) in master.key.iter_mut().zip(key).chain(master.salt.iter_mut().zip(salt)) {
            *to = *from;
        }
        Ok(master)
    }

    /// Splits what was exported from DTLS into the keys that the client and the server write with
    /// (RFC 5764 section 4.2).
    pub fn split(suite: Suite, exported: &[u8]) -> Result<(Self, Self), SrtpError> {
        if exported.len() != suite.keying_material_len() {
            return Err(SrtpError::KeyingMaterialLength);
        }
        let (keys, salts) = exported.split_at(2 * suite.key_len());
        let (client_key, server_key) = keys.split_at(suite.key_len());
        let (client_salt, server_salt) = salts.split_at(suite.salt_len());
        Ok((Self::new(suite, client_key, client_salt)?, Self::new(suite, server_key, server_salt)?))
    }

    /// What the key is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The session key for one use (RFC 3711 section 4.3, key derivation rate 0): AES in counter
    /// mode with the master key, from the salt with the label in it.
    pub(super) fn derive<const N: usize>(&self, label: u8) -> Result<SessionKey<N>, SrtpError> {
        let mut salt = [0; 16];
        for (to, from) in salt.iter_mut().zip(self.salt) {
            *to = from;
        }
        let iv = u128::from_be_bytes(salt) ^ u128::from(label) << 64;
        let algorithm = if self.suite.key_len() == MAX_KEY { &AES_256 } else { &AES_128 };
        let key = self.key.get(..self.suite.key_len()).unwrap_or_default();
        let mut session = SessionKey([0; N]);
        UnboundCipherKey::new(algorithm, key)
            .and_then(EncryptingKey::ctr)
            .and_then(|prf| {
                let iv = FixedLength::from(iv.to_be_bytes());
                prf.less_safe_encrypt(&mut session.0, EncryptionContext::Iv128(iv))
            })
            .map_err(|_| SrtpError::BadKey)?;
        Ok(session)
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.key.zeroize();
        self.salt.zeroize();
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// A derived key. Erased when dropped.
pub(super) struct SessionKey<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Drop for SessionKey<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }

    /// RFC 3711 appendix B.3.
    #[test]
    fn rfc_3711_key_derivation() {
        let key: [u8; 16] = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
        let salt: [u8; 14] = hex("0EC675AD498AFEEBB6960B3AABE6");
        let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &key, &salt).unwrap();
        assert_eq!(master.derive(0).unwrap().0, hex::<16>("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(master.derive(2).unwrap().0, hex::<14>("30CBBC08863D8C85D49DB34A9AE1"));
        let auth = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCE\
                    E049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC25\
                    6D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2";
        assert_eq!(master.derive(1).unwrap().0, hex::<94>(&auth.replace(' ', "")));
    }

    #[test]
    fn exported_material_is_split_in_the_order_of_rfc_5764() {
        for suite in Suite::ALL {
            let exported: Vec<u8> = (0..).take(suite.keying_material_len()).collect();
            let (client, server) = MasterKey::split(suite, &exported).unwrap();
            let (key, salt) = (suite.key_len(), suite.salt_len());
            assert_eq!(client.key[..key], exported[..key]);
            assert_eq!(server.key[..key], exported[key..2 * key]);
            assert_eq!(client.salt[..salt], exported[2 * key..2 * key + salt]);
            assert_eq!(server.salt[..salt], exported[2 * key + salt..]);
            for wrong in [&exported[1..], &[&exported[..], &[0]].concat()] {
                assert!(MasterKey::split(suite, wrong).is_err());
            }
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let master = MasterKey::new(Suite::AeadAes128Gcm, &[0xab; 16], &[0xcd; 12]).unwrap();
        assert_eq!(format!("{master:?}"), "MasterKey { suite: AeadAes128Gcm, .. }");
    }
}
