//! Checking tokens: JWT (RFC 7519) with keys from a JWKS (RFC 7517), the algorithm fixed by the key.

use super::claims::{Identity, LEEWAY_SECONDS, VerifiedClaims};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use railgun_protocol::limits;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

const KEYS_MAX: usize = 64;

/// Why a set of keys was not taken.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("auth.jwks: {path} cannot be read: {error}")]
    Read { path: PathBuf, error: std::io::Error },
    #[error("auth.jwks: {source_name} cannot be fetched: {why}")]
    Fetch { source_name: String, why: String },
    #[error("auth.jwks: {source_name} is not a JWKS: {error}")]
    Syntax { source_name: String, error: serde_json::Error },
    #[error("auth.jwks: {0} holds no key")]
    Empty(String),
    #[error("auth.jwks: no key in it is Ed25519 or RSA")]
    NoneUsable,
    #[error("auth.jwks: a key has no kid")]
    NoKeyId,
    #[error("auth.jwks: the kid {0:?} is there twice")]
    Duplicate(String),
    #[error("auth.jwks: more than {KEYS_MAX} keys")]
    TooMany,
    #[error("auth.jwks: the key {0:?} is neither Ed25519 nor RSA")]
    Kind(String),
    #[error("auth.jwks: the key {kid:?} cannot be read: {error}")]
    Key { kid: String, error: jsonwebtoken::errors::Error },
    #[error("no signing key could be made: {0}")]
    Make(String),
}

/// Why a token was refused. Clients learn no more than [`TokenError::code`].
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("longer than {} bytes", limits::TOKEN_BYTES_MAX)]
    TooLong,
    #[error("no kid, or a header that must be understood and is not")]
    Header,
    #[error("a kid that is not ours")]
    UnknownKey,
    #[error("expired")]
    Expired,
    #[error("not valid before {seconds} s from now: the issuer's clock or this machine's is off")]
    NotYet { seconds: u64 },
    #[error("{0}")]
    Refused(#[from] jsonwebtoken::errors::Error),
}

impl TokenError {
    /// The message of the `connect_error`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired => "TOKEN_EXPIRED",
            _ => "UNAUTHORIZED",
        }
    }

    /// Why, for operators' logs: one of few sentences, with nothing of the token in it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLong => "it is too long",
            Self::Header => "it has no kid, or a header that is not understood",
            Self::UnknownKey => "no key of auth.jwks has its kid",
            Self::Expired => "it has expired",
            Self::NotYet { .. } => "its iat or nbf is in the future: compare the issuer's clock with ours",
            Self::Refused(error) => match error.kind() {
                ErrorKind::InvalidSignature => "its signature is not by the key that its kid names",
                ErrorKind::InvalidAudience => "its aud is not auth.audience",
                ErrorKind::InvalidIssuer => "its iss is not auth.issuer",
                ErrorKind::MissingRequiredClaim(_) => {
                    "it has no exp, no sub, or no aud or iss that is configured"
                }
                ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
                    "its alg is not the one that the key is for: EdDSA for Ed25519, RS256 for RSA"
                }
                ErrorKind::InvalidToken => "it is no JWT",
                _ => "its header or claims cannot be read: sub, exp, iat and tier (free or pro) are needed",
            },
        }
    }
}

/// The keys that users' tokens may be signed with.
pub struct TokenKeys {
    keys: HashMap<String, (Algorithm, DecodingKey)>,
    audience: Option<String>,
    issuer: Option<String>,
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeys").field("kids", &self.keys.keys()).finish_non_exhaustive()
    }
}

impl TokenKeys {
    /// No keys yet. With `audience` or `issuer`, tokens must carry it.
    pub fn new(audience: Option<String>, issuer: Option<String>) -> Self {
        Self { keys: HashMap::new(), audience, issuer }
    }

    /// Adds every key of a set that tokens can be signed with; sets of real issuers hold others too.
    pub fn add_set(&mut self, set: &JwkSet) -> Result<(), KeyError> {
        let mut usable = 0;
        for jwk in &set.keys {
            match self.add(jwk) {
                Ok(()) => usable += 1,
                Err(KeyError::Kind(kid)) => tracing::debug!(kid, "a key of another kind is left out"),
                Err(error) => return Err(error),
            }
        }
        if usable == 0 { Err(KeyError::NoneUsable) } else { Ok(()) }
    }

    /// Adds one key. What it signs with follows from its type, never from a token's header.
    pub fn add(&mut self, jwk: &Jwk) -> Result<(), KeyError> {
        let kid = jwk.common.key_id.clone().ok_or(KeyError::NoKeyId)?;
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
            AlgorithmParameters::RSA(_) if !is_for_encryption(jwk) => Algorithm::RS256,
            _ => return Err(KeyError::Kind(kid)),
        };
        let key = DecodingKey::from_jwk(jwk).map_err(|error| KeyError::Key { kid: kid.clone(), error })?;
        if self.keys.len() >= KEYS_MAX {
            return Err(KeyError::TooMany);
        }
        if self.keys.insert(kid.clone(), (algorithm, key)).is_some() {
            return Err(KeyError::Duplicate(kid));
        }
        Ok(())
    }

    /// Whose token this is, if it is good at `now` (Unix seconds).
    pub fn verify(&self, token: &str, now: u64) -> Result<Identity, TokenError> {
        if token.len() > limits::TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let header = decode_header(token)?;
        let kid = header.kid.filter(|_| header.crit.is_none()).ok_or(TokenError::Header)?;
        let (algorithm, key) = self.keys.get(&kid).ok_or(TokenError::UnknownKey)?;
        let claims = decode::<VerifiedClaims>(token, key, &self.validation(*algorithm))?.claims;

        if now > claims.exp.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenError::Expired);
        }
        let seconds = claims.nbf.map_or(claims.iat, |nbf| nbf.max(claims.iat)).saturating_sub(now);
        if seconds > LEEWAY_SECONDS {
            return Err(TokenError::NotYet { seconds });
        }
        Ok(Identity::from(claims))
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        // Times are compared in `verify`, against the clock it is given.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let mut required = vec!["exp", "sub"];
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                required.push("aud");
            }
            None => validation.validate_aud = false,
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

fn is_for_encryption(jwk: &Jwk) -> bool {
    matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption))
}
