//! The key of a profile, by which its leaves are proven: others believe it when they first see it, and know it when it comes
//! again (`docs/end-to-end-encryption.md`, Names). Whoever has it can come in this profile's name.

use crate::primitives::{Failure, provider};
use mls_rs::CipherSuiteProvider;
use mls_rs::crypto::{SignaturePublicKey, SignatureSecretKey};

#[derive(Clone)]
pub(crate) struct Profile {
    /// The 32 bytes of the seed (RFC 8032, section 5.1.5) and the public key.
    pub(crate) secret: SignatureSecretKey,
    pub(crate) public: SignaturePublicKey,
}

impl Profile {
    pub(crate) fn generate() -> Result<Self, Failure> {
        let (secret, public) = provider().signature_key_generate()?;
        Ok(Self { secret, public })
    }

    /// The seed and the public key, 64 bytes that belong together.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let secret = SignatureSecretKey::from(bytes.to_vec());
        let public = provider().signature_key_derive_public(&secret).map_err(|_| "no key of a profile")?;
        Ok(Self { secret, public })
    }

    /// As [`Self::read`] takes it.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.secret.as_bytes()
    }
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC_BYTES: usize = 32;

    #[test]
    fn a_key_is_read_as_it_was_written_and_not_with_another_public_key() -> Result<(), Failure> {
        let (one, other) = (Profile::generate()?, Profile::generate()?);
        let bytes = one.bytes().to_vec();
        assert_eq!(Profile::read(&bytes)?.public, one.public);
        let (seed, _) = bytes.split_at(bytes.len() - PUBLIC_BYTES);
        assert!(Profile::read(&[seed, other.public.as_bytes()].concat()).is_err());
        assert!(Profile::read(seed).is_err());
        assert_eq!(format!("{one:?}"), "Profile { .. }");
        Ok(())
    }
}
