//! Starting and stopping one control-plane.

use crate::auth::{LocalKey, TokenKeys};
use crate::config::Config;
use crate::gateway;
use crate::http;
use crate::media_client::NodeLink;
use crate::placement::Placement;
use crate::records::Records;
use crate::session::Registry;
use anyhow::{Context, bail};
use railgun_shared::signal::RtcConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::transport::Channel;

/// How long sessions have to say goodbye to their node when the control-plane stops.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long open HTTP connections have to end after that.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// What every session works with.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) keys: TokenKeys,
    pub(crate) records: Records,
    pub(crate) placement: Placement,
    pub(crate) registry: Registry,
    pub(crate) rtc: RtcConfig,
    pub(crate) sfu_endpoint: Option<String>,
}

/// A running control-plane.
#[derive(Debug)]
pub struct Control {
    local_addr: SocketAddr,
    io: socketioxide::SocketIo,
    registry: Registry,
    stop_http: oneshot::Sender<()>,
    http: JoinHandle<()>,
    link: JoinHandle<()>,
}

impl Control {
    /// Binds `config.listen` and serves until [`Control::stop`]. `media` reaches the media node;
    /// it need not be up yet. `dev_tokens` offers `POST /dev/token`, on loopback only.
    pub async fn start(config: Config, media: Channel, dev_tokens: bool) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.listen).await.with_context(|| {
            format!("cannot listen on {}: is something else running there?", config.listen)
        })?;
        let local_addr = listener.local_addr()?;

        let mut keys = TokenKeys::new(config.auth.audience.clone(), config.auth.issuer.clone());
        if let Some(path) = &config.auth.jwks {
            keys.add_file(path)?;
        }
        let dev_key = if dev_tokens && local_addr.ip().is_loopback() {
            let key = LocalKey::generate()?;
            keys.add(key.jwk())?;
            Some(key)
        } else {
            None
        };
        if keys.is_empty() {
            bail!("auth.jwks is not set: it names the JWKS file whose keys sign the users' tokens");
        }

        let (node, link) = NodeLink::start(media);
        let registry = Registry::default();
        let services = Arc::new(Services {
            keys,
            records: Records::new(&config.channels),
            placement: Placement::single(node.clone()),
            registry: registry.clone(),
            rtc: config.rtc.clone(),
            sfu_endpoint: config.sfu_endpoint.clone(),
        });
        let (layer, io) = gateway::socket_io(services);
        let dev = dev_key.map(|key| http::DevTokens::new(key, &config.auth, local_addr.port()));
        let app = http::router(&config.cors_origins, node, dev, layer);

        let (stop_http, stopped) = oneshot::channel::<()>();
        let http = tokio::spawn(async move {
            let server = axum::serve(listener, app).with_graceful_shutdown(async {
                let _ = stopped.await;
            });
            if let Err(error) = server.await {
                tracing::error!(%error, "the HTTP server ended");
            }
        });
        tracing::info!(address = %local_addr, "listening");
        Ok(Self { local_addr, io, registry, stop_http, http, link })
    }

    /// Where it listens; tells the port when the configured one was 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Closes every socket, lets every session leave its room, and ends. Takes under 5 s.
    pub async fn stop(self) {
        let _ = self.stop_http.send(());
        if timeout(GOODBYE_TIMEOUT, self.registry.end_all()).await.is_err() {
            tracing::warn!("some sessions did not end in time");
        }
        // A client that does not answer the closing of its socket is not waited for.
        let abort_http = self.http.abort_handle();
        let drained = async { tokio::join!(self.io.close(), self.http) };
        if timeout(DRAIN_TIMEOUT, drained).await.is_err() {
            abort_http.abort();
        }
        self.link.abort();
        tracing::info!("stopped");
    }
}
