//! Every setting of the control-plane: its key, its default, and what is allowed.
//! `railgun_settings` says where settings come from.

use crate::auth::JwksSource;
use crate::policy::avatars::AvatarHosts;
use crate::policy::join_history::JoinLimits;
use crate::turn::{TTL_MAX, TTL_MIN, TurnConfig, TurnUrl};
use ipnet::IpNet;
use railgun_process::logging::LogFormat;
use railgun_protocol::ids::ChannelId;
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Encryption;
use railgun_protocol::signal::{IceServer, IceTransportPolicy, RtcConfig};
use railgun_settings::{EtcdSettings, Program, Settings, SettingsError, Sources, TraceSettings};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Config {
    /// `listen`: where the page and the signaling are served.
    pub listen: SocketAddr,
    /// `https.cert`, `https.key`: PEM files; none: plain HTTP.
    pub https: Option<HttpsFiles>,
    pub operators: OperatorsConfig,
    pub webhooks: WebhooksConfig,
    pub calls: CallsConfig,
    /// `trusted_proxies`: load balancers before us, as addresses or networks. What they say of a client's
    /// address (`X-Forwarded-For`, or the PROXY protocol) is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// `sockets_per_address`: connections and sockets of one address (IPv6: /64) that have not shown a
    /// good token.
    pub sockets_per_address: usize,
    /// `cors_origins`: origins other than our own whose pages may talk to us.
    pub cors_origins: Vec<String>,
    /// `avatar_hosts`: hosts other than the page's own that pictures of people may come from.
    pub avatars: AvatarHosts,
    /// `page.upgrade_url`: where "Get Pro" on the page leads; unset, nowhere.
    pub upgrade_url: Option<reqwest::Url>,
    pub auth: AuthConfig,
    pub channels: ChannelsConfig,
    pub joins: JoinLimits,
    pub media: MediaConfig,
    /// `etcd.*`: where replicas and nodes find each other; none: there is one of each.
    pub etcd: Option<EtcdSettings>,
    /// `rtc.ice_servers`, `rtc.ice_transport_policy`: handed to clients as they are.
    pub rtc: RtcConfig,
    /// `rtc.ccfb`: the router's capabilities have congestion control feedback (RFC 8888).
    pub offers_ccfb: bool,
    /// `rtc.sfu_endpoint`: what clients are told; unset, the node's first media address.
    pub sfu_endpoint: Option<String>,
    pub turn: TurnConfig,
    /// `networks`: the file of networks whose region and kind are known.
    pub networks: Option<PathBuf>,
    /// `log.format`
    pub log_format: LogFormat,
    /// `traces`: where traces of joins go; none: nowhere.
    pub traces: Option<TraceSettings>,
}

