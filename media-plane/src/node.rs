//! Starting and stopping one media node.

#[cfg(feature = "etcd")]
use crate::cluster::Cluster;
use crate::config::Config;
use crate::fence::Fence;
use crate::health::{self, Health, WorkersState};
use crate::metrics::{self, Gauges};
use crate::rpc::{Identity, MediaNodeService, SetupMetrics, Setups, Switchboard};
use crate::worker::{self, WorkerHandle};
use crate::worker_host::{WorkerHost, WorkerThreads};
use crate::worker_pool::WorkerPool;
use anyhow::Context;
use prometheus_client::registry::Registry;
use railgun_media_core::EngineConfig;
use railgun_media_core::transport::dtls::Certificate;
use railgun_process::traces::Tracer;
use railgun_protocol::ids::BootId;
use railgun_protocol::limits::{BITRATE_HEADROOM_PERCENT, HANDSHAKES_PER_NODE};
use railgun_protocol::transport_parameters::IceCandidate;
use railgun_rpc::heartbeat;
use railgun_rpc::proto::media_node_server::MediaNodeServer;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::Connected;
use tonic::transport::{Server, ServerTlsConfig};
use tracing::info;

/// Commands of all streams that wait for the switchboard; then streams are held back.
const INPUTS_MAX: usize = 1024;
/// Notices of all workers that wait for the switchboard; then they wait in the engines.
const NOTICES_MAX: usize = 16_384;
/// Larger than any command: RTP parameters come out of a 64 KiB message of the client's.
const FRAME_BYTES_MAX: usize = 256 * 1024;
/// How long open control connections have to end when the node stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the workers' threads have.
const JOIN_TIMEOUT: Duration = Duration::from_secs(3);

/// A running media node: its workers, and the switchboard in front of them.
#[derive(Debug)]
pub struct Node {
    service: MediaNodeService,
    media_addresses: Vec<SocketAddr>,
    health: Health,
    gauges: Arc<Gauges>,
    capacity: u32,
    tracer: Tracer,
    setups: SetupMetrics,
    /// By the setting that names each.
    certificates: Vec<(&'static str, PathBuf)>,
    #[cfg(feature = "etcd")]
    cluster: Option<Cluster>,
    stop: watch::Sender<bool>,
    switchboard: JoinHandle<Vec<WorkerHandle>>,
}

impl Node {
    /// Binds the media ports and starts the workers, inside a Tokio runtime. Control-planes reach
    /// the node once [`Node::serve_rpc`] runs.
    pub fn start(config: Config) -> anyhow::Result<Self> {
        let host = WorkerThreads { reads_ecn: config.rtc.l4s };
        Self::start_on(config, host)
    }

