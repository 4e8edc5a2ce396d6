//! Who may do what to the operators' API: bearer tokens (RFC 6750), each with its scopes. The file
//! holds only their SHA-256.

use super::error::ApiError;
use super::scope::Scope;
use hex::FromHex;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const TOKENS_MAX: usize = 100;

/// Why the file of tokens was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokensError {
    #[error("operators.tokens: {path} cannot be read: {error}")]
    Read { path: PathBuf, error: std::io::Error },
    #[error("operators.tokens: {path}: {error}")]
    Syntax { path: PathBuf, error: toml::de::Error },
    #[error("operators.tokens: the sha256 of {0:?} is not 64 hexadecimal digits")]
    Digest(String),
    #[error("operators.tokens: more than {TOKENS_MAX} tokens")]
    TooMany,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    sha256: String,
    scopes: Vec<Scope>,
}

/// An operator, or a program of theirs.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) name: Arc<str>,
    scopes: Arc<[Scope]>,
}

#[derive(Debug)]
pub(crate) struct Tokens(Vec<([u8; 32], Holder)>);

impl Tokens {
    pub(crate) fn from_file(path: &Path) -> Result<Self, TokensError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| TokensError::Read { path: path.into(), error })?;
        let file: File =
            toml::from_str(&text).map_err(|error| TokensError::Syntax { path: path.into(), error })?;
        if file.token.len() > TOKENS_MAX {
            return Err(TokensError::TooMany);
        }
        let read = |entry: Entry| {
            let digest =
                <[u8; 32]>::from_hex(&entry.sha256).map_err(|_| TokensError::Digest(entry.name.clone()))?;
            Ok((digest, Holder { name: entry.name.into(), scopes: entry.scopes.into() }))
        };
        file.token.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Compares digests, so that the time taken says nothing of the tokens.
    pub(super) fn holder(&self, token: &str) -> Option<&Holder> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.0.iter().find(|(of, _)| *of == digest).map(|(_, holder)| holder)
    }
}

/// The entry of a tokens file for a new token of that name; the token itself is stored nowhere.
pub fn entry(name: &str, token: &str, scopes: &[Scope]) -> String {
    let quoted = |text: &str| toml::Value::String(text.into()).to_string();
    let scopes: Vec<_> = scopes.iter().filter_map(|scope| serde_json::to_string(scope).ok()).collect();
    format!(
        "[[token]]\nname = {}\nsha256 = \"{}\"\nscopes = [{}]\n",
        quoted(name),
        hex::encode(Sha256::digest(token.as_bytes())),
        scopes.join(", "),
    )
}

/// A request with a token of ours.
#[derive(Debug)]
pub(crate) struct Operator(pub(crate) Holder);

impl Operator {
    pub(crate) fn may(&self, scope: Scope) -> Result<(), ApiError> {
        if self.0.scopes.contains(&scope) { Ok(()) } else { Err(ApiError::forbidden(scope)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<Tokens, TokensError> {
        let path = std::env::temp_dir().join(format!("railgun-tokens-{}", rand::random::<u64>()));
        std::fs::write(&path, text).unwrap();
        let read = Tokens::from_file(&path);
        std::fs::remove_file(&path).unwrap();
        read
    }

    #[test]
    fn a_token_is_known_by_its_digest_and_good_for_its_scopes() {
        let text = entry("billing \"1\"", "secret", &[Scope::WriteEntitlements]);
        assert!(!text.contains("secret"));
        let tokens = tokens(&text).unwrap();
        let billing = Operator(tokens.holder("secret").unwrap().clone());
        assert_eq!(&*billing.0.name, "billing \"1\"");
        assert!(billing.may(Scope::WriteEntitlements).is_ok());
        assert!(billing.may(Scope::ReadEntitlements).is_err());
        assert!(tokens.holder("Secret").is_none());
    }

    #[test]
    fn a_wrong_file_is_told_with_what_is_wrong() {
        let wrong = |text| tokens(text).unwrap_err().to_string();
        let digest = "0".repeat(63);
        let short = format!("[[token]]\nname = \"a\"\nsha256 = \"{digest}\"\nscopes = []\n");
        assert!(wrong(&short).contains("the sha256 of \"a\""));
        let scope = format!("[[token]]\nname = \"a\"\nsha256 = \"0{digest}\"\nscopes = [\"all\"]\n");
        assert!(wrong(&scope).contains("all"));
        assert!(wrong("tokens = 1").contains("tokens"));
    }
}