/// What HTTPS on the public listener is served with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Where room events are told to; unset, nowhere.
#[derive(Clone, Debug, Default)]
pub struct WebhooksConfig {
    /// `webhooks.url`
    pub url: Option<reqwest::Url>,
    /// `webhooks.secret_file`: holds `whsec_` and the secret in base64, as Standard Webhooks write it.
    pub secret_file: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct OperatorsConfig {
    /// `operators.listen`: where `/healthz`, `/readyz`, `/metrics` and the API are served; none: nowhere.
    pub listen: Option<SocketAddr>,
    /// `operators.hosts`: names at which `/metrics` and `/joins` are asked for, besides addresses and
    /// names that only a private network resolves.
    pub hosts: Vec<String>,
    /// `operators.tokens`: the file of tokens for the API; unset, there is no API.
    pub tokens: Option<PathBuf>,
    /// `operators.audit`: the file that says who changed what, a line of JSON for each.
    pub audit: Option<PathBuf>,
}

/// How timelines of calls are kept for operators.
#[derive(Clone, Debug)]
pub struct CallsConfig {
    /// `calls.dir`: this replica's own folder; none: nothing is kept.
    pub folder: Option<PathBuf>,
    /// `calls.keep_hours`
    pub keep: Duration,
    /// `calls.megabytes_max`: of all files together, in bytes.
    pub bytes_max: u64,
    /// `calls.users`: user ids are kept, and not session ids alone.
    pub users: bool,
    /// `calls.peers`: operators' listeners of the other replicas.
    pub peers: Vec<reqwest::Url>,
}

#[derive(Clone, Debug, Default)]
pub struct AuthConfig {
    /// `auth.jwks`: the public keys (RFC 7517) that users' tokens are signed with, as a file or URL.
    pub jwks: Option<JwksSource>,
    /// `auth.audience`, `auth.issuer`: if set, a token's `aud` and `iss` must be these.
    pub audience: Option<String>,
    pub issuer: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct ChannelsConfig {
    /// `channels.create_on_join`: whether a channel that nobody created is made when joined.
    pub create_on_join: bool,
    /// `channels.default_tier`: the tier of a channel so made.
    pub default_tier: Tier,
    /// `channels.default_encryption`: how a channel so made is encrypted.
    pub default_encryption: Encryption,
    /// `channels.dm_encryption`: how a DM is encrypted that is created without a word of it.
    pub dm_encryption: Encryption,
    /// `channels.preset`: channels that exist from the start.
    pub preset: BTreeMap<ChannelId, Tier>,
}

/// How media nodes are reached when they are processes of their own.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// `media.url`: where the only node is; with etcd, nodes say so themselves.
    pub url: String,
    /// `media.ca`, `media.cert`, `media.key`: PEM files for mutual TLS.
    pub ca: Option<PathBuf>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// `media.insecure`: plain text, to nodes on loopback only.
    pub insecure: bool,
    /// `media.near`: for each region, the regions that take its rooms when it has no room, the nearest first.
    pub near: BTreeMap<String, Vec<String>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            https: None,
            operators: OperatorsConfig {
                listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8081))),
                hosts: Vec::new(),
                tokens: None,
                audit: None,
            },
            webhooks: WebhooksConfig::default(),
            calls: CallsConfig {
                folder: None,
                keep: Duration::from_secs(72 * 3600),
                bytes_max: 512 * MEGABYTE,
                users: false,
                peers: Vec::new(),
            },
            trusted_proxies: Vec::new(),
            sockets_per_address: 200,
            cors_origins: Vec::new(),
            avatars: AvatarHosts::default(),
            upgrade_url: None,
            auth: AuthConfig::default(),
            channels: ChannelsConfig {
                default_tier: Tier::Pro,
                dm_encryption: Encryption::EndToEnd,
                ..ChannelsConfig::default()
            },
            joins: JoinLimits::default(),
            media: MediaConfig::default(),
            etcd: None,
            rtc: RtcConfig { ice_servers: Vec::new(), ice_transport_policy: IceTransportPolicy::All },
            offers_ccfb: false,
            sfu_endpoint: None,
            turn: TurnConfig::default(),
            networks: None,
            log_format: LogFormat::default(),
            traces: None,
        }
    }
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            url: "https://127.0.0.1:50051".into(),
            ca: None,
            cert: None,
            key: None,
            insecure: false,
            near: BTreeMap::new(),
        }
    }
}

const MEGABYTE: u64 = 1_000_000;
const ENCRYPTIONS: [(&str, Encryption); 2] =
    [("transport", Encryption::Transport), ("endToEnd", Encryption::EndToEnd)];
const TIERS: [(&str, Tier); 2] = [("free", Tier::Free), ("pro", Tier::Pro)];
const POLICIES: [(&str, IceTransportPolicy); 2] =
    [("all", IceTransportPolicy::All), ("relay", IceTransportPolicy::Relay)];

impl Config {
    /// The defaults of both planes in one process: any channel can be joined.
    pub fn standalone() -> Self {
        let channels = ChannelsConfig { create_on_join: true, ..Self::default().channels };
        Self { channels, ..Self::default() }
    }

