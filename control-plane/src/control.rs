//! Starting and stopping one control-plane.

use crate::auth::{KeyRing, LocalKey, RefusedTokens};
use crate::clock::Stamps;
#[cfg(feature = "etcd")]
use crate::clock_watch::{self, Replica};
use crate::config::{AuthConfig, Config, HttpsFiles};
use crate::dev_mode::{DevMode, DevModeError};
use crate::gateway;
use crate::http;
use crate::joins::Joins;
#[cfg(feature = "etcd")]
use crate::media_client::node_channel;
use crate::media_client::{NodeLink, Peer, media_channel};
use crate::metrics::Metrics;
use crate::networks::Networks;
#[cfg(feature = "etcd")]
use crate::placement::Cluster;
use crate::placement::Placement;
use crate::policy::strangers::Limits;
use crate::records::Records;
use crate::registry::Registry;
use crate::requests;
use crate::resume_token::PlaceSeal;
use crate::rings::Rings;
use crate::services::Services;
use crate::timelines::{TimelineHost, TimelineMetrics, TimelineThreads, Timelines};
use crate::turn::Turn;
use crate::watches::Watches;
use crate::webhooks::{WebhookMetrics, Webhooks};
use anyhow::Context;
#[cfg(not(feature = "etcd"))]
use anyhow::bail;
use prometheus_client::registry::Registry as MetricsRegistry;
use railgun_process::traces::Tracer;
#[cfg(feature = "etcd")]
use railgun_settings::EtcdSettings;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tonic::transport::Channel;
use zeroize::Zeroizing;

/// How long sessions have to tell their node that their sockets go when the control-plane stops.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long open HTTP connections have to end after that.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// At the end, webhooks that wait have so long to be delivered.
const WEBHOOKS_TIMEOUT: Duration = Duration::from_secs(2);
/// TCP connections of clients at once, WebSockets among them, if there are descriptors for as many.
const CONNECTIONS_MAX: usize = 24_000;
/// Connections at the operators' listener.
const OPERATORS: Limits = Limits { per_address: 128, total: 128 };

/// Where rooms and records are.
struct Backing {
    placement: Placement,
    records: Arc<Records>,
    joins: Joins,
    /// Network tests, counted apart.
    diagnostics: Joins,
    rings: Rings,
    ring_rate: Joins,
    registry: Registry,
    tasks: Vec<JoinHandle<()>>,
}

impl Backing {
    /// `listening` is this replica's public address; `scraped` is shown what etcd is like.
    #[cfg_attr(not(feature = "etcd"), expect(unused_variables, reason = "nobody else hears of this replica"))]
    fn of(
        config: &Config,
        media: MediaNodes,
        listening: SocketAddr,
        metrics: &Metrics,
        scraped: &mut MetricsRegistry,
        webhooks: Webhooks,
    ) -> anyhow::Result<Self> {
        let link = metrics.link.clone();
        match media {
            MediaNodes::One { channel, address } => {
                let peer = Peer { node: None, address };
                let (node, task) = NodeLink::start(channel, peer, "", link, webhooks);
                let records = Arc::new(Records::in_memory(&config.channels));
                Ok(Self {
                    placement: Placement::Single(node),
                    records,
                    joins: Joins::new(config.joins),
                    diagnostics: Joins::new(requests::diagnostics::RATE),
                    rings: Rings::in_memory(),
                    ring_rate: Joins::new(requests::RING_RATE),
                    registry: Registry::default(),
                    tasks: vec![task],
                })
            }
            #[cfg(feature = "etcd")]
            MediaNodes::OfEtcd(settings) => {
                let store = railgun_etcd::Store::open(&settings)?;
                let of_control = scraped.sub_registry_with_prefix("railgun_control");
                store.register_metrics(of_control);
                metrics.clock.register(of_control);
                let (records, following) = Records::in_etcd(&config.channels, store.clone());
                let leases = railgun_etcd::SharedLeases::new(store.clone());
                let replica = Replica::listening_at(listening);
                let clocks = clock_watch::watch(store.clone(), replica.clone(), metrics.clock.clone());
                let telling = store.clone().say_how_it_is();
                let (registry, counting) = Registry::shared(store.clone(), leases.clone(), replica);
                let (rings, ringing) = Rings::shared(store.clone(), leases.clone());
                let (cluster, task) = Cluster::start(store.clone(), config.media.clone(), link, webhooks);
                Ok(Self {
                    placement: Placement::Cluster(cluster),
                    records,
                    joins: Joins::shared(config.joins, "calls", store.clone(), leases.clone()),
                    rings,
                    ring_rate: Joins::shared(requests::RING_RATE, "rings", store.clone(), leases.clone()),
                    diagnostics: Joins::shared(requests::diagnostics::RATE, "tests", store, leases),
                    registry,
                    tasks: vec![
                        following,
                        counting,
                        ringing,
                        task,
                        tokio::spawn(clocks),
                        tokio::spawn(telling),
                    ],
                })
            }
        }
    }
}

