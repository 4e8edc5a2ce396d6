//! User fragment and password of this side (RFC 8445 section 5.3, RFC 8839 section 5.4).

use crate::packet::stun::IntegrityKey;
use rand::{Rng, RngExt};
use std::fmt;

/// Characters of either; 6 bits each, so 192 bits.
pub const CREDENTIAL_LEN: usize = 32;

/// `ice-char`. Being 64, a random byte's low bits choose among them evenly.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// One generation of credentials, replaced by an ICE restart.
#[derive(Clone)]
pub struct IceCredentials {
    /// User fragment: the first half of a check's USERNAME.
    pub ufrag: String,
    /// Key of MESSAGE-INTEGRITY in ICE checks (RFC 8445 section 7.2.2).
    pub password: String,
    pub(super) key: IntegrityKey,
}

impl IceCredentials {
    pub(super) fn generate(rng: &mut impl Rng) -> Self {
        let ufrag = ice_chars(rng);
        let password = ice_chars(rng);
        let key = IntegrityKey::new(password.as_bytes());
        Self { ufrag, password, key }
    }
}

fn ice_chars(rng: &mut impl Rng) -> String {
    let bytes: [u8; CREDENTIAL_LEN] = rng.random();
    bytes.iter().filter_map(|byte| ICE_CHARS.get(usize::from(byte & 63))).map(|&it| char::from(it)).collect()
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials").finish_non_exhaustive()
    }
}