    /// This configuration with whatever `sources` set put over it.
    pub fn with(self, sources: &Sources<'_>) -> Result<Self, SettingsError> {
        let settings = Settings::gather(&Program::Control.keys(), &[], sources)?;
        let path = |key| settings.text(key).map(|found| found.map(PathBuf::from));
        Ok(Self {
            listen: settings
                .parsed("listen", "an address and port such as 127.0.0.1:8080")?
                .unwrap_or(self.listen),
            https: https(&settings)?.or(self.https),
            operators: OperatorsConfig {
                listen: settings
                    .parsed_or_off("operators.listen", "an address and port such as 127.0.0.1:8081, or off")?
                    .unwrap_or(self.operators.listen),
                hosts: settings
                    .parsed_list("operators.hosts", "a list of names such as metrics.example.com")?
                    .unwrap_or(self.operators.hosts),
                tokens: path("operators.tokens")?.or(self.operators.tokens),
                audit: path("operators.audit")?.or(self.operators.audit),
            },
            webhooks: WebhooksConfig {
                url: webhooks_url(&settings)?.or(self.webhooks.url),
                secret_file: path("webhooks.secret_file")?.or(self.webhooks.secret_file),
            },
            calls: calls(&settings, self.calls)?,
            trusted_proxies: proxies(&settings)?.unwrap_or(self.trusted_proxies),
            sockets_per_address: settings
                .parsed::<NonZero<usize>>("sockets_per_address", "a number of sockets, at least 1")?
                .map_or(self.sockets_per_address, NonZero::get),
            cors_origins: origins(&settings)?.unwrap_or(self.cors_origins),
            avatars: avatars(&settings)?.unwrap_or(self.avatars),
            upgrade_url: upgrade_url(&settings)?.or(self.upgrade_url),
            auth: AuthConfig {
                jwks: jwks(&settings)?.or(self.auth.jwks),
                audience: settings.text("auth.audience")?.or(self.auth.audience),
                issuer: settings.text("auth.issuer")?.or(self.auth.issuer),
            },
            channels: ChannelsConfig {
                create_on_join: settings
                    .parsed("channels.create_on_join", "true or false")?
                    .unwrap_or(self.channels.create_on_join),
                default_tier: settings
                    .one_of("channels.default_tier", &TIERS)?
                    .unwrap_or(self.channels.default_tier),
                default_encryption: settings
                    .one_of("channels.default_encryption", &ENCRYPTIONS)?
                    .unwrap_or(self.channels.default_encryption),
                dm_encryption: settings
                    .one_of("channels.dm_encryption", &ENCRYPTIONS)?
                    .unwrap_or(self.channels.dm_encryption),
                preset: settings
                    .read("channels.preset", "a table of channels, each \"free\" or \"pro\"")?
                    .unwrap_or(self.channels.preset),
            },
            joins: JoinLimits {
                per_minute: settings
                    .parsed("joins.per_minute", "a number of joins")?
                    .unwrap_or(self.joins.per_minute),
                cooldown: settings.parsed("joins.cooldown", "milliseconds")?.unwrap_or(self.joins.cooldown),
            },
            media: MediaConfig {
                url: media_url(&settings)?.unwrap_or(self.media.url),
                ca: path("media.ca")?.or(self.media.ca),
                cert: path("media.cert")?.or(self.media.cert),
                key: path("media.key")?.or(self.media.key),
                insecure: settings.parsed("media.insecure", "true or false")?.unwrap_or(self.media.insecure),
                near: settings
                    .read("media.near", "a table of regions, each with a list of regions")?
                    .unwrap_or(self.media.near),
            },
            etcd: EtcdSettings::read(&settings)?.or(self.etcd),
            rtc: RtcConfig {
                ice_servers: settings
                    .read::<Vec<IceServer>>("rtc.ice_servers", "tables of urls, username and credential")?
                    .unwrap_or(self.rtc.ice_servers),
                ice_transport_policy: settings
                    .one_of("rtc.ice_transport_policy", &POLICIES)?
                    .unwrap_or(self.rtc.ice_transport_policy),
            },
            offers_ccfb: settings.parsed("rtc.ccfb", "true or false")?.unwrap_or(self.offers_ccfb),
            sfu_endpoint: settings.text("rtc.sfu_endpoint")?.or(self.sfu_endpoint),
            turn: turn(&settings, self.turn)?,
            networks: path("networks")?.or(self.networks),
            log_format: settings.one_of("log.format", &LogFormat::NAMED)?.unwrap_or(self.log_format),
            traces: TraceSettings::read(&settings)?.or(self.traces),
        })
    }
}

fn https(settings: &Settings) -> Result<Option<HttpsFiles>, SettingsError> {
    let path = |key| settings.text(key).map(|found| found.map(PathBuf::from));
    match (path("https.cert")?, path("https.key")?) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => Ok(Some(HttpsFiles { cert, key })),
        (None, Some(_)) => Err(settings.wrong("https.cert", "a PEM file: it goes with https.key")),
        (Some(_), None) => Err(settings.wrong("https.key", "a PEM file: it goes with https.cert")),
    }
}

