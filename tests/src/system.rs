//! A whole system under test, and people in it.

use crate::http;
use crate::process::{Directory, MediaNode, Process, run};
use crate::relay::{NODE, RELAY, Relay};
use anyhow::{Context, Result, bail};
use railgun_client::{Client, Joined, Transport, TransportDirection};
use railgun_etcd::testing::free_address;
use railgun_protocol::plan::Tier;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A channel of the Free tier; every other name is made on first join with the Pro tier.
pub const FREE_CHANNEL: &str = "free-channel";
/// Of standalone servers in development mode.
/// What development tokens are given for by the servers of [`System`].
pub const DEV_SECRET: &str = "the-secret-of-these-tests";

/// Both planes, in one process or in two.
#[derive(Debug)]
pub struct System {
    address: SocketAddr,
    tokens: Tokens,
    // In this order: the control-plane goes before its node, the directory last.
    _control: Process,
    media: Option<MediaNode>,
    _directory: Directory,
}

#[derive(Debug)]
enum Tokens {
    /// `POST /dev/token`
    Endpoint,
    /// `railgun-control token` with this key.
    Key(PathBuf),
}

impl System {
    /// `railgun`: both planes in one process.
    pub async fn standalone() -> Result<Self> {
        Self::standalone_with(&[]).await
    }

    /// The same, whose channels are encrypted end to end.
    pub async fn encrypted() -> Result<Self> {
        Self::standalone_with(&[end_to_end()]).await
    }

    async fn standalone_with(more: &[(&str, String)]) -> Result<Self> {
        let directory = Directory::create()?;
        let config = write_config(directory.path(), "control.channels")?;
        let address = free_address()?;
        let [per_minute, cooldown] = any_number_of_joins();
        let settings = [
            ("RAILGUN_LISTEN", address.to_string()),
            ("RAILGUN_OPERATORS_LISTEN", "off".to_owned()),
            ("RAILGUN_DEV_SECRET", DEV_SECRET.to_owned()),
            ("RAILGUN_WORKERS", "2".to_owned()),
            per_minute,
            cooldown,
        ];
        let settings: Vec<_> = settings.iter().chain(more).cloned().collect();
        let mut control =
            Process::start("railgun", directory.path(), &["--dev", "--config", &config], &settings)?;
        control.ready(address).await?;
        Ok(Self { address, tokens: Tokens::Endpoint, _control: control, media: None, _directory: directory })
    }

    /// `railgun-control` and `railgun-media` with mutual TLS between them.
    pub async fn two_processes() -> Result<Self> {
        Self::two_processes_with(&[], &[]).await
    }

    /// The same, whose channels are encrypted end to end.
    pub async fn two_processes_encrypted() -> Result<Self> {
        Self::two_processes_with(&[], &[end_to_end()]).await
    }

    /// The same, which send traces to this OTLP receiver, soon.
    pub async fn two_processes_traced(endpoint: &str) -> Result<Self> {
        let soon = ("OTEL_BSP_SCHEDULE_DELAY", "200".to_owned());
        Self::two_processes_with(&[("RAILGUN_TRACES_ENDPOINT", endpoint.to_owned()), soon], &[]).await
    }

