//! The gRPC channel to a node that is a process of its own: mutual TLS unless told otherwise.

use crate::config::MediaConfig;
use anyhow::{Context, bail};
#[cfg(feature = "etcd")]
use railgun_protocol::ids::NodeId;
use railgun_rpc::heartbeat;
use railgun_tls::authority_pem;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A channel that connects when it is first used, and again whenever it has to.
pub fn media_channel(config: &MediaConfig) -> anyhow::Result<Channel> {
    channel(config, None)
}

/// `name`: what the certificate has to name, if not the host.
fn channel(config: &MediaConfig, name: Option<&str>) -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(config.url.clone())
        .with_context(|| format!("media.url = {:?} is not an URL", config.url))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(heartbeat::PING_INTERVAL)
        .keep_alive_timeout(heartbeat::CONTROL_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    let secure = endpoint.uri().scheme_str() == Some("https");
    if config.insecure {
        if secure {
            bail!("media.insecure is set, but media.url = {:?} asks for TLS: give a http:// one", config.url);
        }
        if !is_loopback(&endpoint) {
            bail!("media.insecure is only for a node on loopback; media.url = {:?}", config.url);
        }
        return Ok(endpoint.connect_lazy());
    }
    if !secure {
        bail!("media.url = {:?} is not TLS: give an https:// one, or set media.insecure", config.url);
    }
    let read = |key: &str, path: &Option<PathBuf>| -> anyhow::Result<Vec<u8>> {
        let path = set(key, path)?;
        std::fs::read(path).with_context(|| format!("{key} = {path:?} cannot be read"))
    };
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority_pem(("media.ca", set("media.ca", &config.ca)?))?))
        .identity(Identity::from_pem(read("media.cert", &config.cert)?, read("media.key", &config.key)?));
    if let Some(name) = name {
        tls = tls.domain_name(name);
    }
    Ok(endpoint
        .tls_config(tls)
        .context("media.ca, media.cert or media.key is not as expected")?
        .connect_lazy())
}

fn set<'a>(key: &str, path: &'a Option<PathBuf>) -> anyhow::Result<&'a Path> {
    path.as_deref().with_context(|| {
        format!("{key} is not set: mutual TLS needs it; `railgun-control certs` makes a set for trials")
    })
}

/// [`media_channel`] to the node at this host and port.
#[cfg(feature = "etcd")]
pub(crate) fn node_channel(config: &MediaConfig, address: &str) -> anyhow::Result<Channel> {
    let scheme = if config.insecure { "http" } else { "https" };
    media_channel(&MediaConfig { url: format!("{scheme}://{address}"), ..config.clone() })
}

/// A channel to a node for which nothing vouches but its certificate, which has to name the node.
#[cfg(feature = "etcd")]
pub(crate) fn named_node_channel(
    config: &MediaConfig,
    address: &str,
    node: &NodeId,
) -> anyhow::Result<Channel> {
    if config.insecure {
        bail!("without TLS no node can prove its name");
    }
    channel(&MediaConfig { url: format!("https://{address}"), ..config.clone() }, Some(node.as_str()))
}

fn is_loopback(endpoint: &Endpoint) -> bool {
    let host = endpoint.uri().host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str, insecure: bool) -> String {
        let config = MediaConfig { url: url.into(), insecure, ..MediaConfig::default() };
        media_channel(&config).unwrap_err().to_string()
    }

    #[tokio::test]
    async fn plain_text_needs_to_be_asked_for_and_stays_on_loopback() {
        assert!(refused("http://127.0.0.1:1", false).contains("set media.insecure"));
        assert!(refused("http://192.0.2.1:1", true).contains("only for a node on loopback"));
        assert!(refused("https://127.0.0.1:1", true).contains("asks for TLS"));
        assert!(refused("https://127.0.0.1:1", false).starts_with("media.ca is not set"));
        for url in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"] {
            let config = MediaConfig { url: url.into(), insecure: true, ..MediaConfig::default() };
            assert!(media_channel(&config).is_ok(), "{url}");
        }
    }
}
