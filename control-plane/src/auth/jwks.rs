//! Where the users' tokens' keys come from: a JWKS (RFC 7517) in a file, or at an URL.

use super::token_keys::KeyError;
use jsonwebtoken::jwk::JwkSet;
use reqwest::redirect::Policy;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The largest set that is read.
const BYTES_MAX: usize = 256 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksSource {
    File(PathBuf),
    Url(reqwest::Url),
}

/// Keys that came in clear over a network might be anybody's.
#[derive(Debug, thiserror::Error)]
#[error("neither a file nor an https:// URL, nor an http:// one on loopback")]
pub struct NotASource;

impl FromStr for JwksSource {
    type Err = NotASource;

    fn from_str(text: &str) -> Result<Self, NotASource> {
        if !text.contains("://") {
            return Ok(Self::File(text.into()));
        }
        let url: reqwest::Url = text.parse().map_err(|_| NotASource)?;
        let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match url.scheme() {
            "https" => Ok(Self::Url(url)),
            "http" if is_loopback => Ok(Self::Url(url)),
            _ => Err(NotASource),
        }
    }
}

impl fmt::Display for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            // Without what may be in its query.
            Self::Url(url) => write!(f, "{}://{}{}", url.scheme(), url.host_str().unwrap_or(""), url.path()),
        }
    }
}

/// Reads a source as often as wanted.
pub(super) struct Reader {
    source: JwksSource,
    client: reqwest::Client,
}

impl Reader {
    pub(super) fn new(source: JwksSource) -> Result<Self, KeyError> {
        let client =
            reqwest::Client::builder().redirect(Policy::none()).timeout(FETCH_TIMEOUT).build().map_err(
                |error| KeyError::Fetch { source_name: source.to_string(), why: error.to_string() },
            )?;
        Ok(Self { source, client })
    }

    /// The set as it is now.
    pub(super) async fn read(&self) -> Result<JwkSet, KeyError> {
        let source_name = || self.source.to_string();
        let bytes = match &self.source {
            JwksSource::File(path) => {
                std::fs::read(path).map_err(|error| KeyError::Read { path: path.clone(), error })?
            }
            JwksSource::Url(url) => self
                .fetch(url.clone())
                .await
                .map_err(|why| KeyError::Fetch { source_name: source_name(), why })?,
        };
        let set: JwkSet = serde_json::from_slice(&bytes)
            .map_err(|error| KeyError::Syntax { source_name: source_name(), error })?;
        if set.keys.is_empty() {
            return Err(KeyError::Empty(source_name()));
        }
        Ok(set)
    }

    async fn fetch(&self, url: reqwest::Url) -> Result<Vec<u8>, String> {
        // What reqwest says of itself may hold the whole URL.
        let failed = |error: reqwest::Error| error.without_url().to_string();
        let mut response = self.client.get(url).send().await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("the answer was {}", response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > BYTES_MAX {
                return Err(format!("more than {BYTES_MAX} bytes"));
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_file_or_an_url_that_can_be_trusted() {
        assert_eq!("keys.json".parse::<JwksSource>().unwrap(), JwksSource::File("keys.json".into()));
        let url = "https://issuer.example.com/jwks?secret=1".parse::<JwksSource>().unwrap();
        assert_eq!(url.to_string(), "https://issuer.example.com/jwks");
        for loopback in ["http://127.0.0.1:9/jwks", "http://localhost/jwks", "http://[::1]:9/"] {
            assert!(matches!(loopback.parse::<JwksSource>(), Ok(JwksSource::Url(_))), "{loopback}");
        }
        for wrong in ["http://issuer.example.com/jwks", "ftp://127.0.0.1/", "http://127.0.0.1.evil.example/"]
        {
            assert!(wrong.parse::<JwksSource>().is_err(), "{wrong}");
        }
    }
}
