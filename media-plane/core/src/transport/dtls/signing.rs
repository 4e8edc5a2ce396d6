//! The node's private key, parsed once. `dimpl` parses and checks it for each attempt, 145,000 instructions, so
//! it is given a number in place of the key's bytes, and finds the parsed key under it.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use dimpl::crypto::{Buf, HashAlgorithm, KeyProvider, SignatureAlgorithm, SigningKey};
use dimpl::{CryptoError, CryptoOperation};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

type Parsed = BTreeMap<u64, Arc<EcdsaKeyPair>>;

/// The keys of the process's certificates: a node has one, with what its tests and clients make more. `dimpl`
/// asks a provider that lives as long as the process, so a certificate cannot own the provider of its key.
static PARSED: RwLock<Parsed> = RwLock::new(BTreeMap::new());

/// A P-256 key in [`PARSED`], until this is dropped.
pub(super) struct ParsedKey(u64);

impl ParsedKey {
    /// `pkcs8` is DER (RFC 5958); none if it is no such key.
    pub(super) fn new(pkcs8: &[u8]) -> Option<Self> {
        let key = Arc::new(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).ok()?);
        let mut parsed = PARSED.write().unwrap_or_else(PoisonError::into_inner);
        let number = parsed.last_key_value().map_or(0, |(last, _)| last.wrapping_add(1));
        parsed.insert(number, key);
        Some(Self(number))
    }

    /// What [`ParsedKeys`] finds it by.
    pub(super) fn name(&self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl Drop for ParsedKey {
    fn drop(&mut self) {
        PARSED.write().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Finds keys by [`ParsedKey::name`].
#[derive(Debug)]
pub(super) struct ParsedKeys;

impl KeyProvider for ParsedKeys {
    fn load_private_key(&self, name: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let number = name.try_into().map(u64::from_be_bytes).map_err(|_| CryptoError::InvalidPrivateKey)?;
        let parsed = PARSED.read().unwrap_or_else(PoisonError::into_inner);
        let key = parsed.get(&number).ok_or(CryptoError::InvalidPrivateKey)?;
        Ok(Box::new(Signer(Arc::clone(key))))
    }
}

/// Signs with ECDSA, P-256 and SHA-256; each signature's nonce is drawn by `aws-lc-rs`.
#[derive(Debug)]
struct Signer(Arc<EcdsaKeyPair>);

impl SigningKey for Signer {
    fn sign(&mut self, data: &[u8], hash: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        if hash != HashAlgorithm::SHA256 {
            return Err(CryptoError::SigningKeyHashMismatch {
                key_hash: HashAlgorithm::SHA256,
                requested: hash,
            });
        }
        let failed = |_| CryptoError::OperationFailed(CryptoOperation::Sign);
        #[expect(clippy::disallowed_methods, reason = "a nonce that can be foretold reveals the key")]
        let random = SystemRandom::new();
        let signature = self.0.sign(&random, data).map_err(failed)?;
        out.clear();
        out.extend_from_slice(signature.as_ref());
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &[HashAlgorithm::SHA256]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, KeyPair, UnparsedPublicKey};
    use std::time::{Duration, Instant};

    fn pkcs8() -> Vec<u8> {
        dimpl::certificate::generate_self_signed_certificate().unwrap().private_key
    }

    fn signature_by(key: &ParsedKey) -> Vec<u8> {
        let mut out = Buf::new();
        let mut signer = ParsedKeys.load_private_key(&key.name()).unwrap();
        signer.sign(b"signed", HashAlgorithm::SHA256, &mut out).unwrap();
        out.to_vec()
    }

    #[test]
    fn each_private_key_is_found_by_its_own_name_until_its_certificate_is_gone() {
        let bytes: [Vec<u8>; 3] = std::array::from_fn(|_| pkcs8());
        let [first, second, third] = bytes.each_ref().map(|it| ParsedKey::new(it).unwrap());
        let gone = second.name();
        drop(second);
        assert_eq!(
            ParsedKeys.load_private_key(&gone).err(),
            Some(CryptoError::InvalidPrivateKey),
            "a private key outlives its certificate"
        );
        let fourth = ParsedKey::new(&bytes[1]).unwrap();
        for (number, key) in [(0, &first), (2, &third), (1, &fourth)] {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &bytes[number]).unwrap();
            let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key());
            assert!(public.verify(b"signed", &signature_by(key)).is_ok(), "key {number}");
        }
    }

    #[test]
    fn a_signature_is_never_the_same_twice() {
        let key = ParsedKey::new(&pkcs8()).unwrap();
        assert_ne!(signature_by(&key), signature_by(&key));
    }

    #[test]
    fn an_attempt_does_not_parse_the_private_key_again() {
        const TIMES: u32 = 50;
        let bytes = pkcs8();
        let key = ParsedKey::new(&bytes).unwrap();
        let time = |provider: &dyn KeyProvider, by: &[u8]| -> Duration {
            let began = Instant::now();
            for _ in 0..TIMES {
                provider.load_private_key(by).unwrap();
            }
            began.elapsed()
        };
        let parsed = time(dimpl::crypto::aws_lc_rs::default_provider().key_provider, &bytes);
        let found = time(&ParsedKeys, &key.name());
        assert!(found * 4 < parsed, "{found:?} where parsing takes {parsed:?}");
    }
}