fn calls(settings: &Settings, before: CallsConfig) -> Result<CallsConfig, SettingsError> {
    let allowed = "a list of URLs such as http://10.0.0.2:8081/";
    let peers = settings.parsed_list::<reqwest::Url>("calls.peers", allowed)?.unwrap_or(before.peers);
    if peers.iter().any(|url| !matches!(url.scheme(), "http" | "https")) {
        return Err(settings.wrong("calls.peers", allowed));
    }
    let keep = settings.parsed::<NonZero<u32>>("calls.keep_hours", "a number of hours, at least 1")?;
    let megabytes = settings.parsed::<NonZero<u32>>("calls.megabytes_max", "megabytes, at least 1")?;
    Ok(CallsConfig {
        folder: settings.text("calls.dir")?.map(PathBuf::from).or(before.folder),
        keep: keep.map_or(before.keep, |hours| Duration::from_secs(3600 * u64::from(hours.get()))),
        bytes_max: megabytes.map_or(before.bytes_max, |of| MEGABYTE * u64::from(of.get())),
        users: settings.parsed("calls.users", "true or false")?.unwrap_or(before.users),
        peers,
    })
}

fn jwks(settings: &Settings) -> Result<Option<JwksSource>, SettingsError> {
    let Some(source) = settings.text("auth.jwks")? else { return Ok(None) };
    let allowed = "a file, or an https:// URL (http:// on loopback only)";
    source.parse().map(Some).map_err(|_| settings.wrong("auth.jwks", allowed))
}

fn webhooks_url(settings: &Settings) -> Result<Option<reqwest::Url>, SettingsError> {
    http_url(settings, "webhooks.url", "a URL such as https://app.example.com/hooks")
}

fn upgrade_url(settings: &Settings) -> Result<Option<reqwest::Url>, SettingsError> {
    http_url(settings, "page.upgrade_url", "a URL such as https://app.example.com/pro")
}

fn http_url(
    settings: &Settings,
    key: &'static str,
    allowed: &str,
) -> Result<Option<reqwest::Url>, SettingsError> {
    let url: Option<reqwest::Url> = settings.parsed(key, allowed)?;
    match url.as_ref().map(reqwest::Url::scheme) {
        None | Some("http" | "https") => Ok(url),
        Some(_) => Err(settings.wrong(key, allowed)),
    }
}

fn media_url(settings: &Settings) -> Result<Option<String>, SettingsError> {
    let Some(url) = settings.text("media.url")? else { return Ok(None) };
    let scheme = url.parse::<axum::http::Uri>().ok().and_then(|uri| uri.scheme_str().map(String::from));
    match scheme.as_deref() {
        Some("http" | "https") => Ok(Some(url)),
        _ => Err(settings.wrong("media.url", "an URL such as https://media-1.example.com:50051")),
    }
}

fn turn(settings: &Settings, before: TurnConfig) -> Result<TurnConfig, SettingsError> {
    let urls = "URLs such as turn:relay.example.com:3478?transport=udp, turns:… and stun:…";
    let allowed_ttl = format!("seconds from {} to {}", TTL_MIN.as_secs(), TTL_MAX.as_secs());
    let config = TurnConfig {
        urls: settings.parsed_list("turn.urls", urls)?.unwrap_or(before.urls),
        secrets_file: settings.text("turn.secrets_file")?.map(PathBuf::from).or(before.secrets_file),
        ttl: settings.parsed("turn.ttl", &allowed_ttl)?.map_or(before.ttl, Duration::from_secs),
    };
    if !(TTL_MIN..=TTL_MAX).contains(&config.ttl) {
        return Err(settings.wrong("turn.ttl", &allowed_ttl));
    }
    // A relay without credentials would be anybody's; secrets without one are a slip.
    match (config.urls.iter().any(TurnUrl::is_relay), config.secrets_file.is_some()) {
        (true, false) => {
            Err(settings.wrong("turn.secrets_file", "the file of the secret that the relays have"))
        }
        (false, true) => Err(settings.wrong("turn.urls", urls)),
        _ => Ok(config),
    }
}

fn proxies(settings: &Settings) -> Result<Option<Vec<IpNet>>, SettingsError> {
    let allowed = "a list of addresses and networks such as 10.0.0.7 and 10.1.0.0/16";
    let Some(listed) = settings.parsed_list::<String>("trusted_proxies", allowed)? else { return Ok(None) };
    let read = |text: &String| text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let read: Option<Vec<IpNet>> = listed.iter().map(read).collect();
    read.map(Some).ok_or_else(|| settings.wrong("trusted_proxies", allowed))
}

fn avatars(settings: &Settings) -> Result<Option<AvatarHosts>, SettingsError> {
    let allowed = "a list of hosts such as cdn.example.com and cdn.example.com:8443";
    let Some(hosts) = settings.parsed_list::<String>("avatar_hosts", allowed)? else { return Ok(None) };
    let read = AvatarHosts::of(&hosts).ok_or_else(|| settings.wrong("avatar_hosts", allowed))?;
    Ok(Some(read))
}

