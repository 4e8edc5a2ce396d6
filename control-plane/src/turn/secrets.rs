//! The secrets that control-planes and relays share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use thiserror::Error;
use zeroize::Zeroizing;

/// At most two: the one in use, and the one before or after it while they are rotated.
const SECRETS_MAX: usize = 2;
const SECRET_BYTES_MIN: usize = 16;
const SECRET_BYTES_MAX: usize = 256;

/// One or two secrets, a line each; lines that are empty or begin with `#` are passed over. The
/// first signs. A relay takes credentials of either.
pub struct Secrets(Vec<Zeroizing<String>>);

#[derive(Debug, Error)]
pub enum SecretsError {
    #[error("{path} cannot be read: {error}")]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{path}: {error}")]
    Wrong { path: PathBuf, error: WrongSecrets },
}

/// What is wrong with the content; it names lines, never what is in them.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum WrongSecrets {
    #[error("there is no secret in it")]
    Missing,
    #[error("there are more than two secrets in it")]
    TooMany,
    #[error("line {0} is no secret: give 16 to 256 letters, digits or any of - _ . + / =")]
    Line(usize),
}

impl Secrets {
    pub fn read(path: &Path) -> Result<Self, SecretsError> {
        let text = std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|error| SecretsError::Unreadable { path: path.into(), error })?;
        text.parse().map_err(|error| SecretsError::Wrong { path: path.into(), error })
    }

    /// That which signs.
    pub(super) fn first(&self) -> &[u8] {
        self.0.first().map(|secret| secret.as_bytes()).unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|secret| secret.as_str())
    }
}

impl FromStr for Secrets {
    type Err = WrongSecrets;

    fn from_str(text: &str) -> Result<Self, WrongSecrets> {
        let mut secrets = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // Whatever else coturn's configuration could take for more than a value.
            let is_plain = line.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+/=".contains(&b));
            if !is_plain || !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&line.len()) {
                return Err(WrongSecrets::Line(number));
            }
            secrets.push(Zeroizing::new(line.to_owned()));
        }
        match secrets.len() {
            0 => Err(WrongSecrets::Missing),
            1..=SECRETS_MAX => Ok(Self(secrets)),
            _ => Err(WrongSecrets::TooMany),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_two_secrets_are_read_in_their_order() {
        let secrets: Secrets =
            "# made in May\nsecret-of-may-0001\n\n  secret-of-june-001 \n".parse().unwrap();
        assert_eq!(secrets.iter().collect::<Vec<_>>(), ["secret-of-may-0001", "secret-of-june-001"]);
        assert_eq!(secrets.first(), b"secret-of-may-0001");
        assert_eq!(format!("{secrets:?}"), "Secrets { count: 2, .. }");
    }

    #[test]
    fn what_is_no_secret_is_told_by_its_line() {
        let long = "s".repeat(SECRET_BYTES_MAX + 1);
        let cases = [
            ("", WrongSecrets::Missing),
            ("# nothing\n", WrongSecrets::Missing),
            ("short", WrongSecrets::Line(1)),
            ("secret-of-may-0001\nsecret of june 001", WrongSecrets::Line(2)),
            ("secret-of-may-#001", WrongSecrets::Line(1)),
            ("secret-of-mäi-0001", WrongSecrets::Line(1)),
            (&long, WrongSecrets::Line(1)),
            ("secret-of-may-0001\nsecret-of-june-001\nsecret-of-july-001", WrongSecrets::TooMany),
        ];
        for (text, wanted) in cases {
            assert_eq!(text.parse::<Secrets>().map(|_| ()), Err(wanted), "{text}");
        }
    }
}
