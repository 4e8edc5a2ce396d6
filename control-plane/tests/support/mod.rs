//! A control-plane on loopback, a media node that only plays one, and a socket.io client.
pub(crate) mod client;
pub(crate) mod node;
pub(crate) mod operators;

use client::Client;
use node::FakeNode;
use prometheus_client::registry::Registry;
use railgun_control::auth::{Claims, JwksSource, LocalKey};
use railgun_control::{Config, Control, DevMode, JoinLimits, MediaNodes};
use railgun_etcd::Store;
use railgun_protocol::directory::{NodeRecord, NodeState, encode};
use railgun_protocol::ids::{NodeId, UserId};
use railgun_protocol::plan::Tier;
use railgun_settings::EtcdSettings;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tonic::transport::Endpoint;

/// Of every control-plane here in development mode.
pub(crate) const DEV_SECRET: &str = "the-secret-of-these-tests";

/// Development mode, unless there are keys.
fn dev_mode(config: &Config) -> Option<DevMode> {
    config.auth.jwks.is_none().then(|| DevMode::new(Some(DEV_SECRET.into())).unwrap())
}

pub(crate) struct Harness {
    pub(crate) node: FakeNode,
    pub(crate) address: SocketAddr,
    pub(crate) operators: SocketAddr,
    control: Option<Control>,
}

impl Harness {
    /// Users may join as often as they like.
    pub(crate) async fn start() -> Self {
        Self::start_with(|config| config.joins = JoinLimits { per_minute: 10_000, cooldown: 0 }).await
    }

    pub(crate) async fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        Self::start_at(FakeNode::start().await, configure).await
    }

    /// Another replica with the same node.
    pub(crate) async fn start_beside(other: &Self) -> Self {
        Self::start_beside_with(other, |_| {}).await
    }

    pub(crate) async fn start_beside_with(other: &Self, configure: impl FnOnce(&mut Config)) -> Self {
        let joins = JoinLimits { per_minute: 10_000, cooldown: 0 };
        Self::start_at(other.node.clone(), |config| {
            config.joins = joins;
            configure(config);
        })
        .await
    }

    async fn start_at(node: FakeNode, configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::standalone();
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.operators.listen = Some(config.listen);
        configure(&mut config);
        let channel = Endpoint::from_shared(format!("http://{}", node.address)).unwrap().connect_lazy();
        let dev = dev_mode(&config);
        let control = Control::start(config, channel, dev, Registry::default()).await.unwrap();
        let (address, operators) = (control.local_addr(), control.operators_addr().unwrap());
        let harness = Self { node, address, operators, control: Some(control) };
        harness.until_ready(true).await;
        harness
    }

    /// A replica that finds this node through etcd.
    pub(crate) async fn in_cluster(node: FakeNode, etcd: EtcdSettings) -> Self {
        Self::in_cluster_with(node, etcd, |_| {}).await
    }

    pub(crate) async fn in_cluster_with(
        node: FakeNode,
        etcd: EtcdSettings,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config::standalone();
        configure(&mut config);
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.operators.listen = Some(config.listen);
        config.media.insecure = true;
        config.etcd = Some(etcd);
        config.joins = JoinLimits { per_minute: 10_000, cooldown: 0 };
        let nodes = MediaNodes::of(&config).unwrap();
        let dev = dev_mode(&config);
        let control = Control::start(config, nodes, dev, Registry::default()).await.unwrap();
        let (address, operators) = (control.local_addr(), control.operators_addr().unwrap());
        let harness = Self { node, address, operators, control: Some(control) };
        harness.until_ready(true).await;
        harness
    }

    pub(crate) async fn until_ready(&self, ready: bool) {
        let wanted = if ready { 200 } else { 503 };
        for _ in 0..500 {
            if http(self.address, "GET", "/readyz", &[], "").await.status == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("/readyz never answered {wanted}");
    }

    pub(crate) async fn token(&self, user: &str, tier: &str) -> String {
        let host = self.address.to_string();
        let headers = [("Host", host.as_str()), ("Content-Type", "application/json")];
        let wanted = json!({"userId": user, "tier": tier, "name": user, "secret": DEV_SECRET}).to_string();
        let response = http(self.address, "POST", "/dev/token", &headers, &wanted).await;
        let body: Value = serde_json::from_str(&response.body).unwrap();
        body["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn client(&self, user: &str, tier: &str) -> Client {
        let token = self.token(user, tier).await;
        Client::connect(self.address, json!({"token": token})).await.unwrap()
    }

    /// A client that says what else is in its `auth`.
    pub(crate) async fn client_with(&self, user: &str, more: Value) -> Client {
        let mut auth = more;
        auth["token"] = self.token(user, "pro").await.into();
        Client::connect(self.address, auth).await.unwrap()
    }

    pub(crate) async fn stop(mut self) {
        self.control.take().unwrap().stop().await;
    }
}

/// A key of the users' issuer, and the file that a control-plane reads it from.
pub(crate) struct Issuer {
    key: LocalKey,
    path: PathBuf,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("railgun-issuer-{:x}.json", rand::random::<u64>()));
        let key = LocalKey::generate().unwrap();
        std::fs::write(&path, json!({"keys": [key.jwk()]}).to_string()).unwrap();
        Self { key, path }
    }

    pub(crate) fn jwks(&self) -> Option<JwksSource> {
        Some(JwksSource::File(self.path.clone()))
    }

    /// A Pro token that is good for ten minutes, but for what `change` does to it.
    pub(crate) fn token(&self, user: &str, change: impl FnOnce(&mut Claims)) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = Claims {
            sub: UserId::new(user).unwrap(),
            iat: now,
            exp: now + 600,
            nbf: None,
            aud: None,
            iss: None,
            tier: Tier::Pro,
            pro_until: None,
            name: None,
            avatar: None,
            region: None,
            privacy_mode: false,
        };
        change(&mut claims);
        self.key.mint(&claims).unwrap()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.path);
    }
}

