//! TLS on a listener, with a certificate that may be renewed while it runs.

use crate::files::{CertificateError, Pair, Shown, pair, pair_of_any_time, within};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Between two looks at the files.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// The certificate in use. Clones share it.
#[derive(Clone)]
pub struct Server {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    cert: (String, PathBuf),
    key: (String, PathBuf),
}

#[derive(Debug)]
struct Current(RwLock<Pair>);

impl Current {
    fn get(&self) -> Pair {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get().certified)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("cert", &self.cert.1).finish_non_exhaustive()
    }
}

/// Changes when a file is written again or replaced.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Server {
    /// Speaks HTTP/1.1 in TLS 1.2 or 1.3, also with a certificate that has ended. Each of `cert` and `key` is a setting's key and its file.
    ///
    /// # Errors
    /// If a file cannot be read, or the key is another certificate's.
    pub fn open(cert: (&str, &Path), key: (&str, &Path)) -> Result<Self, CertificateError> {
        let first = pair_of_any_time(cert, key)?;
        // Its renewal is taken by whoever runs, and by nobody who did not start.
        if let Err(error) = within(cert, &first.shown, SystemTime::now()) {
            tracing::error!(%error, "browsers refuse this certificate");
        }
        let current = Arc::new(Current(RwLock::new(first)));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let unusable = |_| CertificateError::NotPem {
            setting: cert.0.into(),
            path: cert.1.into(),
            wanted: "certificate",
        };
        let mut config =
            versions.map_err(unusable)?.with_no_client_auth().with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let of = |(setting, path): (&str, &Path)| (setting.to_owned(), path.to_owned());
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), current, cert: of(cert), key: of(key) })
    }

    /// The certificate that a client is shown now.
    pub fn shown(&self) -> Shown {
        self.current.get().shown
    }

    /// Shakes hands as the server.
    ///
    /// # Errors
    /// If the client does not speak TLS, or goes.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        self.acceptor.accept(stream).await
    }

    /// Looks at the files again and again, and takes what they have become. What is wrong with them is logged,
    /// once for each change, and the certificate stays as it was.
    pub async fn follow(self) {
        let mut before = self.stamp();
        loop {
            sleep(LOOK_INTERVAL).await;
            let now = self.stamp();
            if now != before {
                before = now;
                self.read_again();
            }
        }
    }

    /// Takes the files as they are now.
    pub fn read_again(&self) {
        let (cert, key) = ((self.cert.0.as_str(), &*self.cert.1), (self.key.0.as_str(), &*self.key.1));
        match pair(cert, key, SystemTime::now()) {
            Ok(pair) => {
                tracing::info!(certificate = %pair.shown, "the HTTPS certificate was read again");
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
            }
            Err(error) => tracing::error!(%error, "the HTTPS certificate stays as it was"),
        }
    }

    fn stamp(&self) -> Stamp {
        [&self.cert.1, &self.key.1].map(|path| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use std::fs;

    fn write(directory: &Path, name: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        fs::write(directory.join("cert.pem"), certificate.pem()).unwrap();
        fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
    }

    #[test]
    fn a_renewed_certificate_is_taken_and_one_that_does_not_fit_its_key_is_not() {
        let directory = std::env::temp_dir().join(format!("railgun-tls-server-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        write(&directory, "before.example.org");
        let server = Server::open(("https.cert", &cert), ("https.key", &key)).unwrap();
        assert_eq!(server.shown().names, ["before.example.org"]);
        let stamp = server.stamp();
        write(&directory, "renewed.example.org");
        assert_ne!(server.stamp(), stamp);
        server.read_again();
        assert_eq!(server.shown().names, ["renewed.example.org"]);
        // One that has ended is served at a start, and takes no good one's place.
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/e2e/fixtures");
        let ended = (fixtures.join("expired.pem"), fixtures.join("expired.key"));
        let late = Server::open(("https.cert", &ended.0), ("https.key", &ended.1)).unwrap();
        assert_eq!(late.shown().days_left(SystemTime::now()), 0);
        fs::copy(&ended.0, &cert).unwrap();
        fs::copy(&ended.1, &key).unwrap();
        server.read_again();
        assert_eq!(server.shown().names, ["renewed.example.org"]);
        // Half of what a renewal writes.
        let key_before = fs::read(&key).unwrap();
        write(&directory, "half.example.org");
        fs::write(&key, key_before).unwrap();
        server.read_again();
        assert_eq!(server.shown().names, ["renewed.example.org"]);
        fs::remove_dir_all(&directory).unwrap();
    }
}