fn origins(settings: &Settings) -> Result<Option<Vec<String>>, SettingsError> {
    let allowed = "a list of origins such as https://app.example.com";
    let Some(origins) = settings.parsed_list("cors_origins", allowed)? else { return Ok(None) };
    let fits = |origin: &String| {
        let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        rest.is_some_and(|host| !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && b != b'/'))
    };
    if origins.iter().all(fits) { Ok(Some(origins)) } else { Err(settings.wrong("cors_origins", allowed)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(
        file: &str,
        env: &[(&str, &str)],
        flags: &[(&'static str, &str)],
    ) -> Result<Config, SettingsError> {
        let env: BTreeMap<_, _> = env.iter().copied().collect();
        Config::default().with(&Sources {
            file: file.parse().unwrap(),
            env: &|name| env.get(name).map(|value| (*value).to_owned()),
            flags: flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
        })
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file() {
        let file = "listen = \"127.0.0.1:1\"";
        let env = [("RAILGUN_LISTEN", "127.0.0.1:2")];
        assert_eq!(load(file, &[], &[]).unwrap().listen.port(), 1);
        assert_eq!(load(file, &env, &[]).unwrap().listen.port(), 2);
        assert_eq!(load(file, &env, &[("listen", "127.0.0.1:3")]).unwrap().listen.port(), 3);
        assert_eq!(load("", &[], &[]).unwrap().listen.port(), 8080);
    }

    #[test]
    fn what_the_table_says_holds_unset_does() {
        let defaults = Program::Control.settings().into_iter().filter_map(|of| match of.default {
            railgun_settings::Unset::Is(value) => Some(format!("{} = {value}\n", of.key)),
            railgun_settings::Unset::Means(_) => None,
        });
        let file: String = defaults.collect();
        let (given, unset) = (load(&file, &[], &[]).unwrap(), Config::default());
        assert_eq!(format!("{given:?}"), format!("{unset:?}"));
    }

    #[test]
    fn each_sample_of_the_table_is_taken() {
        let samples =
            Program::Control.settings().into_iter().map(|of| format!("{} = {}\n", of.key, of.sample()));
        let config = load(&samples.collect::<String>(), &[], &[]).unwrap();
        assert!(config.https.is_some() && config.etcd.is_some());
    }

    #[test]
    fn every_setting_is_read_from_the_file() {
        let file = r#"
            listen = "0.0.0.0:80"
            networks = "networks.txt"
            cors_origins = ["https://app.example.com"]
            page.upgrade_url = "https://app.example.com/pro"
            trusted_proxies = ["10.0.0.7", "2001:db8::/32"]
            sockets_per_address = 50
            [auth]
            jwks = "/etc/jwks.json"
            audience = "a"
            issuer = "i"
            [channels]
            create_on_join = true
            default_tier = "free"
            default_encryption = "endToEnd"
            dm_encryption = "transport"
            preset = { lobby = "pro" }
            [media]
            url = "http://127.0.0.1:5000"
            ca = "ca.pem"
            cert = "c.pem"
            key = "k.pem"
            insecure = true
            near = { eu = ["us-east", "us-west"] }
            [rtc]
            ice_servers = [{ urls = ["stun:stun.example.com"] }]
            ice_transport_policy = "relay"
            ccfb = true
            sfu_endpoint = "sfu"
            [turn]
            urls = ["turn:relay.example.com", "stun:relay.example.com"]
            secrets_file = "turn.secrets"
            ttl = 3600
            [operators]
            listen = "off"
        "#;
        let config = load(file, &[], &[]).unwrap();
        assert_eq!(config.operators.listen, None);
        assert_eq!(config.networks, Some("networks.txt".into()));
        assert_eq!(config.cors_origins, ["https://app.example.com"]);
        assert_eq!(config.upgrade_url.unwrap().as_str(), "https://app.example.com/pro");
        assert!(config.trusted_proxies[0].contains(&IpAddr::from([10, 0, 0, 7])));
        assert_eq!(
            (config.trusted_proxies[0].prefix_len(), config.trusted_proxies[1].prefix_len()),
            (32, 32)
        );
        assert_eq!(config.sockets_per_address, 50);
        assert_eq!(config.auth.audience.as_deref(), Some("a"));
        assert_eq!(config.media.near["eu"], ["us-east", "us-west"]);
        assert_eq!(config.channels.preset[&ChannelId::new("lobby").unwrap()], Tier::Pro);
        assert_eq!(config.channels.default_tier, Tier::Free);
        assert_eq!(config.channels.dm_encryption, Encryption::Transport);
        assert_eq!(config.channels.default_encryption, Encryption::EndToEnd);
        assert!(config.channels.create_on_join && config.media.insecure);
        assert_eq!(config.rtc.ice_servers[0].urls, ["stun:stun.example.com"]);
        assert_eq!(config.rtc.ice_transport_policy, IceTransportPolicy::Relay);
        assert!(config.turn.urls[0].is_relay() && !config.turn.urls[1].is_relay());
        assert_eq!(config.turn.secrets_file, Some("turn.secrets".into()));
        assert_eq!(config.turn.ttl.as_secs(), 3600);
        assert!(config.offers_ccfb);
        assert_eq!(config.sfu_endpoint.as_deref(), Some("sfu"));
    }

    #[test]
    fn a_wrong_value_is_told_with_its_key_and_what_is_allowed() {
        let cases = [
            ("listen = \"here\"", "listen", "127.0.0.1:8080"),
            ("listen = 80", "listen", "127.0.0.1:8080"),
            ("operators.listen = \"on\"", "operators.listen", "127.0.0.1:8081, or off"),
            ("avatar_hosts = [\"*\"]", "avatar_hosts", "cdn.example.com"),
            ("cors_origins = [\"*\"]", "cors_origins", "https://app.example.com"),
            ("page.upgrade_url = \"javascript:alert(1)\"", "page.upgrade_url", "https://app.example.com/pro"),
            ("channels.default_tier = \"gold\"", "channels.default_tier", "free, pro"),
            ("channels.dm_encryption = \"none\"", "channels.dm_encryption", "transport, endToEnd"),
            ("channels.preset = { a = \"gold\" }", "channels.preset", "\"free\" or \"pro\""),
            ("channels.create_on_join = \"maybe\"", "channels.create_on_join", "true or false"),
            ("media.url = \"ftp://x\"", "media.url", "https://"),
            ("rtc.ice_transport_policy = \"none\"", "rtc.ice_transport_policy", "all, relay"),
            ("rtc.ccfb = \"often\"", "rtc.ccfb", "true or false"),
            ("turn.urls = [\"relay.example.com\"]", "turn.urls", "turn:relay.example.com:3478?transport=udp"),
            ("turn.urls = [\"turn:relay.example.com\"]", "turn.secrets_file", "the file of the secret"),
            ("turn.secrets_file = \"f\"", "turn.urls", "turns:"),
            ("turn.ttl = 86401", "turn.ttl", "60 to 86400"),
            ("turn.ttl = 0", "turn.ttl", "60 to 86400"),
            ("auth.jwks = 3", "auth.jwks", "a text"),
            ("auth.jwks = \"http://issuer.example.com/keys\"", "auth.jwks", "https://"),
            ("trusted_proxies = [\"lb\"]", "trusted_proxies", "10.1.0.0/16"),
            ("sockets_per_address = 0", "sockets_per_address", "at least 1"),
            ("calls.keep_hours = 0", "calls.keep_hours", "at least 1"),
            ("calls.peers = [\"file:///etc\"]", "calls.peers", "http://10.0.0.2:8081/"),
            ("joins.cooldown = \"soon\"", "joins.cooldown", "milliseconds"),
        ];
        for (file, key, allowed) in cases {
            let told = load(file, &[], &[]).unwrap_err().to_string();
            assert!(told.starts_with(&format!("{key} = ")) && told.contains(allowed), "{file}: {told}");
        }
        let told = load("", &[("RAILGUN_MEDIA_INSECURE", "yes")], &[]).unwrap_err().to_string();
        assert_eq!(
            told,
            "media.insecure = \"yes\" (from RAILGUN_MEDIA_INSECURE) is not allowed: give true or false"
        );
    }

    #[test]
    fn a_key_that_does_not_exist_is_told() {
        for (file, key) in
            [("lisen = 1", "lisen"), ("[auth]\njwk = \"a\"", "auth.jwk"), ("[nod]\na = 1", "nod.a")]
        {
            let told = load(file, &[], &[]).unwrap_err().to_string();
            assert!(told.starts_with(&format!("{key} is not a setting")), "{told}");
        }
    }
}
