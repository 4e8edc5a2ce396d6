use crate::support::node::FakeNode;
use railgun_control::certs;
use railgun_control::config::MediaConfig;
use railgun_control::media_client::media_channel;
use railgun_rpc::proto::DescribeRequest;
use railgun_rpc::proto::media_node_client::MediaNodeClient;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, ServerTlsConfig};

struct Dir(PathBuf);

impl Dir {
    fn with_certificates() -> Self {
        let path = std::env::temp_dir().join(format!("railgun-certs-{:032x}", rand::random::<u128>()));
        certs::write(&path, &certs::names_of_this_host()).unwrap();
        Self(path)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn node(dir: &Dir) -> FakeNode {
    let identity = Identity::from_pem(dir.read("media.pem"), dir.read("media.key"));
    let authority = Certificate::from_pem(dir.read("ca.pem"));
    FakeNode::start_with_tls(ServerTlsConfig::new().identity(identity).client_ca_root(authority)).await
}

fn config(node: &FakeNode, ca: &Path, of: &Path) -> MediaConfig {
    MediaConfig {
        url: format!("https://{}", node.address),
        ca: Some(ca.join("ca.pem")),
        cert: Some(of.join("control.pem")),
        key: Some(of.join("control.key")),
        ..MediaConfig::default()
    }
}

async fn answers(channel: Channel) -> bool {
    MediaNodeClient::new(channel).describe(DescribeRequest {}).await.is_ok()
}

#[tokio::test]
async fn only_certificates_of_the_same_set_reach_the_node() {
    let (ours, theirs) = (Dir::with_certificates(), Dir::with_certificates());
    let node = node(&ours).await;
    assert!(answers(media_channel(&config(&node, &ours.0, &ours.0)).unwrap()).await);
    assert!(!answers(media_channel(&config(&node, &ours.0, &theirs.0)).unwrap()).await);
    assert!(!answers(media_channel(&config(&node, &theirs.0, &ours.0)).unwrap()).await);

    let without = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ours.read("ca.pem")));
    let endpoint = Endpoint::from_shared(format!("https://{}", node.address)).unwrap();
    assert!(!answers(endpoint.tls_config(without).unwrap().connect_lazy()).await);
}

/// While etcd is away, a replica believes an address in a resume token only of a node that can prove its id.
#[tokio::test]
async fn a_node_that_bears_the_hosts_name_can_prove_it() {
    let dir = Dir::with_certificates();
    let node = node(&dir).await;
    let identity = Identity::from_pem(dir.read("control.pem"), dir.read("control.key"));
    let authority = Certificate::from_pem(dir.read("ca.pem"));
    let reached_as = |name: &str| {
        let tls = ClientTlsConfig::new().ca_certificate(authority.clone()).identity(identity.clone());
        let endpoint = Endpoint::from_shared(format!("https://{}", node.address)).unwrap();
        endpoint.tls_config(tls.domain_name(name)).unwrap().connect_lazy()
    };
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert!(answers(reached_as(host.trim())).await);
    assert!(!answers(reached_as("media-of-somebody-else")).await);
}

#[test]
fn keys_are_for_their_owner_alone_and_nothing_is_overwritten() {
    let dir = Dir::with_certificates();
    for name in ["control.key", "media.key"] {
        assert_eq!(fs::metadata(dir.0.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let before = dir.read("ca.pem");
    assert!(certs::write(&dir.0, &[]).unwrap_err().to_string().contains("ca.pem cannot be written"));
    assert_eq!(dir.read("ca.pem"), before);
}
