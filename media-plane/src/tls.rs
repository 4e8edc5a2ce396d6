//! Mutual TLS for the control link.

use crate::check;
use crate::config::{Config, TlsFiles};
use anyhow::{Context, bail};
use std::path::Path;
use std::time::Duration;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the control link is served with; none: plain text, on loopback.
///
/// # Errors
/// If neither is configured, or both, or a file cannot be read.
pub fn of(config: &Config) -> anyhow::Result<Option<ServerTlsConfig>> {
    match (&config.rpc.tls, config.rpc.insecure) {
        (Some(files), false) => server_config(files).map(Some),
        (None, true) => Ok(None),
        (Some(_), true) => bail!(check::BOTH),
        (None, false) => bail!(check::NEITHER),
    }
}

/// Reads the files; whoever connects will have to show a certificate of that authority.
pub fn server_config(files: &TlsFiles) -> anyhow::Result<ServerTlsConfig> {
    // Where another crate of the build brings a second provider, rustls would choose neither and
    // panic. An error means that the process has chosen already.
    _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let identity = Identity::from_pem(read("tls.cert", &files.cert)?, read("tls.key", &files.key)?);
    let authority = Certificate::from_pem(read("tls.ca", &files.ca)?);
    Ok(ServerTlsConfig::new().identity(identity).client_ca_root(authority).timeout(HANDSHAKE_TIMEOUT))
}

fn read(key: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{key} = {} cannot be read", path.display()))
}
