//! A certificate that certbot renewed is in use once coturn was told, and nobody's call ends for it.

use railgun_tests::TurnClient;
use railgun_tests::relay::{NODE, REALM, RELAY, Relay, SECRETS, credential, unix_seconds};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SEEN_WITHIN: Duration = Duration::from_secs(20);

/// Whether a TLS handshake on port 443 succeeds, with trust in this authority only.
fn trusts(relay: &Relay, authority: &[u8]) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    relay.link().on("client", || {
        let name = ServerName::try_from(REALM).unwrap();
        let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut tcp = TcpStream::connect((RELAY, 443)).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Stream::new(&mut tls, &mut tcp).flush().is_ok() && !tls.is_handshaking()
    })
}

#[test]
fn without_a_restart() {
    let Some(relay) = Relay::start().unwrap() else { return };
    let before = relay.authority().unwrap();
    assert!(trusts(&relay, &before));
    let peer = SocketAddr::from((NODE, 40_000));
    relay.as_client(async || {
        let login = credential(SECRETS[0], unix_seconds() + 3600);
        let allocation = TurnClient::allocate(relay.address(), login, NODE.into()).await.unwrap().unwrap();

        relay.renew_certificate().unwrap();
        let after = relay.authority().unwrap();
        assert_ne!(before, after);
        let until = Instant::now() + SEEN_WITHIN;
        while !trusts(&relay, &after) {
            assert!(Instant::now() < until, "the old certificate is still there");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(!trusts(&relay, &before));
        allocation.create_permission(peer).await.unwrap().unwrap();
    });
}
