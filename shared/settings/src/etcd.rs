//! How etcd is reached: the settings that both planes share.

use super::gather::{Settings, SettingsError};
use std::path::PathBuf;

const ENDPOINTS: &str = "URLs such as https://etcd-1.example.com:2379, all http:// or all https://";
const PREFIX: &str = "a path such as /rg/v1, without a slash at its end";

/// Why there is no password to sign in to etcd with.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file is not there, or not for us.
    #[error("etcd.password_file = {path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        error: std::io::Error,
    },
    /// The file has nothing in it but white space.
    #[error("etcd.password_file = {0} is empty")]
    Empty(PathBuf),
}

/// `etcd.*` of a process that belongs to a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdSettings {
    /// `etcd.endpoints`
    pub endpoints: Vec<String>,
    /// `etcd.user`, and `etcd.password_file` with nothing else in it.
    pub user: Option<(String, PathBuf)>,
    /// `etcd.ca`: who signed etcd's certificates, if not one of the system's authorities.
    pub ca: Option<PathBuf>,
    /// `etcd.cert` and `etcd.key`: our own, where etcd wants one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// `etcd.prefix`: what all keys begin with.
    pub prefix: String,
}

impl EtcdSettings {
    /// Default of `etcd.prefix`.
    pub const PREFIX: &'static str = "/rg/v1";

    /// None if no endpoint is set: there is no etcd.
    pub fn read(settings: &Settings) -> Result<Option<Self>, SettingsError> {
        let path = |key| settings.text(key).map(|text| text.map(PathBuf::from));
        let (user, password) = (settings.text("etcd.user")?, path("etcd.password_file")?);
        let user = match (user, password) {
            (None, None) => None,
            (Some(user), Some(password)) => Some((user, password)),
            (None, Some(_)) => return Err(settings.wrong("etcd.user", "the name that the password is of")),
            (Some(_), None) => {
                return Err(settings.wrong("etcd.password_file", "the file of the user's password"));
            }
        };
        let identity = match (path("etcd.cert")?, path("etcd.key")?) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, Some(_)) => return Err(settings.wrong("etcd.cert", "a PEM file: it goes with etcd.key")),
            (Some(_), None) => return Err(settings.wrong("etcd.key", "a PEM file: it goes with etcd.cert")),
        };
        let prefix = settings.text("etcd.prefix")?.unwrap_or_else(|| Self::PREFIX.into());
        if !prefix.starts_with('/') || prefix.ends_with('/') || prefix.chars().any(char::is_control) {
            return Err(settings.wrong("etcd.prefix", PREFIX));
        }
        let ca = path("etcd.ca")?;
        let Some(endpoints) = settings.parsed_list::<String>("etcd.endpoints", ENDPOINTS)? else {
            return Ok(None);
        };
        let all = |scheme: &str| endpoints.iter().all(|url| url.starts_with(scheme));
        if endpoints.is_empty() || !(all("http://") || all("https://")) {
            return Err(settings.wrong("etcd.endpoints", ENDPOINTS));
        }
        if all("http://") && (ca.is_some() || identity.is_some()) {
            return Err(settings.wrong("etcd.endpoints", "https:// URLs: etcd.ca and etcd.cert are for TLS"));
        }
        Ok(Some(Self { endpoints, user, ca, identity, prefix }))
    }

    /// Name and password to sign in with, the latter from its file; none if no user is set.
    ///
    /// # Errors
    /// If the file cannot be read, or is empty.
    pub fn login(&self) -> Result<Option<(&str, String)>, PasswordError> {
        let Some((user, path)) = &self.user else { return Ok(None) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| PasswordError::Unreadable { path: path.clone(), error })?;
        let password = text.trim_end();
        if password.trim_start().is_empty() {
            return Err(PasswordError::Empty(path.clone()));
        }
        Ok(Some((user, password.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sources;

    fn read(file: &str) -> Result<Option<EtcdSettings>, String> {
        let sources = Sources { file: file.parse().unwrap(), env: &|_| None, flags: Vec::new() };
        let keys = crate::table::Program::Control.keys();
        let settings = Settings::gather(&keys, &[], &sources).unwrap();
        EtcdSettings::read(&settings).map_err(|error| error.to_string())
    }

    #[test]
    fn without_endpoints_there_is_no_etcd() {
        assert_eq!(read(""), Ok(None));
        let settings = read("etcd.endpoints = [\"http://127.0.0.1:2379\"]").unwrap().unwrap();
        assert_eq!((settings.prefix.as_str(), settings.user), ("/rg/v1", None));
    }

    #[test]
    fn what_belongs_together_is_given_together() {
        for (file, key) in [
            ("etcd.endpoints = []", "etcd.endpoints"),
            ("etcd.endpoints = [\"127.0.0.1:2379\"]", "etcd.endpoints"),
            ("etcd.endpoints = [\"http://a\", \"https://b\"]", "etcd.endpoints"),
            ("etcd.endpoints = [\"http://a\"]\netcd.ca = \"ca.pem\"", "etcd.endpoints"),
            ("etcd.user = \"node\"", "etcd.password_file"),
            ("etcd.password_file = \"p\"", "etcd.user"),
            ("etcd.cert = \"c\"", "etcd.key"),
            ("etcd.key = \"k\"", "etcd.cert"),
            ("etcd.prefix = \"rg/\"", "etcd.prefix"),
        ] {
            let told = read(file).unwrap_err();
            assert!(told.starts_with(&format!("{key} = ")), "{file}: {told}");
        }
    }
}
