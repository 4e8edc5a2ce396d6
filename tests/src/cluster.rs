//! A whole cluster under test: etcd, replicas of the control-plane, media nodes, and HAProxy.

use crate::cut::Cut;
use crate::http;
use crate::process::{Directory, Process, run};
use crate::system::{any_number_of_joins, mint};
use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};
use railgun_client::{Client, ClientConfig, Identity};
use railgun_etcd::Store;
use railgun_etcd::testing::{EtcdServer, EtcdTls, free_address};
use railgun_protocol::directory::{RoomRecord, decode};
use railgun_protocol::ids::{ChannelId, NodeId};
use railgun_protocol::plan::Tier;
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The token that operators show.
const OPERATOR: &str = "operator";
const PROXY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a cluster is made of.
#[derive(Clone, Copy, Debug)]
pub struct ClusterOptions {
    pub replicas: usize,
    pub nodes: usize,
    pub etcd_members: usize,
    /// etcd wants certificates and a password.
    pub is_secured: bool,
    /// Joins are limited as the contract says, and not left to the tests.
    pub limits_joins: bool,
    /// Bytes that etcd's database may have; none: etcd's own quota. With one member alone.
    pub etcd_quota: Option<u64>,
    /// By how many seconds each replica's clock is ahead; those without a number are right.
    pub clocks_ahead: &'static [i64],
    /// The control links of nodes can be cut.
    pub has_cuts: bool,
    /// Certificates of nodes name their addresses alone, and no node.
    pub nodes_are_unnamed: bool,
    /// Each replica keeps timelines in a folder of its own, and asks the others for theirs.
    pub keeps_calls: bool,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            replicas: 1,
            nodes: 1,
            etcd_members: 1,
            is_secured: false,
            limits_joins: false,
            etcd_quota: None,
            clocks_ahead: &[],
            has_cuts: false,
            nodes_are_unnamed: false,
            keeps_calls: false,
        }
    }
}

/// Everything of it ends with this value. Rooms that are made by joining are of the Free tier.
#[derive(Debug)]
pub struct Cluster {
    proxy: Option<Proxy>,
    replicas: Vec<Replica>,
    nodes: Vec<Option<Process>>,
    /// Where each node says how it is.
    health: Vec<SocketAddr>,
    /// The ways to the nodes, if they can be cut.
    cuts: Vec<Cut>,
    /// Ask it anything; kill it and start it again.
    pub etcd: EtcdServer,
    limits_joins: bool,
    keeps_calls: bool,
    clocks_ahead: &'static [i64],
    key: PathBuf,
    tokens: Mutex<HashMap<String, String>>,
    /// One key pair for all clients: making one takes longer than joining.
    identity: Arc<Identity>,
    directory: Directory,
}

