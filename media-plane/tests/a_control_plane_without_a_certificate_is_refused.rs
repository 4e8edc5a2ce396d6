//! Mutual TLS between processes: only who shows a certificate of our authority may command.

use crate::support;
use railgun_media::config::TlsFiles;
use railgun_media::{Node, control_links, tls};
use railgun_rpc::proto::DescribeRequest;
use railgun_rpc::proto::media_node_client::MediaNodeClient;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;
use tokio::net::TcpListener;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key, as PEM.
fn issue(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

fn write_files(directory: &Path, authority: &Authority) -> TlsFiles {
    let (cert, key) = issue(authority, "media-1");
    let path = |name: &str, content: String| {
        let path = directory.join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    TlsFiles { ca: path("ca.pem", authority.pem()), cert: path("cert.pem", cert), key: path("key.pem", key) }
}

async fn describe(url: &str, tls: ClientTlsConfig) -> Result<String, tonic::Status> {
    let channel = Channel::from_shared(url.to_owned()).unwrap().tls_config(tls).unwrap().connect_lazy();
    let described = MediaNodeClient::new(channel).describe(DescribeRequest {}).await?;
    Ok(described.into_inner().node_id)
}

#[tokio::test]
async fn a_control_plane_without_a_certificate_is_refused() {
    let authority = authority();
    let directory = std::env::temp_dir().join(format!("railgun-mtls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let server = tls::server_config(&write_files(&directory, &authority)).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();

    let node = Node::start(support::config()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(node.serve_rpc(control_links(listener), Some(server)));

    let trusting = || {
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.pem())).domain_name("media-1")
    };
    let with = |(cert, key): (String, String)| trusting().identity(Identity::from_pem(cert, key));
    assert_eq!(describe(&url, with(issue(&authority, "control-1"))).await.unwrap(), "media-1");
    assert!(describe(&url, trusting()).await.is_err(), "no certificate");
    let stranger = self::authority();
    assert!(describe(&url, with(issue(&stranger, "control-1"))).await.is_err(), "a stranger's certificate");
    let plain = Channel::from_shared(url.replace("https", "http")).unwrap().connect_lazy();
    assert!(MediaNodeClient::new(plain).describe(DescribeRequest {}).await.is_err(), "plain text");

    node.stop().await;
    serving.await.unwrap().unwrap();
}
