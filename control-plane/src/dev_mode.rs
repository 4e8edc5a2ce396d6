//! Development mode: whoever shows its secret at `POST /dev/token` gets a token for any user.
//!
//! For trials on one machine. A reverse proxy on the same machine makes strangers look like loopback,
//! and nothing in a request tells them apart for certain, so the secret decides; the checks of
//! `http/dev_token.rs` stand before it.

use crate::config::Config;
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::SocketAddr;
use zeroize::Zeroizing;

const SECRET_BYTES_MIN: usize = 8;
const SECRET_BYTES_MAX: usize = 128;

/// Why there can be no development mode, or no control-plane without it.
#[derive(Debug, thiserror::Error)]
pub enum DevModeError {
    #[error(
        "RAILGUN_DEV_SECRET is no secret: give {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} letters, digits or any of - _ . ~"
    )]
    Secret,
    #[error(
        "--dev and auth.jwks exclude each other: in development mode the server signs tokens for whoever has its secret"
    )]
    BesideKeys,
    #[error("--dev is for one machine: listen = {0} is not a loopback address such as 127.0.0.1:8080")]
    NotLoopback(SocketAddr),
    #[error(
        "auth.jwks is not set: it names the JWKS whose keys sign the users' tokens (`railgun --dev` needs none, \
         for trials on one machine)"
    )]
    NoKeys,
}

/// The secret of one run. Its `Debug` does not show it.
pub struct DevMode(Zeroizing<String>);

impl DevMode {
    /// With this secret, or a random one of 128 bits.
    ///
    /// # Errors
    /// If the secret is short, long, or could not stand in a URL's fragment as it is.
    pub fn new(secret: Option<String>) -> Result<Self, DevModeError> {
        let secret = secret.unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
        let is_plain = secret.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b));
        match is_plain && (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
            true => Ok(Self(Zeroizing::new(secret))),
            false => Err(DevModeError::Secret),
        }
    }

    /// For the link that is printed, and nothing else.
    pub fn secret(&self) -> &str {
        &self.0
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Users' tokens come from configured keys or from development mode, and never from both.
    pub(crate) fn check(dev: Option<&Self>, config: &Config) -> Result<(), DevModeError> {
        match (dev, &config.auth.jwks) {
            (None, Some(_)) => Ok(()),
            (None, None) => Err(DevModeError::NoKeys),
            (Some(_), Some(_)) => Err(DevModeError::BesideKeys),
            (Some(_), None) if !config.listen.ip().is_loopback() => {
                Err(DevModeError::NotLoopback(config.listen))
            }
            (Some(_), None) => Ok(()),
        }
    }
}

impl fmt::Debug for DevMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevMode").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_ones_own_is_taken_as_it_is_and_others_are_random() {
        assert_eq!(DevMode::new(Some("a-secret.of~mine_1".into())).unwrap().secret(), "a-secret.of~mine_1");
        let [one, other] = [(); 2].map(|()| DevMode::new(None).unwrap());
        assert_ne!(one.secret(), other.secret());
        assert_eq!(one.secret().len(), 32);
        for wrong in ["", "1234567", "a secret of mine", "a&token=secret", &"s".repeat(129)] {
            let told = DevMode::new(Some(wrong.into())).unwrap_err().to_string();
            assert!(told.starts_with("RAILGUN_DEV_SECRET"), "{told}");
            assert!(wrong.is_empty() || !told.contains(wrong), "{told}");
        }
        assert_eq!(format!("{one:?}"), "DevMode { .. }");
    }
}