    /// [`Node::start`] with another network below its workers, and something else than threads to run them.
    pub fn start_on(config: Config, host: impl WorkerHost) -> anyhow::Result<Self> {
        let (outbox, notices) = mpsc::channel(NOTICES_MAX);
        let certificate = Certificate::generate().context("the DTLS certificate")?;
        let gauges = Arc::<Gauges>::default();
        let fence = Arc::new(Fence::new(config.etcd.is_some()));
        let relays = Arc::new(config.rtc.relays.clone());
        let spawn = {
            let (config, gauges, fence) = (config.clone(), gauges.clone(), fence.clone());
            move |index, ports: RangeInclusive<u16>| -> anyhow::Result<(WorkerHandle, u16)> {
                let (socket, port) = host
                    .bind(config.listen_ip(), ports)
                    .with_context(|| format!("media worker {} of {}", index + 1, config.workers))?;
                info!(worker = index, port, "media worker starts");
                let engine = EngineConfig {
                    candidates: candidates(&config, port),
                    certificate: certificate.clone(),
                    dtls_version: config.dtls_version,
                    relays: relays.clone(),
                    handshakes_max: HANDSHAKES_PER_NODE.div_ceil(config.workers.max(1)),
                    bitrate_headroom_percent: BITRATE_HEADROOM_PERCENT,
                    seed: rand::random(),
                    started: (Instant::now(), SystemTime::now()),
                    tells_media_started: config.traces.is_some(),
                    speech_fec: config.rtc.speech_fec,
                    l4s: config.rtc.l4s,
                };
                let (parts, handle) =
                    worker::prepare(index, engine, outbox.clone(), gauges.next(), fence.clone());
                Ok((handle(host.run(parts, socket)?), port))
            }
        };
        let mut workers = Vec::with_capacity(config.workers);
        let mut ports = Vec::with_capacity(config.workers);
        let mut port_min = config.rtc.port_min;
        for index in 0..config.workers {
            let (worker, port) = spawn(index, port_min..=config.rtc.port_max)?;
            port_min = port.saturating_add(1);
            workers.push(worker);
            ports.push(port);
        }
        let announced = config.announced.first().copied();
        let address = |port: &u16| announced.map(|ip| SocketAddr::new(ip, *port));
        let media_addresses: Vec<SocketAddr> = ports.iter().filter_map(address).collect();
        // Clients and firewalls know the port of a worker, so that another one takes that.
        let again = move |index: usize| {
            let port = ports.get(index).copied().context("there was no such worker")?;
            spawn(index, port..=port).map(|(worker, _)| worker)
        };

        let all = WorkersState { started: workers.len(), alive: workers.len(), last_death: None };
        let (workers_out, workers_state) = watch::channel(all);
        let hosts = config.health_hosts.clone().into();
        let (stop, stopped) = watch::channel(false);
        let (inputs, input) = mpsc::channel(INPUTS_MAX);
        let boot = BootId::from_bits(rand::random());
        let identity = Identity {
            node_id: config.node_id.clone(),
            boot,
            media_addresses: media_addresses.clone(),
            lacks_relays: config.rtc.relays.is_empty(),
        };
        #[cfg(feature = "etcd")]
        let (cluster, gate) = Cluster::join(
            &config,
            boot,
            media_addresses.clone(),
            inputs.clone(),
            fence.clone(),
            (gauges.clone(), workers_state.clone()),
        )?
        .unzip();
        #[cfg(not(feature = "etcd"))]
        let gate = None;
        #[cfg(not(feature = "etcd"))]
        if config.etcd.is_some() {
            anyhow::bail!("etcd.endpoints is set, but this program was built without etcd");
        }
        let pool = WorkerPool::new(workers, Box::new(again));
        let tracer = Tracer::start(config.traces.as_ref(), "railgun-media", config.node_id.clone())
            .map_err(anyhow::Error::msg)?;
        let setups = SetupMetrics::default();
        let switchboard = Switchboard::new(pool, workers_out)
            .with_gate(gate)
            .with_setups(Setups::new(tracer.clone(), setups.clone()));
        let switchboard = switchboard.run(input, notices, stopped.clone());
        Ok(Self {
            service: MediaNodeService::new(identity, gauges.clone(), inputs),
            media_addresses,
            health: Health {
                workers: workers_state,
                stop: stopped,
                fence,
                hosts,
                #[cfg(feature = "etcd")]
                etcd: cluster.as_ref().map(|cluster| cluster.store().health().clone()),
            },
            gauges,
            capacity: config.capacity,
            tracer,
            setups,
            certificates: config
                .rpc
                .tls
                .as_ref()
                .map(|files| vec![("tls.cert", files.cert.clone()), ("tls.ca", files.ca.clone())])
                .unwrap_or_default(),
            #[cfg(feature = "etcd")]
            cluster,
            stop,
            switchboard: tokio::spawn(switchboard),
        })
    }

    /// Shows what this node does wherever `registry` is scraped.
    pub fn register_metrics(&self, registry: &mut Registry) {
        metrics::register(self.gauges.clone(), self.capacity, registry);
        self.setups.register(registry);
    }

    /// What clients are told to send to, by worker.
    pub fn media_addresses(&self) -> &[SocketAddr] {
        &self.media_addresses
    }