impl FakeNode {
    /// Has replicas find it, under a lease that outlives any test.
    pub(crate) async fn register(&self, store: &Store) {
        self.register_as("fake", store).await;
    }

    /// The same under another name, beside which there are others.
    pub(crate) async fn register_as(&self, name: &str, store: &Store) {
        let lease = store.grant(Duration::from_secs(600)).await.unwrap();
        let record = NodeRecord {
            boot_id: self.boot_id(),
            lease,
            rpc_address: self.address.to_string(),
            media_addresses: Vec::new(),
            region: None,
            state: NodeState::Serving,
            version: "0".into(),
            capacity: 1000,
            end_to_end: self.encrypts(),
        };
        let key = store.keys().node(&NodeId::new(name).unwrap());
        store.put(&key, &encode(&record), Some(lease)).await.unwrap();
    }
}

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A number that is scraped from the operators' listener.
pub(crate) async fn scraped(harness: &Harness, line: &str) -> usize {
    let text = http(harness.operators, "GET", "/metrics", &[], "").await.body;
    let value = text.lines().find_map(|of| of.strip_prefix(line)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Until so few connections are open.
pub(crate) async fn until_connections(harness: &Harness, most: usize, within: Duration) -> bool {
    let until = tokio::time::Instant::now() + within;
    while scraped(harness, "railgun_control_tcp_connections").await > most {
        if tokio::time::Instant::now() > until {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// A connection from this address of loopback, on which that was sent.
pub(crate) async fn raw(from: [u8; 4], to: SocketAddr, sent: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream
}

/// The request that opens a WebSocket, with this header.
pub(crate) fn opening(header: &str) -> String {
    format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         {header}\r\n"
    )
}

/// As a client sends it: masked, here by zeroes.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(text.len()).unwrap() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

/// What comes until this is in it; None: the end came first.
pub(crate) async fn read_until(stream: &mut TcpStream, wanted: &str) -> Option<String> {
    let mut read = Vec::new();
    loop {
        match stream.read_buf(&mut read).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&read);
        if text.contains(wanted) {
            return Some(text.into());
        }
    }
}

/// Whether the connection ends in that time.
pub(crate) async fn ends(stream: &mut TcpStream, within: Duration) -> bool {
    let mut read = [0; 4096];
    let ended = async { while stream.read(&mut read).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(within, ended).await.is_ok()
}

/// One HTTP/1.1 request with exactly these headers, besides those of its framing.
pub(crate) async fn http(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response { status, head: head.to_ascii_lowercase(), body: body.into() }
}
