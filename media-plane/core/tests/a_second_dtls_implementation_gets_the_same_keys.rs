//! The node's server against the `dtls` crate as client, over loopback sockets in real time.

use crate::dtls_pair::NODE_CERTIFICATE;
use railgun_media_core::srtp::Suite;
use railgun_media_core::transport::dtls::{
    DtlsFailure, DtlsOutput, DtlsTransport, DtlsVersion, POLL_BUFFER_LEN, SrtpKeyMaterial,
};
use railgun_protocol::transport_parameters::{DtlsFingerprint, DtlsRole};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use webrtc_dtls::config::{Config, ExtendedMasterSecretType};
use webrtc_dtls::conn::DTLSConn;
use webrtc_dtls::crypto::Certificate;
use webrtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as Profile;
use webrtc_util::KeyingMaterialExporter;

const PATIENCE: Duration = Duration::from_secs(3);

fn fingerprint(der: &[u8]) -> DtlsFingerprint {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    let pairs: Vec<_> = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    DtlsFingerprint { algorithm: "sha-256".into(), value: pairs.join(":") }
}

/// Drives the node's side until it has said its last word.
async fn serve(socket: UdpSocket, mut dtls: DtlsTransport) -> Result<SrtpKeyMaterial, DtlsFailure> {
    let (mut input, mut output) = ([0; 2048], [0; POLL_BUFFER_LEN]);
    let mut outcome = None;
    loop {
        loop {
            match dtls.poll(&mut output) {
                DtlsOutput::Packet(len) => {
                    socket.send(&output[..len]).await.unwrap();
                }
                DtlsOutput::Connected(keys) => outcome = Some(Ok(keys)),
                DtlsOutput::Failed(failure) => outcome = Some(Err(failure)),
                DtlsOutput::Closed | DtlsOutput::None => break,
            }
        }
        if let Some(outcome) = outcome {
            return outcome;
        }
        let wake = dtls.next_timeout().unwrap_or_else(|| Instant::now() + PATIENCE);
        match tokio::time::timeout_at(wake.into(), socket.recv(&mut input)).await {
            Ok(received) => {
                let len = received.unwrap();
                dtls.handle(&input[..len], Instant::now());
            }
            Err(_) => dtls.handle_timeout(Instant::now()),
        }
    }
}

struct Client {
    certificates: Vec<Certificate>,
    profiles: Vec<Profile>,
    extended_master_secret: ExtendedMasterSecretType,
}

impl Client {
    fn offering(profiles: &[Profile]) -> Self {
        // The crate asks rustls for a provider, of which this workspace builds two.
        _ = rustls::crypto::ring::default_provider().install_default();
        let certificate = Certificate::generate_self_signed(["client".to_owned()]).unwrap();
        Self {
            certificates: vec![certificate],
            profiles: profiles.to_vec(),
            extended_master_secret: ExtendedMasterSecretType::Require,
        }
    }

    /// What both sides have at the end.
    async fn join(
        self,
        fingerprint: DtlsFingerprint,
    ) -> (Result<SrtpKeyMaterial, DtlsFailure>, Option<(Profile, Vec<u8>)>) {
        let node_socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let client_socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        node_socket.connect(client_socket.local_addr().unwrap()).await.unwrap();
        client_socket.connect(node_socket.local_addr().unwrap()).await.unwrap();
        let now = Instant::now();
        let certificate = NODE_CERTIFICATE.clone();
        let dtls =
            DtlsTransport::new(certificate, DtlsVersion::Dtls12, DtlsRole::Client, &[fingerprint], now)
                .unwrap();
        let config = Config {
            certificates: self.certificates,
            srtp_protection_profiles: self.profiles,
            extended_master_secret: self.extended_master_secret,
            insecure_skip_verify: true,
            flight_interval: Duration::from_millis(200),
            ..Default::default()
        };
        let connect =
            tokio::time::timeout(PATIENCE, DTLSConn::new(Arc::new(client_socket), config, true, None));
        let (node, client) = tokio::join!(tokio::time::timeout(PATIENCE, serve(node_socket, dtls)), connect);
        // A server that got no valid handshake in this test's patience would fail at its own timeout.
        let node = node.unwrap_or(Err(DtlsFailure::Timeout));
        let Ok(Ok(connection)) = client else { return (node, None) };
        let profile = connection.selected_srtpprotection_profile();
        let len = if profile == Profile::Srtp_Aead_Aes_256_Gcm { 88 } else { 56 };
        let state = connection.connection_state().await;
        let keys = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], len).await.unwrap();
        (node, Some((profile, keys)))
    }
}

#[tokio::test]
async fn both_sides_export_the_same_keys_for_each_gcm_profile() {
    for (offer, suite) in [
        (&[Profile::Srtp_Aead_Aes_128_Gcm][..], Suite::AeadAes128Gcm),
        (&[Profile::Srtp_Aead_Aes_256_Gcm], Suite::AeadAes256Gcm),
        // The node's order decides, not the client's.
        (
            &[
                Profile::Srtp_Aes128_Cm_Hmac_Sha1_80,
                Profile::Srtp_Aead_Aes_128_Gcm,
                Profile::Srtp_Aead_Aes_256_Gcm,
            ],
            Suite::AeadAes256Gcm,
        ),
    ] {
        let client = Client::offering(offer);
        let signalled = fingerprint(&client.certificates[0].certificate[0]);
        let (node, client) = client.join(signalled).await;
        let (node, (_, client_keys)) = (node.unwrap(), client.unwrap());
        assert_eq!(node.suite, suite, "{offer:?}");
        assert_eq!(node.bytes.as_slice(), client_keys, "{offer:?}");
        assert!(node.is_server);
    }
}

#[tokio::test]
async fn a_certificate_that_was_not_signalled_gives_no_side_keys() {
    let client = Client::offering(&[Profile::Srtp_Aead_Aes_128_Gcm]);
    let (node, client) = client.join(fingerprint(b"another certificate")).await;
    assert_eq!(node, Err(DtlsFailure::FingerprintMismatch));
    assert_eq!(client, None, "our Finished never left");
}

#[tokio::test]
async fn a_client_without_certificate_srtp_or_extended_master_secret_gets_no_keys() {
    let gcm = [Profile::Srtp_Aead_Aes_128_Gcm];
    let no_certificate = Client { certificates: vec![], ..Client::offering(&gcm) };
    let no_srtp = Client::offering(&[]);
    let no_master_secret =
        Client { extended_master_secret: ExtendedMasterSecretType::Disable, ..Client::offering(&gcm) };
    let (a, b, c) = tokio::join!(
        no_certificate.join(fingerprint(b"none")),
        async {
            let signalled = fingerprint(&no_srtp.certificates[0].certificate[0]);
            no_srtp.join(signalled).await
        },
        async {
            let signalled = fingerprint(&no_master_secret.certificates[0].certificate[0]);
            no_master_secret.join(signalled).await
        },
    );
    assert_eq!((a.0, a.1), (Err(DtlsFailure::Timeout), None));
    assert_eq!((b.0, b.1), (Err(DtlsFailure::NoSrtpProfile), None));
    assert_eq!((c.0, c.1), (Err(DtlsFailure::Timeout), None));
}