    /// Serves control-planes on these connections until the node stops. With `tls`, whoever
    /// connects must show a certificate; without, the connections must be trusted already.
    pub fn serve_rpc<I, IO>(
        &self,
        incoming: I,
        tls: Option<ServerTlsConfig>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send + use<I, IO>
    where
        I: Stream<Item = std::io::Result<IO>> + Send + 'static,
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let service = MediaNodeServer::new(self.service.clone()).max_decoding_message_size(FRAME_BYTES_MAX);
        let mut stop = self.health.stop.clone();
        let mut drained = stop.clone();
        async move {
            let mut server = Server::builder()
                .http2_keepalive_interval(Some(heartbeat::PING_INTERVAL))
                .http2_keepalive_timeout(Some(heartbeat::NODE_TIMEOUT));
            if let Some(tls) = tls {
                server = server.tls_config(tls).context("tls.cert, tls.key or tls.ca")?;
            }
            let stopped = async move { _ = stop.wait_for(|stop| *stop).await };
            // tonic ends its connections when no more can come in; ours may outlive the listener.
            let incoming = incoming.chain(tokio_stream::pending());
            let serving = server.add_service(service).serve_with_incoming_shutdown(incoming, stopped);
            let overdue = async move {
                let _ = drained.wait_for(|stop| *stop).await;
                tokio::time::sleep(DRAIN_TIMEOUT).await;
            };
            tokio::select! {
                result = serving => result.context("the control link"),
                () = overdue => Ok(()),
            }
        }
    }

    /// Serves `/healthz`, `/readyz` and `/metrics` until the node stops.
    pub fn serve_health(
        &self,
        listener: TcpListener,
    ) -> impl Future<Output = anyhow::Result<()>> + Send + use<> {
        let mut stop = self.health.stop.clone();
        let mut registry = Registry::default();
        self.register_metrics(&mut registry);
        railgun_process::metrics::register(&mut registry);
        railgun_tls::register_ends(&mut registry, self.certificates.clone());
        #[cfg(feature = "etcd")]
        if let Some(cluster) = &self.cluster {
            cluster.store().register_metrics(registry.sub_registry_with_prefix("railgun_media"));
        }
        let app = health::router(self.health.clone(), registry);
        async move {
            tokio::select! {
                result = axum::serve(listener, app) => result.context("the health listener"),
                _ = stop.wait_for(|stop| *stop) => Ok(()),
            }
        }
    }

    /// Returns if this node cannot begin, since another one that lives has its `node_id`; never otherwise.
    pub fn refused(&mut self) -> impl Future<Output = ()> + Send + use<> {
        #[cfg(feature = "etcd")]
        let refused = self.cluster.as_mut().map(Cluster::refused);
        #[cfg(not(feature = "etcd"))]
        let refused: Option<std::future::Ready<()>> = None;
        async move {
            match refused {
                Some(refused) => refused.await,
                None => std::future::pending().await,
            }
        }
    }

    /// Moves this node's rooms to others, if there are any, before it is stopped; takes up to 20 s.
    pub async fn drain(&self) {
        #[cfg(feature = "etcd")]
        if let Some(cluster) = &self.cluster {
            cluster.drain().await;
        }
    }

    /// Ends control streams and workers. Takes under 5 s; calls in progress end.
    pub async fn stop(self) {
        // Rooms are free to be bound elsewhere before their people hear that they are gone.
        #[cfg(feature = "etcd")]
        if let Some(cluster) = self.cluster {
            cluster.leave().await;
        }
        let _ = self.stop.send(true);
        let Ok(workers) = self.switchboard.await else { return };
        let joins: Vec<_> = workers.into_iter().filter_map(WorkerHandle::tell_to_stop).collect();
        if !joins.is_empty() {
            let join = tokio::task::spawn_blocking(|| joins.into_iter().for_each(|join| join()));
            if tokio::time::timeout(JOIN_TIMEOUT, join).await.is_err() {
                tracing::warn!("a media worker did not end in time");
            }
        }
        self.tracer.stop().await;
        info!("media node stopped");
    }
}

fn candidates(config: &Config, port: u16) -> Vec<IceCandidate> {
    let indexed = (0..).zip(&config.announced);
    indexed.map(|(index, address)| IceCandidate::udp_host(*address, port, index)).collect()
}