    /// `more`: settings of both programs; `of_control`: of the control-plane alone.
    async fn two_processes_with(
        more: &[(&'static str, String)],
        of_control: &[(&'static str, String)],
    ) -> Result<Self> {
        let directory = Directory::create()?;
        let path = directory.path();
        let in_directory = |name: &str| path.join(name).to_string_lossy().into_owned();
        run(&["certs", "--out", &in_directory("certs")])?;
        let certificates = |role: &str, prefix: &str| {
            [("CA", "ca.pem".to_owned()), ("CERT", format!("{role}.pem")), ("KEY", format!("{role}.key"))]
                .map(|(key, file)| (format!("{prefix}_{key}"), in_directory(&format!("certs/{file}"))))
        };
        let of_media = certificates("media", "RAILGUN_TLS");
        let of_media = of_media.iter().map(|(key, file)| (key.as_str(), file.clone()));
        let of_media: Vec<_> = of_media.chain(more.iter().cloned()).collect();
        let media = MediaNode::start_in(path, &of_media).await?;

        let key = path.join("token.key");
        mint(&key, "nobody", Tier::Free)?;
        let config = write_config(path, "channels")?;
        let address = free_address()?;
        let tls = certificates("control", "RAILGUN_MEDIA");
        let mut settings: Vec<_> = tls.iter().map(|(key, file)| (key.as_str(), file.clone())).collect();
        settings.extend([
            ("RAILGUN_LISTEN", address.to_string()),
            ("RAILGUN_OPERATORS_LISTEN", "off".to_owned()),
            ("RAILGUN_MEDIA_URL", format!("https://{}", media.rpc)),
            ("RAILGUN_AUTH_JWKS", in_directory("token.jwks.json")),
            ("RAILGUN_CHANNELS_CREATE_ON_JOIN", "true".to_owned()),
        ]);
        settings.extend(any_number_of_joins());
        settings.extend(more.iter().chain(of_control).cloned());
        let mut control =
            Process::start("railgun-control", path, &["serve", "--config", &config], &settings)?;
        control.ready(address).await?;
        let tokens = Tokens::Key(key);
        Ok(Self { address, tokens, _control: control, media: Some(media), _directory: directory })
    }

    /// `railgun` on the node's host of `relay`, for clients on the client's host.
    pub async fn behind(relay: &Relay) -> Result<Self> {
        let directory = Directory::create()?;
        let key = directory.path().join("token.key");
        mint(&key, "nobody", Tier::Free)?;
        let in_directory = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
        let address = SocketAddr::from((NODE, 8080));
        let settings = [
            ("RAILGUN_LISTEN", address.to_string()),
            ("RAILGUN_OPERATORS_LISTEN", SocketAddr::from((NODE, 8081)).to_string()),
            ("RAILGUN_ANNOUNCED_ADDRESS", NODE.to_string()),
            ("RAILGUN_AUTH_JWKS", in_directory("token.jwks.json")),
            ("RAILGUN_RTC_RELAYS", RELAY.to_string()),
            (
                "RAILGUN_TURN_URLS",
                format!("turns:{RELAY}:443?transport=tcp,turn:{RELAY}:3478?transport=udp,stun:{RELAY}:3478"),
            ),
            (
                "RAILGUN_TURN_SECRETS_FILE",
                relay.directory().join("turn.secrets").to_string_lossy().into_owned(),
            ),
        ];
        let start = || Process::start("railgun", directory.path(), &[], &settings);
        let mut control = relay.link().on("node", start)?;
        control.ready(address).await?;
        let tokens = Tokens::Key(key);
        Ok(Self { address, tokens, _control: control, media: None, _directory: directory })
    }

    /// Kills the media node of one of two processes, and starts it anew.
    pub async fn restart_node(&mut self) -> Result<()> {
        self.media.as_mut().context("the node is in the same process")?.restart().await
    }

    /// What operators of a system that is [`Self::behind`] a relay scrape.
    pub async fn metrics(&self) -> Result<String> {
        let (_, body) = http::request((NODE, 8081).into(), "GET", "/metrics", "").await?;
        Ok(body)
    }

    /// A token for this user, who is in privacy mode.
    pub fn private_token(&self, user: &str) -> Result<String> {
        let Tokens::Key(key) = &self.tokens else { bail!("tokens come from an endpoint") };
        run(&["token", "--user", user, "--privacy-mode", "--key", &key.to_string_lossy()])
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A token for this user.
    pub async fn token(&self, user: &str, tier: Tier) -> Result<String> {
        match &self.tokens {
            Tokens::Key(key) => mint(key, user, tier),
            Tokens::Endpoint => {
                let wanted = json!({ "userId": user, "tier": tier, "secret": DEV_SECRET }).to_string();
                let (status, body) = http::request(self.address, "POST", "/dev/token", &wanted).await?;
                if status != 200 {
                    bail!("/dev/token answered {status}: {body}");
                }
                let answer: Value = serde_json::from_str(&body)?;
                Ok(answer["token"].as_str().context("/dev/token gave no token")?.to_owned())
            }
        }
    }

    /// A connected client of this user.
    pub async fn client(&self, user: &str, tier: Tier, device: Option<&str>) -> Result<Client> {
        let token = self.token(user, tier).await?;
        Ok(Client::connect(&self.url(), &token, device).await?)
    }

    /// A client that has joined `channel` and has both transports, unconnected.
    pub async fn member(&self, user: &str, tier: Tier, channel: &str) -> Result<Member> {
        Member::join(self.client(user, tier, None).await?, channel).await
    }
}

/// Somebody in a channel with a transport each way.
#[derive(Debug)]
pub struct Member {
    pub client: Client,
    pub joined: Joined,
    pub sending: Transport,
    pub receiving: Transport,
}

impl Member {
    pub async fn join(client: Client, channel: &str) -> Result<Self> {
        let joined = client.join(channel).await?;
        Self::of(client, joined).await
    }

    /// Of a client that has joined.
    pub async fn of(client: Client, joined: Joined) -> Result<Self> {
        let sending = client.create_transport(TransportDirection::Send).await?;
        let receiving = client.create_transport(TransportDirection::Recv).await?;
        Ok(Self { client, joined, sending, receiving })
    }
}

/// `section`: where the file of this binary has its channels.
fn write_config(directory: &Path, section: &str) -> Result<String> {
    let path = directory.join("railgun.toml");
    fs::write(&path, format!("[{section}]\npreset = {{ {FREE_CHANNEL} = \"free\" }}\n"))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Of channels that no record says otherwise of.
fn end_to_end() -> (&'static str, String) {
    ("RAILGUN_CHANNELS_DEFAULT_ENCRYPTION", "endToEnd".to_owned())
}

/// Tests join as often as they like; the limits have tests of their own.
pub(crate) fn any_number_of_joins() -> [(&'static str, String); 2] {
    [("RAILGUN_JOINS_PER_MINUTE", "0".to_owned()), ("RAILGUN_JOINS_COOLDOWN", "0".to_owned())]
}

pub(crate) fn mint(key: &Path, user: &str, tier: Tier) -> Result<String> {
    let tier = if tier == Tier::Pro { "pro" } else { "free" };
    run(&["token", "--user", user, "--tier", tier, "--key", &key.to_string_lossy()])
}
