//! A certificate and its key, read and compared.

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::macros::format_description;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What is wrong with a certificate's file or its key's. Each names the setting that the path is from.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file is not there, or not for us.
    #[error("{setting} = {path} cannot be read: {error}")]
    Unreadable {
        /// Its key.
        setting: String,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        error: std::io::Error,
    },
    /// Something else than PEM, or PEM of something else.
    #[error("{setting} = {path} holds no {wanted} in PEM")]
    NotPem {
        /// Its key.
        setting: String,
        /// The file.
        path: PathBuf,
        /// "certificate" or "private key".
        wanted: &'static str,
    },
    /// The two files are not of one pair.
    #[error("{key} is not the key of the certificate in {cert}: they are of two pairs")]
    Mismatch {
        /// Setting of the certificate.
        cert: String,
        /// Setting of the key.
        key: String,
    },
    /// It is over.
    #[error("{setting} = {path} ended on {on}: renew it")]
    Ended {
        /// Its key.
        setting: String,
        /// The file.
        path: PathBuf,
        /// A date.
        on: String,
    },
    /// It has not begun, or the clock is wrong.
    #[error("{setting} = {path} is good only from {from} on: is this machine's clock right?")]
    NotYet {
        /// Its key.
        setting: String,
        /// The file.
        path: PathBuf,
        /// A date.
        from: String,
    },
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// DNS names and addresses that it is for.
    pub names: Vec<String>,
    /// The first moment at which it is good.
    pub begins: SystemTime,
    /// The last one.
    pub ends: SystemTime,
}

impl Shown {
    /// Whole days from `now` until it ends; 0 when it has.
    pub fn days_left(&self, now: SystemTime) -> u64 {
        self.ends.duration_since(now).unwrap_or_default().as_secs() / 86_400
    }

    /// The certificate of a connection, as it came.
    pub fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.map(|found| found.value.general_names.iter().filter_map(name).collect());
        Some(Self {
            names: names.unwrap_or_default(),
            begins: at(certificate.validity().not_before.timestamp()),
            ends: at(certificate.validity().not_after.timestamp()),
        })
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = if self.names.is_empty() { "no name".into() } else { self.names.join(", ") };
        write!(f, "for {names}, until {}", date(self.ends))
    }
}

fn name(of: &GeneralName<'_>) -> Option<String> {
    match of {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from);
            let sixteen = || <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from);
            four.or_else(|_| sixteen()).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

fn date(at: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    OffsetDateTime::from(at).format(&format).unwrap_or_default()
}

/// A certificate with its chain and its key.
#[derive(Clone, Debug)]
pub struct Pair {
    pub(crate) certified: Arc<CertifiedKey>,
    /// What its first certificate says.
    pub shown: Shown,
}

/// Reads a certificate and its key. `cert` and `key` are each a setting's key and its file.
///
/// # Errors
/// If a file cannot be read, the key is another certificate's, or `now` is outside its time.
pub fn pair(cert: (&str, &Path), key: (&str, &Path), now: SystemTime) -> Result<Pair, CertificateError> {
    let pair = pair_of_any_time(cert, key)?;
    within(cert, &pair.shown, now)?;
    Ok(pair)
}

/// [`pair`], also one that has ended.
pub(crate) fn pair_of_any_time(cert: (&str, &Path), key: (&str, &Path)) -> Result<Pair, CertificateError> {
    let (chain, shown) = certificates(cert, &read(cert)?)?;
    let text = read(key)?;
    let not_a_key =
        || CertificateError::NotPem { setting: key.0.into(), path: key.1.into(), wanted: "private key" };
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|_| not_a_key())?;
    let private = aws_lc_rs::sign::any_supported_type(&private).map_err(|_| not_a_key())?;
    let certified = CertifiedKey::new(chain, private);
    if certified.keys_match().is_err() {
        return Err(CertificateError::Mismatch { cert: cert.0.into(), key: key.0.into() });
    }
    Ok(Pair { certified: Arc::new(certified), shown })
}

/// Reads the certificate of an authority.
///
/// # Errors
/// As [`pair`].
pub fn authority(of: (&str, &Path), now: SystemTime) -> Result<Shown, CertificateError> {
    let (_, shown) = certificates(of, &read(of)?)?;
    within(of, &shown, now)?;
    Ok(shown)
}

