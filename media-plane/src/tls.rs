//! Mutual TLS for the control link.

use crate::config::TlsFiles;
use anyhow::Context;
use std::path::Path;
use std::time::Duration;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

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
