//! Seals AES-GCM (RFC 7714) by whichever of two implementations is the faster one on this CPU; both give the same
//! packets.
//!
//! `railgun-gcm` needs AVX-512, VAES and VPCLMULQDQ; aws-lc has code for every CPU. See ARCHITECTURE.md for what each
//! costs, and on what that was measured.

use super::cipher::GcmKey;
use super::error::SrtpError;
use aws_lc_rs::aead::{Aad, Algorithm, LessSafeKey, Nonce};
use railgun_gcm::{NONCE_LEN, SealingKey};

#[allow(clippy::large_enum_variant, reason = "both are keys of half a KiB, and each transport has one")]
pub(super) enum GcmSealer {
    /// `railgun-gcm`'s.
    Vectors(SealingKey),
    AwsLc(LessSafeKey),
}

impl GcmKey for GcmSealer {
    fn new(algorithm: &'static Algorithm, key: &[u8]) -> Result<Self, SrtpError> {
        match SealingKey::new(key) {
            Some(key) => Ok(Self::Vectors(key)),
            None => Ok(Self::AwsLc(GcmKey::new(algorithm, key)?)),
        }
    }
}

impl GcmSealer {
    /// Seals `plain` into `sealed`, which is as long, and writes the tag of it and of `aad`.
    #[inline]
    pub(super) fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plain: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), SrtpError> {
        match self {
            Self::Vectors(key) => {
                let place = tag.first_chunk_mut().ok_or(SrtpError::NoRoom)?;
                *place = key.seal(nonce, aad, plain, sealed).map_err(|_| SrtpError::NotSealed)?;
                Ok(())
            }
            Self::AwsLc(key) => {
                let nonce = Nonce::assume_unique_for_key(nonce);
                key.seal_out_of_place_scatter(nonce, Aad::from(aad), plain, sealed, &[], tag)
                    .map_err(|_| SrtpError::NotSealed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM};

    /// What each transport's key takes, beside the cache that a node's receivers share.
    #[test]
    fn a_key_is_at_most_a_kibibyte() {
        assert!(size_of::<GcmSealer>() <= 1024, "{}", size_of::<GcmSealer>());
    }

    #[test]
    fn both_implementations_seal_the_same_packets_of_any_length() {
        for (algorithm, key) in [(&AES_128_GCM, vec![7; 16]), (&AES_256_GCM, vec![9; 32])] {
            let aws_lc = GcmSealer::AwsLc(GcmKey::new(algorithm, &key).unwrap());
            let chosen = <GcmSealer as GcmKey>::new(algorithm, &key).unwrap();
            assert_eq!(matches!(chosen, GcmSealer::Vectors(_)), SealingKey::new(&key).is_some());
            for len in 0..1_300 {
                let plain = vec![0x5a; len];
                let sealed = [&aws_lc, &chosen].map(|sealer| {
                    let (mut sealed, mut tag) = (vec![0; len], [0; 16]);
                    let aad = &plain[..len.min(28)];
                    sealer.seal([3; NONCE_LEN], aad, &plain, &mut sealed, &mut tag).unwrap();
                    (sealed, tag)
                });
                assert!(sealed[0] == sealed[1], "{len} bytes");
            }
        }
    }
}
