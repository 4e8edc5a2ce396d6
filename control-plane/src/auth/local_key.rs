//! A signing key of our own, for trials and tests: Ed25519, in a PEM file beside its JWKS.

use super::claims::Claims;
use super::token_keys::KeyError;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, OctetKeyPairParameters,
    OctetKeyPairType, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ED25519};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub struct LocalKey {
    signing: EncodingKey,
    jwk: Jwk,
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").field("kid", &self.jwk.common.key_id).finish_non_exhaustive()
    }
}

impl LocalKey {
    /// A fresh key that lives as long as the process.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(|error| KeyError::Make(error.to_string()))?;
        Ok(Self::of(&pair))
    }

    /// The key in this file. If there is none, makes one, and its JWKS beside it.
    pub fn open_or_create(path: &Path) -> anyhow::Result<Self> {
        match fs::read_to_string(path) {
            Ok(pem) => Ok(Self::of(&KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_ED25519)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let pair = KeyPair::generate_for(&PKCS_ED25519)?;
                write_private(path, &pair.serialize_pem())?;
                let key = Self::of(&pair);
                let set = JwkSet { keys: vec![key.jwk.clone()] };
                fs::write(Self::jwks_path(path), serde_json::to_string_pretty(&set)?)?;
                Ok(key)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Where the public half of the key in `path` is written.
    pub fn jwks_path(path: &Path) -> PathBuf {
        path.with_extension("jwks.json")
    }

    fn of(pair: &KeyPair) -> Self {
        let public = pair.public_key_raw();
        let digest = Sha256::digest(public);
        let kid: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let jwk = Jwk {
            common: CommonParameters {
                public_key_use: Some(PublicKeyUse::Signature),
                key_algorithm: Some(KeyAlgorithm::EdDSA),
                key_id: Some(kid),
                ..CommonParameters::default()
            },
            algorithm: AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
                key_type: OctetKeyPairType::OctetKeyPair,
                curve: EllipticCurve::Ed25519,
                x: BASE64_URL_SAFE_NO_PAD.encode(public),
            }),
        };
        Self { signing: EncodingKey::from_ed_der(pair.serialized_der()), jwk }
    }

    /// The public half.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// A token with these claims.
    pub fn mint(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid.clone_from(&self.jwk.common.key_id);
        encode(&header, claims, &self.signing)
    }
}

/// Writes a file that only its owner may read, and that must not exist yet.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