/// Where the media nodes are.
#[derive(Debug)]
pub enum MediaNodes {
    /// The only one is at the other end of this channel; its address is for logs.
    One { channel: Channel, address: String },
    /// Media nodes that are registered in etcd.
    #[cfg(feature = "etcd")]
    OfEtcd(EtcdSettings),
}

impl From<Channel> for MediaNodes {
    fn from(channel: Channel) -> Self {
        Self::One { channel, address: "this process".into() }
    }
}

impl MediaNodes {
    /// As configured, when they are other processes.
    ///
    /// # Errors
    /// If a setting is missing, or the files it names cannot be read.
    pub fn of(config: &Config) -> anyhow::Result<Self> {
        match &config.etcd {
            None => {
                Ok(Self::One { channel: media_channel(&config.media)?, address: config.media.url.clone() })
            }
            #[cfg(feature = "etcd")]
            Some(settings) => {
                // So that a mistake is told now, and not when the first node is there.
                node_channel(&config.media, "127.0.0.1:1")?;
                Ok(Self::OfEtcd(settings.clone()))
            }
            #[cfg(not(feature = "etcd"))]
            Some(_) => bail!("etcd.endpoints is set, but this program was built without etcd"),
        }
    }
}

/// A running control-plane.
#[derive(Debug)]
pub struct Control {
    local_addr: SocketAddr,
    operators_addr: Option<SocketAddr>,
    guest_token: Option<String>,
    io: socketioxide::SocketIo,
    registry: Registry,
    webhooks: Webhooks,
    timelines: Timelines,
    tracer: Tracer,
    stop_http: watch::Sender<bool>,
    http: Vec<JoinHandle<()>>,
    /// Tasks that have nothing to finish, and are aborted at the end.
    tasks: Vec<JoinHandle<()>>,
}

impl Control {
    /// Whether users' tokens have somewhere to come from, and that is all that a start would refuse
    /// beside what [`Config::with`] does.
    ///
    /// # Errors
    /// If there are neither keys nor development mode, or both, or the latter not on loopback.
    pub fn check(config: &Config, dev: Option<&DevMode>) -> Result<(), DevModeError> {
        DevMode::check(dev, config)
    }

    /// Binds `config.listen` and serves until [`Control::stop`]. The nodes of `media` need not be up
    /// yet. `dev`: development mode, on loopback and without configured keys only. `scraped` holds
    /// what else this process has to show at `/metrics`.
    pub async fn start(
        config: Config,
        media: impl Into<MediaNodes>,
        dev: Option<DevMode>,
        scraped: MetricsRegistry,
    ) -> anyhow::Result<Self> {
        Self::start_on(config, media, dev, scraped, Arc::new(TimelineThreads)).await
    }

