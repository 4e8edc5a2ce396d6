//! The DTLS side: this client's certificate, the handshake and the check of the server's.

use super::srtp::{Contexts, SrtpProfile};
use crate::error::ClientError;
use async_trait::async_trait;
use railgun_protocol::transport_parameters::DtlsFingerprint;
use sha2::{Digest, Sha256};
use std::any::Any;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use webrtc_dtls::config::{ClientAuthType, Config, ExtendedMasterSecretType};
use webrtc_dtls::conn::DTLSConn;
use webrtc_dtls::crypto::Certificate;
use webrtc_util::Conn;

const SHA_256: &str = "sha-256";
/// Between retransmissions of a flight; the default of a second would dominate a lossy join.
const FLIGHT_INTERVAL: Duration = Duration::from_millis(250);

/// A certificate with its key, which `connectTransport` announces by its fingerprint.
pub struct Identity {
    certificate: Certificate,
    fingerprint: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// A new self-signed ECDSA P-256 certificate.
    pub fn generate() -> Result<Self, ClientError> {
        // An error means that the process has one already, which serves as well.
        _ = rustls::crypto::ring::default_provider().install_default();
        let certificate = Certificate::generate_self_signed(vec!["railgun-client".to_owned()])?;
        let der = certificate.certificate.first().ok_or(webrtc_dtls::Error::ErrServerMustHaveCertificate)?;
        let fingerprint = fingerprint(der);
        Ok(Self { certificate, fingerprint })
    }

    #[cfg(test)]
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub fn fingerprint(&self) -> DtlsFingerprint {
        DtlsFingerprint { algorithm: SHA_256.into(), value: self.fingerprint.clone() }
    }
}

/// RFC 8122 §5: upper-case hexadecimal pairs with colons.
fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// What a finished handshake gives.
pub(crate) struct Secured {
    pub(crate) dtls: DTLSConn,
    pub(crate) profile: SrtpProfile,
    pub(crate) contexts: Contexts,
}

/// Shakes hands as the client, checks the server's certificate against the announced fingerprint
/// and only then derives keys.
pub(crate) async fn handshake(
    pipe: DtlsPipe,
    identity: &Identity,
    profiles: &[SrtpProfile],
    announced: &[DtlsFingerprint],
    limit: Duration,
) -> Result<Secured, ClientError> {
    let config = Config {
        certificates: vec![identity.certificate.clone()],
        srtp_protection_profiles: profiles.iter().map(|profile| profile.offered()).collect(),
        extended_master_secret: ExtendedMasterSecretType::Require,
        client_auth: ClientAuthType::RequireAnyClientCert,
        flight_interval: FLIGHT_INTERVAL,
        // The certificate is self-signed: signaling's fingerprint vouches for it, below.
        insecure_skip_verify: true,
        ..Config::default()
    };
    // The crate waits forever when a certain flight is lost, so the time limit is ours.
    let shaking = DTLSConn::new(Arc::new(pipe), config, true, None);
    let dtls = timeout(limit, shaking).await.map_err(|_| ClientError::Timeout("DTLS"))??;
    let state = dtls.connection_state().await;
    if !is_announced(&state.peer_certificates, announced) {
        return Err(ClientError::Fingerprint);
    }
    let profile = SrtpProfile::chosen(dtls.selected_srtpprotection_profile())
        .filter(|chosen| profiles.contains(chosen))
        .ok_or(ClientError::NoSrtpProfile)?;
    let contexts = Contexts::derive(state, profile, true).await?;
    Ok(Secured { dtls, profile, contexts })
}

fn is_announced(certificates: &[Vec<u8>], announced: &[DtlsFingerprint]) -> bool {
    let Some(der) = certificates.first() else { return false };
    let wanted = announced.iter().rfind(|print| print.algorithm.eq_ignore_ascii_case(SHA_256));
    wanted.is_some_and(|print| print.value.eq_ignore_ascii_case(&fingerprint(der)))
}

/// The DTLS records of a connection that also carries media.
pub(crate) struct DtlsPipe {
    incoming: Mutex<mpsc::Receiver<Vec<u8>>>,
    conn: Arc<dyn Conn + Send + Sync>,
}

impl DtlsPipe {
    pub(crate) fn new(conn: Arc<dyn Conn + Send + Sync>, incoming: mpsc::Receiver<Vec<u8>>) -> Self {
        Self { incoming: Mutex::new(incoming), conn }
    }
}

#[async_trait]
impl Conn for DtlsPipe {
    async fn connect(&self, _: SocketAddr) -> webrtc_util::Result<()> {
        Err(io::Error::other("a pipe is connected already").into())
    }

    async fn recv(&self, buf: &mut [u8]) -> webrtc_util::Result<usize> {
        let Some(record) = self.incoming.lock().await.recv().await else {
            // An error would make the DTLS reader spin: it retries at once.
            return std::future::pending().await;
        };
        let length = record.len().min(buf.len());
        buf[..length].copy_from_slice(&record[..length]);
        Ok(length)
    }

    async fn recv_from(&self, buf: &mut [u8]) -> webrtc_util::Result<(usize, SocketAddr)> {
        let length = self.recv(buf).await?;
        let from = self.conn.remote_addr().ok_or_else(|| io::Error::other("no remote address"))?;
        Ok((length, from))
    }

    async fn send(&self, buf: &[u8]) -> webrtc_util::Result<usize> {
        self.conn.send(buf).await
    }

    async fn send_to(&self, buf: &[u8], _: SocketAddr) -> webrtc_util::Result<usize> {
        self.conn.send(buf).await
    }

    fn local_addr(&self) -> webrtc_util::Result<SocketAddr> {
        self.conn.local_addr()
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        self.conn.remote_addr()
    }

    async fn close(&self) -> webrtc_util::Result<()> {
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_announced_sha_256_counts() {
        let der = b"a certificate".to_vec();
        let right = DtlsFingerprint { algorithm: "SHA-256".into(), value: fingerprint(&der).to_lowercase() };
        let wrong = DtlsFingerprint { algorithm: SHA_256.into(), value: "00:11".into() };
        let certificates = [der];
        assert!(is_announced(&certificates, &[wrong.clone(), right.clone()]));
        assert!(!is_announced(&certificates, &[right.clone(), wrong]));
        assert!(!is_announced(&certificates, &[]));
        assert!(!is_announced(&[], &[right]));
    }
}