/// Reads the certificate of an authority, in PEM, for a client that is to trust it. One that has ended is given as well: it may
/// be renewed while the program runs, and whoever connects is told.
///
/// # Errors
/// If the file cannot be read, or holds no certificate in PEM.
pub fn authority_pem(of: (&str, &Path)) -> Result<Vec<u8>, CertificateError> {
    let text = read(of)?;
    certificates(of, &text)?;
    Ok(text)
}

fn certificates(
    (setting, path): (&str, &Path),
    text: &[u8],
) -> Result<(Vec<CertificateDer<'static>>, Shown), CertificateError> {
    let none =
        || CertificateError::NotPem { setting: setting.into(), path: path.into(), wanted: "certificate" };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(|_| none())?;
    let shown = chain.first().and_then(|first| Shown::of(first)).ok_or_else(none)?;
    Ok((chain, shown))
}

fn read((setting, path): (&str, &Path)) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|error| CertificateError::Unreadable {
        setting: setting.into(),
        path: path.into(),
        error,
    })
}

pub(crate) fn within(
    (setting, path): (&str, &Path),
    shown: &Shown,
    now: SystemTime,
) -> Result<(), CertificateError> {
    let (setting, path) = (setting.into(), path.into());
    if shown.ends < now {
        return Err(CertificateError::Ended { setting, path, on: date(shown.ends) });
    }
    if shown.begins > now {
        return Err(CertificateError::NotYet { setting, path, from: date(shown.begins) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    struct Made {
        directory: PathBuf,
    }

    impl Drop for Made {
        fn drop(&mut self) {
            _ = fs::remove_dir_all(&self.directory);
        }
    }

    impl Made {
        fn new(name: &str) -> Self {
            let directory = std::env::temp_dir().join(format!("railgun-tls-{name}-{}", std::process::id()));
            fs::create_dir_all(&directory).unwrap();
            let made = Self { directory };
            for pair in ["one", "two"] {
                let key = KeyPair::generate().unwrap();
                let mut params =
                    CertificateParams::new(vec!["voice.example.org".into(), "192.0.2.1".into()]).unwrap();
                params.not_before = date_time_ymd(2026, 1, 1);
                params.not_after = date_time_ymd(2026, 4, 1);
                let certificate = params.self_signed(&key).unwrap();
                fs::write(made.at(&format!("{pair}.pem")), certificate.pem()).unwrap();
                fs::write(made.at(&format!("{pair}.key")), key.serialize_pem()).unwrap();
            }
            made
        }

        fn at(&self, name: &str) -> PathBuf {
            self.directory.join(name)
        }

        fn read(&self, cert: &str, key: &str, now: SystemTime) -> Result<Pair, String> {
            let (cert, key) = (self.at(cert), self.at(key));
            pair(("https.cert", &cert), ("https.key", &key), now).map_err(|error| error.to_string())
        }
    }

    fn month(month: u64) -> SystemTime {
        // 2026-01-01 and so many times 30 days
        UNIX_EPOCH + Duration::from_secs(1_767_225_600 + (month - 1) * 30 * 86_400)
    }

    #[test]
    fn a_pair_is_compared_and_says_its_names_and_its_end() {
        let made = Made::new("pair");
        let pair = made.read("one.pem", "one.key", month(2)).unwrap();
        assert_eq!(pair.shown.to_string(), "for voice.example.org, 192.0.2.1, until 2026-04-01 00:00 UTC");
        assert_eq!(pair.shown.days_left(month(2)), 60);
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_told_with_the_setting() {
        let made = Made::new("wrong");
        let wrong = |cert, key, now| made.read(cert, key, now).unwrap_err();
        assert!(wrong("none.pem", "one.key", month(2)).contains("cannot be read: No such file"));
        assert!(wrong("one.key", "one.key", month(2)).contains("holds no certificate in PEM"));
        assert!(wrong("one.pem", "one.pem", month(2)).contains("holds no private key in PEM"));
        assert_eq!(
            wrong("one.pem", "two.key", month(2)),
            "https.key is not the key of the certificate in https.cert: they are of two pairs"
        );
        assert!(wrong("one.pem", "one.key", month(5)).contains("ended on 2026-04-01 00:00 UTC: renew it"));
        let early = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        assert!(wrong("one.pem", "one.key", early).contains("good only from 2026-01-01"));
    }
}