    /// The same, with timelines of calls on this host.
    pub async fn start_on(
        config: Config,
        media: impl Into<MediaNodes>,
        dev: Option<DevMode>,
        mut scraped: MetricsRegistry,
        host: Arc<dyn TimelineHost>,
    ) -> anyhow::Result<Self> {
        Self::check(&config, dev.as_ref())?;
        let listener = listen("listen", config.listen).await?;
        let local_addr = listener.local_addr()?;
        let for_operators = match config.operators.listen {
            Some(address) => Some(listen("operators.listen", address).await?),
            None => None,
        };
        let operators_addr = for_operators.as_ref().map(TcpListener::local_addr).transpose()?;

        let dev_key = dev.is_some().then(LocalKey::generate).transpose()?;
        let AuthConfig { jwks, audience, issuer } = config.auth.clone();
        let keys = KeyRing::new(audience, issuer, dev_key.as_ref().map(|key| key.jwk().clone()))?;
        let mut tasks = Vec::new();
        if let Some(source) = jwks {
            tasks.push(keys.follow(source).await?);
        }

        let turn = Turn::open(&config.turn, config.rtc.ice_servers.clone()).context("turn.secrets_file")?;
        let networks = match &config.networks {
            Some(path) => Networks::from_file(path).context("networks")?,
            None => Networks::default(),
        };
        if !turn.has_relay() {
            tracing::info!("turn.urls names no relay: users whose token has privacyMode are refused");
        }
        let metrics = Metrics::new();
        metrics.register(&mut scraped);
        let hook_metrics = WebhookMetrics::default();
        hook_metrics.register(&mut scraped);
        let webhooks = Webhooks::start(&config.webhooks, hook_metrics)?;
        railgun_process::metrics::register(&mut scraped);
        railgun_tls::register_ends(&mut scraped, certificates(&config));
        let Backing { placement, records, joins, diagnostics, rings, ring_rate, registry, tasks: of_backing } =
            Backing::of(&config, media.into(), local_addr, &metrics, &mut scraped, webhooks.clone())?;
        tasks.extend(of_backing);
        let of_timelines = TimelineMetrics::default();
        of_timelines.register(&mut scraped);
        let (timelines, looking) = Timelines::start(&config.calls, placement.clone(), of_timelines, host)?;
        tasks.extend(looking);
        let run = format!("{:08x}", rand::random::<u32>());
        let tracer =
            Tracer::start(config.traces.as_ref(), "railgun-control", run).map_err(anyhow::Error::msg)?;
        let services = Arc::new(Services {
            keys,
            refused_tokens: RefusedTokens::default(),
            records,
            placement: placement.clone(),
            registry: registry.clone(),
            watches: Watches::new(placement.clone()),
            rings,
            ring_rate,
            joins,
            diagnostics,
            metrics: metrics.clone(),
            timelines: timelines.clone(),
            tracer: tracer.clone(),
            started: Instant::now(),
            resume_tries: Mutex::default(),
            place_seal: place_seal(&config)?,
            join_stamps: Stamps::default(),
            turn,
            networks,
            avatars: config.avatars.clone(),
            ice_transport_policy: config.rtc.ice_transport_policy,
            offers_ccfb: config.offers_ccfb,
            sfu_endpoint: config.sfu_endpoint.clone(),
        });
        let proxies = http::Proxies::new(&config.trusted_proxies);
        let (io, sockets) = gateway::socket_io(services.clone(), config.sockets_per_address, proxies.clone());
        let dev = dev.zip(dev_key);
        let dev = dev.map(|(mode, key)| http::DevTokens::new(key, &mode, &config, local_addr.port()));
        let guest_token = dev.as_ref().and_then(http::DevTokens::for_guest);
        let upgrade_url = config.upgrade_url.as_ref().map(reqwest::Url::as_str);
        let known = (placement.clone(), services.records.clone());
        let with_sockets = |routes| gateway::engine_io::in_front_of(routes, sockets);
        let app =
            http::router(&config.cors_origins, (upgrade_url, &config.avatars), known, dev, with_sockets);

        let descriptors = http::descriptors::raise();
        let total = http::descriptors::connections(descriptors, CONNECTIONS_MAX);
        let https = match &config.https {
            None => None,
            Some(HttpsFiles { cert, key }) => {
                let server = railgun_tls::Server::open(("https.cert", cert), ("https.key", key))?;
                tracing::info!(certificate = %server.shown(), "HTTPS");
                tasks.push(tokio::spawn(server.clone().follow()));
                Some(server)
            }
        };
        let limits = Limits { per_address: config.sockets_per_address, total };
        let connections = http::Connections::new(limits, proxies);
        let (stop_http, stopped) = watch::channel(false);
        let mut http = vec![http::serve(listener, https, app, connections.clone(), stopped.clone())];
        if let Some(listener) = for_operators {
            let sessions = registry.clone();
            let scraped = http::Scraped { registry: scraped, metrics, sessions, io: io.clone(), connections };
            let mut router = http::health(placement, scraped, config.operators.hosts.clone().into());
            if let Some(path) = &config.operators.tokens {
                let audit = config.operators.audit.as_deref();
                router = router.merge(http::api(Arc::new(http::Api {
                    services,
                    tokens: http::Tokens::from_file(path)?,
                    audit: http::AuditLog::open(audit).context("operators.audit")?,
                })));
            }
            let of_operators = http::Connections::new(OPERATORS, http::Proxies::default());
            http.push(http::serve(listener, None, router, of_operators, stopped));
        }
        tracing::info!(address = %local_addr, operators = ?operators_addr, descriptors, connections = total, "listening");
        Ok(Self {
            local_addr,
            operators_addr,
            guest_token,
            io,
            registry,
            webhooks,
            timelines,
            tracer,
            stop_http,
            http,
            tasks,
        })
    }