#[derive(Debug)]
struct Replica {
    address: SocketAddr,
    operators: SocketAddr,
    /// None: killed or stopped.
    process: Option<Process>,
    /// Which connections to each node it made at its start, where these can be cut.
    connections: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Proxy {
    address: SocketAddr,
    child: Child,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Cluster {
    /// Starts so many replicas and nodes, and waits until rooms can be opened.
    pub async fn start(replicas: usize, nodes: usize) -> Result<Self> {
        Self::start_with(ClusterOptions { replicas, nodes, ..ClusterOptions::default() }).await
    }

    /// The same, of other parts.
    pub async fn start_with(options: ClusterOptions) -> Result<Self> {
        let directory = Directory::create()?;
        let path = directory.path().to_owned();
        let certs = path.join("certs");
        let certs = certs.to_string_lossy();
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        if !options.nodes_are_unnamed {
            names.extend((0..options.nodes).map(|index| Self::node_id(index).to_string()));
        }
        let mut make_certs = vec!["certs", "--out", &certs];
        make_certs.extend(names.iter().flat_map(|name| ["--node-san", name]));
        run(&make_certs)?;
        let key = path.join("token.key");
        mint(&key, "nobody", Tier::Free)?;
        fs::write(path.join("operators.toml"), operators_file())?;
        let tls = options.is_secured.then(|| {
            let pair = |role| {
                let file = |kind| path.join(format!("certs/{role}.{kind}"));
                (file("pem"), file("key"))
            };
            EtcdTls { ca: path.join("certs/ca.pem"), server: pair("media"), client: pair("control") }
        });
        let mut etcd = match options.etcd_quota {
            Some(bytes) => EtcdServer::start_with_quota(bytes).await,
            None => EtcdServer::start_with(options.etcd_members, tls).await,
        }
        .context("etcd")?;
        if options.is_secured {
            etcd.require_password("railgun", "no secret").await?;
        }
        let mut cluster = Self {
            proxy: None,
            replicas: Vec::new(),
            nodes: Vec::new(),
            health: Vec::new(),
            cuts: Vec::new(),
            etcd,
            limits_joins: options.limits_joins,
            keeps_calls: options.keeps_calls,
            clocks_ahead: options.clocks_ahead,
            key,
            tokens: Mutex::default(),
            identity: Arc::new(Identity::generate()?),
            directory,
        };
        for index in 0..options.nodes {
            if options.has_cuts {
                cluster.cuts.push(Cut::start(free_address()?).await?);
            }
            cluster.start_node(index).await?;
        }
        for _ in 0..options.replicas {
            let (address, operators) = (free_address()?, free_address()?);
            cluster.replicas.push(Replica { address, operators, process: None, connections: Vec::new() });
        }
        for index in 0..options.replicas {
            let before: Vec<usize> = cluster.cuts.iter().map(Cut::made).collect();
            cluster.start_replica(index).await?;
            cluster.reaches_all_nodes(index, before).await?;
        }
        Ok(cluster)
    }

    fn certificates(&self, role: &str, prefix: &'static str) -> [(String, String); 3] {
        let files =
            [("CA", "ca.pem".to_owned()), ("CERT", format!("{role}.pem")), ("KEY", format!("{role}.key"))];
        let folder = self.directory.path().join("certs");
        files.map(|(key, file)| (format!("{prefix}_{key}"), folder.join(file).to_string_lossy().into_owned()))
    }

    /// How a process of ours reaches etcd.
    fn etcd_settings(&self) -> Vec<(&'static str, String)> {
        let settings = self.etcd.settings();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut found = vec![("RAILGUN_ETCD_ENDPOINTS", settings.endpoints.join(","))];
        found.extend(settings.ca.map(|ca| ("RAILGUN_ETCD_CA", text(ca))));
        if let Some((cert, key)) = settings.identity {
            found.extend([("RAILGUN_ETCD_CERT", text(cert)), ("RAILGUN_ETCD_KEY", text(key))]);
        }
        if let Some((user, file)) = settings.user {
            found.extend([("RAILGUN_ETCD_USER", user), ("RAILGUN_ETCD_PASSWORD_FILE", text(file))]);
        }
        found
    }

    /// Starts a node that was not started yet, or was killed.
    pub async fn start_node(&mut self, index: usize) -> Result<()> {
        let (mut node, health) = self.spawn_node(index, &format!("media-{index}"))?;
        node.ready(health).await?;
        if index == self.nodes.len() {
            self.nodes.push(None);
            self.health.push(health);
        }
        *self.health.get_mut(index).context("no such node")? = health;
        let place = self.nodes.get_mut(index).context("no such node")?;
        *place = Some(node);
        Ok(())
    }

    /// Starts another process under the name of a node, which has to end by itself; gives its log.
    pub async fn start_rival(&self, index: usize) -> Result<String> {
        let (rival, _) = self.spawn_node(index, &format!("rival-{index}"))?;
        rival.refused().await
    }

    /// The process, and where its health is.
    fn spawn_node(&self, index: usize, label: &str) -> Result<(Process, SocketAddr)> {
        let cut = self.cuts.get(index);
        let rpc = cut.map_or_else(free_address, |cut| Ok(cut.target()))?;
        let (health, known) = (free_address()?, cut.map_or(rpc, Cut::address));
        let certificates = self.certificates("media", "RAILGUN_TLS");
        let mut settings: Vec<_> =
            certificates.iter().map(|(key, file)| (key.as_str(), file.clone())).collect();
        settings.extend([
            ("RAILGUN_NODE_ID", Self::node_id(index).to_string()),
            ("RAILGUN_RPC_LISTEN", rpc.to_string()),
            ("RAILGUN_RPC_ADDRESS", known.to_string()),
            ("RAILGUN_HEALTH_LISTEN", health.to_string()),
            ("RAILGUN_WORKERS", "1".to_owned()),
        ]);
        settings.extend(self.etcd_settings());
        let node = Process::start_as("railgun-media", label, self.directory.path(), &[], &settings)?;
        Ok((node, health))
    }

    /// Waits until a replica that was just started has a link to every node, and notes which
    /// connections those are.
    async fn reaches_all_nodes(&mut self, index: usize, before: Vec<usize>) -> Result<()> {
        let until = Instant::now() + PROXY_TIMEOUT;
        while self.cuts.iter().zip(&before).any(|(cut, before)| cut.made() == *before) {
            if Instant::now() > until {
                bail!("a replica does not connect to every node");
            }
            sleep(Duration::from_millis(20)).await;
        }
        let replica = self.replicas.get_mut(index).context("no such replica")?;
        replica.connections = self.cuts.iter().zip(before).map(|(cut, before)| before..cut.made()).collect();
        Ok(())
    }

    /// Cuts the way to a node for every replica, or for all but one. Its media goes on.
    ///
    /// # Errors
    /// If the cluster was not started with [`ClusterOptions::has_cuts`].
    pub fn cut(&self, node: usize, except: Option<usize>) -> Result<()> {
        let replica =
            except.map(|replica| self.replicas.get(replica).context("no such replica")).transpose()?;
        let spared = replica.map(|replica| replica.connections.get(node).cloned().context("no such node"));
        self.cuts.get(node).context("no such cut")?.spare(Some(spared.transpose()?.unwrap_or(0..0)));
        Ok(())
    }

    /// Ends [`Self::cut`].
    pub fn heal(&self, node: usize) -> Result<()> {
        self.cuts.get(node).context("no such cut")?.spare(None);
        Ok(())
    }

    /// Starts a replica that was killed or stopped, where it was.
    pub async fn start_replica(&mut self, index: usize) -> Result<()> {
        self.launch_replica(index)?;
        let replica = self.replicas.get_mut(index).context("no such replica")?;
        let process = replica.process.as_mut().context("no such replica")?;
        process.ready(replica.address).await
    }

    /// The same, whether it becomes ready or not.
    pub fn launch_replica(&mut self, index: usize) -> Result<()> {
        let path = self.directory.path();
        let in_directory = |name: &str| path.join(name).to_string_lossy().into_owned();
        let certificates = self.certificates("control", "RAILGUN_MEDIA");
        let etcd = self.etcd_settings();
        let others = self.replicas.iter().enumerate().filter(|(other, _)| *other != index);
        let peers: Vec<_> = others.map(|(_, other)| format!("http://{}/", other.operators)).collect();
        let replica = self.replicas.get_mut(index).context("no such replica")?;
        let mut settings: Vec<_> =
            certificates.iter().map(|(key, file)| (key.as_str(), file.clone())).collect();
        settings.extend([
            ("RAILGUN_LISTEN", replica.address.to_string()),
            ("RAILGUN_OPERATORS_LISTEN", replica.operators.to_string()),
            ("RAILGUN_OPERATORS_TOKENS", in_directory("operators.toml")),
            ("RAILGUN_AUTH_JWKS", in_directory("token.jwks.json")),
            ("RAILGUN_CHANNELS_CREATE_ON_JOIN", "true".to_owned()),
            ("RAILGUN_CHANNELS_DEFAULT_TIER", "free".to_owned()),
        ]);
        settings.extend(etcd);
        if self.keeps_calls {
            settings.push(("RAILGUN_CALLS_DIR", in_directory(&format!("calls-{index}"))));
            settings.push(("RAILGUN_CALLS_PEERS", peers.join(",")));
        }
        if !self.limits_joins {
            settings.extend(any_number_of_joins());
        }
        if let Some(seconds) = self.clocks_ahead.get(index).filter(|seconds| **seconds != 0) {
            settings.extend(clock_ahead(*seconds)?);
        }
        let label = format!("control-{index}");
        replica.process = Some(Process::start_as("railgun-control", &label, path, &["serve"], &settings)?);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill_replica(&mut self, index: usize) {
        if let Some(replica) = self.replicas.get_mut(index) {
            replica.process = None;
        }
    }

    /// SIGTERM; returns when it has ended.
    pub async fn stop_replica(&mut self, index: usize) -> Result<()> {
        let replica = self.replicas.get_mut(index).and_then(|replica| replica.process.take());
        replica.context("no such replica")?.stop().await
    }

    /// Writes a record, or drains a node, through the operators' API of one replica.
    pub async fn write_record(&self, replica: usize, path: &str, record: &Value) -> Result<()> {
        let operators = self.replicas.get(replica).context("no such replica")?.operators;
        let bearer = format!("Bearer {OPERATOR}");
        let headers = [("Authorization", bearer.as_str())];
        let answer = http::exchange(operators, "PUT", path, &headers, &record.to_string()).await?;
        if answer.status != 204 {
            bail!("{path}: {} {}", answer.status, answer.body);
        }
        Ok(())
    }

    /// What a replica's operators' API answers to a GET.
    pub async fn read_record(&self, replica: usize, path: &str) -> Result<Value> {
        let operators = self.operators(replica)?;
        let bearer = format!("Bearer {OPERATOR}");
        let headers = [("Authorization", bearer.as_str())];
        let answer = http::exchange(operators, "GET", path, &headers, "").await?;
        if answer.status != 200 {
            bail!("{path}: {} {}", answer.status, answer.body);
        }
        Ok(serde_json::from_str(&answer.body)?)
    }

    /// Where a replica's operators' listener is.
    pub fn operators(&self, replica: usize) -> Result<SocketAddr> {
        Ok(self.replicas.get(replica).context("no such replica")?.operators)
    }

    /// Kills HAProxy; [`Self::start_proxy`] starts it again where it was.
    pub fn kill_proxy(&mut self) {
        if let Some(proxy) = &mut self.proxy {
            _ = proxy.child.kill();
            _ = proxy.child.wait();
        }
    }

    /// Puts HAProxy, with the configuration that the project ships, before the replicas.
    pub async fn start_proxy(&mut self) -> Result<()> {
        let address = self.proxy.as_ref().map_or_else(free_address, |proxy| Ok(proxy.address))?;
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/cluster/haproxy.cfg");
        let mut command = Command::new("haproxy");
        command.arg("-f").arg(template).env("RAILGUN_PROXY", address.to_string());
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        for (number, replica) in (1..).zip(&self.replicas) {
            command.env(format!("RAILGUN_REPLICA_{number}"), replica.address.to_string());
        }
        let log = fs::File::create(self.directory.path().join("haproxy.log"))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        self.proxy = Some(Proxy { address, child: child.context("haproxy does not start")? });
        let until = Instant::now() + PROXY_TIMEOUT;
        while !matches!(http::request(address, "GET", "/readyz", "").await, Ok((200, _))) {
            if Instant::now() > until {
                let log = fs::read_to_string(self.directory.path().join("haproxy.log"));
                bail!("HAProxy does not pass requests on: {}", log.unwrap_or_default());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Where HAProxy listens.
    ///
    /// # Panics
    /// If it was not started.
    pub fn proxy(&self) -> SocketAddr {
        self.proxy.as_ref().expect("start_proxy comes first").address
    }

    pub fn node_id(index: usize) -> NodeId {
        NodeId::new(format!("media-{index}")).expect("a short name")
    }

    fn node(&self, index: usize) -> Result<&Process> {
        self.nodes.get(index).and_then(Option::as_ref).context("no such node")
    }

    /// SIGKILL.
    pub fn kill_node(&mut self, index: usize) {
        if let Some(node) = self.nodes.get_mut(index) {
            *node = None;
        }
    }

    /// SIGTERM; returns when it has ended.
    pub async fn stop_node(&mut self, index: usize) -> Result<()> {
        let node = self.nodes.get_mut(index).and_then(Option::take);
        node.context("no such node")?.stop().await
    }

    /// SIGSTOP.
    pub fn pause_node(&self, index: usize) -> Result<()> {
        self.node(index)?.signal("STOP")
    }

    /// SIGCONT.
    pub fn resume_node(&self, index: usize) -> Result<()> {
        self.node(index)?.signal("CONT")
    }

    pub fn store(&self) -> Store {
        self.etcd.store()
    }

    /// Which node the channel's room is bound to, and under which epoch.
    pub async fn room(&self, channel: &str) -> Result<Option<(NodeId, u64)>> {
        let store = self.store();
        let Some(entry) = store.read(&store.keys().room(&ChannelId::new(channel)?)).await? else {
            return Ok(None);
        };
        let record: RoomRecord = decode(&entry.value).context("no room record")?;
        Ok(Some((record.node, entry.epoch())))
    }

    /// Status of a replica's `/readyz`.
    pub async fn readiness(&self, replica: usize) -> Result<u16> {
        self.status(replica, "/readyz").await
    }

    /// Status of a replica's `/healthz`, as a load balancer asks for it.
    pub async fn health(&self, replica: usize) -> Result<u16> {
        self.status(replica, "/healthz").await
    }

    async fn status(&self, replica: usize, path: &str) -> Result<u16> {
        let address = self.replicas.get(replica).context("no such replica")?.address;
        Ok(http::request(address, "GET", path, "").await?.0)
    }

    /// Status and words of a node's `/readyz`.
    pub async fn node_readiness(&self, node: usize) -> Result<(u16, String)> {
        let health = *self.health.get(node).context("no such node")?;
        http::request(health, "GET", "/readyz", "").await
    }

    /// Status and words of a replica's `/readyz`.
    pub async fn readiness_words(&self, replica: usize) -> Result<(u16, String)> {
        let address = self.replicas.get(replica).context("no such replica")?.address;
        http::request(address, "GET", "/readyz", "").await
    }

    /// All that a replica shows to a scrape.
    pub async fn scrape(&self, replica: usize) -> Result<String> {
        let operators = self.replicas.get(replica).context("no such replica")?.operators;
        Ok(http::request(operators, "GET", "/metrics", "").await?.1)
    }

    /// All that a node shows to one.
    pub async fn scrape_node(&self, node: usize) -> Result<String> {
        let health = *self.health.get(node).context("no such node")?;
        Ok(http::request(health, "GET", "/metrics", "").await?.1)
    }

    /// A sample that a replica shows to a scrape, by its name with its labels.
    pub async fn sample(&self, replica: usize, name: &str) -> Result<f64> {
        let scraped = self.scrape(replica).await?;
        let line = scraped.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no {name} in {scraped}"))?.parse()?)
    }

    /// What a replica has logged.
    pub fn replica_log(&self, replica: usize) -> Result<String> {
        let replica = self.replicas.get(replica).context("no such replica")?;
        replica.process.as_ref().context("it does not run")?.log()
    }

    /// What a node has logged.
    pub fn node_log(&self, node: usize) -> Result<String> {
        self.node(node)?.log()
    }

    pub fn url(&self, replica: usize) -> String {
        self.replicas.get(replica).map_or_else(String::new, |replica| format!("http://{}", replica.address))
    }

    /// A token of this user, made once.
    pub fn token(&self, user: &str) -> Result<String> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = tokens.get(user) {
            return Ok(token.clone());
        }
        let token = mint(&self.key, user, Tier::Pro)?;
        tokens.insert(user.into(), token.clone());
        Ok(token)
    }

    /// A token of this user, who is Pro until then (Unix seconds).
    pub fn token_until(&self, user: &str, pro_until: u64) -> Result<String> {
        let (key, until) = (self.key.to_string_lossy(), pro_until.to_string());
        run(&["token", "--user", user, "--tier", "pro", "--pro-until", &until, "--key", &key])
    }

    /// A client of this user, connected to one replica.
    pub async fn client(&self, user: &str, replica: usize) -> Result<Client> {
        self.client_at(user, &self.url(replica)).await
    }

    /// A client of this user on this device, connected to one replica.
    pub async fn client_on(&self, user: &str, replica: usize, device: &str) -> Result<Client> {
        let url = self.url(replica);
        Ok(Client::connect_with(self.config(), &url, &self.token(user)?, Some(device)).await?)
    }

    /// A client of this user that speaks to HAProxy by HTTP long-polling.
    pub async fn polling_client(&self, user: &str) -> Result<Client> {
        let config = ClientConfig { polling: true, ..self.config() };
        let url = format!("http://{}", self.proxy());
        Ok(Client::connect_with(config, &url, &self.token(user)?, None).await?)
    }

    fn config(&self) -> ClientConfig {
        ClientConfig { identity: Some(self.identity.clone()), ..ClientConfig::default() }
    }

    /// A client of this user, connected to this URL.
    pub async fn client_at(&self, user: &str, url: &str) -> Result<Client> {
        Ok(Client::connect_with(self.config(), url, &self.token(user)?, None).await?)
    }
}

/// Environment of a process whose wall clock is ahead by so many seconds; its monotonic one is right.
fn clock_ahead(seconds: i64) -> Result<[(&'static str, String); 3]> {
    let folders = fs::read_dir("/usr/lib")?.filter_map(|folder| Some(folder.ok()?.path()));
    let library =
        folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file());
    let library = library.context("faketime is not installed: tests/setup/install-test-tools.sh does it")?;
    Ok([
        ("LD_PRELOAD", library.to_string_lossy().into_owned()),
        ("FAKETIME", format!("{seconds:+}s")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
    ])
}

/// One operator, who may write every record.
fn operators_file() -> String {
    let sha256 = hex::encode(digest(&SHA256, OPERATOR.as_bytes()));
    let scopes = r#"["channels:write", "bans:write", "entitlements:write", "nodes:write", "calls:read"]"#;
    format!("[[token]]\nname = \"root\"\nsha256 = \"{sha256}\"\nscopes = {scopes}\n")
}
