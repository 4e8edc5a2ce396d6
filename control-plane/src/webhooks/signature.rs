//! Signing as Standard Webhooks says: HMAC-SHA256 over `id.timestamp.body`, in base64.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SECRET_BYTES_MIN: usize = 24;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("webhooks.secret_file: {path} cannot be read: {error}")]
    Read { path: PathBuf, error: std::io::Error },
    #[error("webhooks.secret_file: not `whsec_` and at least {SECRET_BYTES_MIN} bytes in base64")]
    Syntax,
}

/// What the operator's server checks signatures with.
#[derive(Clone)]
pub(crate) struct WebhookSecret(Arc<hmac::Key>);

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

impl WebhookSecret {
    pub(crate) fn from_file(path: &Path) -> Result<Self, SecretError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| SecretError::Read { path: path.into(), error })?;
        Self::parse(text.trim()).ok_or(SecretError::Syntax)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let secret = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
        let is_long = secret.len() >= SECRET_BYTES_MIN;
        is_long.then(|| Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &secret))))
    }

    /// The value of `webhook-signature`; `timestamp` in Unix seconds.
    pub(super) fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_published_example() {
        // The example of the Standard Webhooks libraries.
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_short_secret_or_one_without_its_mark_is_refused() {
        assert!(WebhookSecret::parse("whsec_c2hvcnQ=").is_none());
        assert!(WebhookSecret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_none());
        assert!(WebhookSecret::parse("whsec_!").is_none());
    }
}