    /// Where it listens; tells the port when the configured one was 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where operators are served, if they are.
    pub fn operators_addr(&self) -> Option<SocketAddr> {
        self.operators_addr
    }

    /// In development mode, a token of one Pro user for a day: for somebody who must not have the secret.
    pub fn guest_token(&self) -> Option<&str> {
        self.guest_token.as_deref()
    }

    /// Leaves every session to be taken up elsewhere, closes every socket, and ends. Takes under 5 s.
    pub async fn stop(self) {
        self.stop_http.send_replace(true);
        if timeout(GOODBYE_TIMEOUT, self.registry.end_all()).await.is_err() {
            tracing::warn!("some sessions did not end in time");
        }
        // A client that does not answer the closing of its socket is not waited for.
        let aborts: Vec<_> = self.http.iter().map(JoinHandle::abort_handle).collect();
        let drained = async {
            let drained = async { tokio::join!(self.io.close(), futures::future::join_all(self.http)) };
            if timeout(DRAIN_TIMEOUT, drained).await.is_err() {
                aborts.iter().for_each(AbortHandle::abort);
            }
        };
        tokio::join!(drained, self.webhooks.finish(WEBHOOKS_TIMEOUT), self.timelines.finish());
        self.tracer.stop().await;
        self.tasks.iter().for_each(JoinHandle::abort);
        tracing::info!("stopped");
    }
}

/// Replicas of a cluster have one key for media nodes, which no client and no node has. Without TLS there is
/// none, and an address would prove nothing.
fn place_seal(config: &Config) -> anyhow::Result<PlaceSeal> {
    let key = config.media.key.as_ref().filter(|_| config.etcd.is_some() && !config.media.insecure);
    let Some(path) = key else { return Ok(PlaceSeal::default()) };
    let key = std::fs::read(path).with_context(|| format!("media.key = {path:?} cannot be read"))?;
    Ok(PlaceSeal::of(&Zeroizing::new(key)))
}

/// The files of certificates that are shown or trusted, by their settings.
fn certificates(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let https = config.https.as_ref().map(|files| ("https.cert", files.cert.clone()));
    let media = [("media.cert", &config.media.cert), ("media.ca", &config.media.ca)];
    let media = media.into_iter().filter(|_| !config.media.insecure);
    https.into_iter().chain(media.filter_map(|(setting, path)| Some((setting, path.clone()?)))).collect()
}

async fn listen(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{key} = {address} cannot be listened on: is something else running there?"))
}
