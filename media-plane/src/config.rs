//! Every setting of a media node: its key, its default, and what is allowed.
//! `railgun_settings` says where settings come from.

use railgun_media_core::transport::dtls::DtlsVersion;
use railgun_media_core::transport::ice_lite::{Network, Relays};
use railgun_process::logging::LogFormat;
use railgun_protocol::ids::NodeId;
use railgun_protocol::limits::{RTC_PORT_MAX, RTC_PORT_MIN};
use railgun_settings::{EtcdSettings, Program, Settings, SettingsError, Sources, TraceSettings};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// Threads that are started when `workers` is not set, however many processors there are.
const WORKERS_DEFAULT_MAX: usize = 4;
const WORKERS_MAX: usize = 64;
const CAPACITY_DEFAULT: u32 = 2000;
const ANNOUNCED_MAX: usize = 8;
/// What operators of mediasoup have set already.
const ALIASES: [(&str, &str); 1] = [("announced_address", "MEDIASOUP_ANNOUNCED_IP")];

#[derive(Clone, Debug)]
pub struct Config {
    /// `node_id`; unset, the host's name, so that nodes on hosts of their own need none.
    pub node_id: String,
    /// `announced_address`: what clients are told to send to, best first.
    pub announced: Vec<IpAddr>,
    /// `workers`: threads, each with a port and rooms of its own.
    pub workers: usize,
    /// `dtls_version`
    pub dtls_version: DtlsVersion,
    pub rtc: RtcConfig,
    pub rpc: RpcConfig,
    /// `etcd.*`; none: this node is alone.
    pub etcd: Option<EtcdSettings>,
    /// `region`: channels of people there come here first.
    pub region: Option<String>,
    /// `capacity`: sessions after which other nodes are preferred.
    pub capacity: u32,
    /// `health.listen`: where `/healthz`, `/readyz` and `/metrics` are served.
    pub health_listen: SocketAddr,
    /// `health.hosts`: names at which `/metrics` is asked for, besides addresses and names that only a
    /// private network resolves.
    pub health_hosts: Vec<String>,
    /// `log.format`
    pub log_format: LogFormat,
    /// `traces`: where traces of joins go; none: nowhere.
    pub traces: Option<TraceSettings>,
}

#[derive(Clone, Debug)]
pub struct RtcConfig {
    /// `rtc.listen_ip`. Unset: the loopback address if only loopback is announced (an answer from
    /// another address than the announced one would be no answer), else every address.
    pub listen_ip: Option<IpAddr>,
    /// `rtc.port_min`, `rtc.port_max`: each worker takes the first free UDP port.
    pub port_min: u16,
    pub port_max: u16,
    /// `rtc.relays`: the TURN relays' addresses, the only ones that sessions in privacy mode may
    /// come from.
    pub relays: Relays,
    /// `rtc.speech_fec`: publishers of microphones are told what their receivers lose, so that they add Opus in-band FEC.
    pub speech_fec: bool,
    /// `rtc.l4s`: receivers that report ECN marks are sent ECT(1), and marks on what comes are read and told to who sent it.
    pub l4s: bool,
}

/// Where control-planes connect, when they are other processes.
#[derive(Clone, Debug)]
pub struct RpcConfig {
    /// `rpc.listen`
    pub listen: SocketAddr,
    /// `rpc.address`: the host and port that etcd tells control-planes; unset, `rpc.listen`.
    pub address: Option<String>,
    /// `rpc.insecure`: plain text, on loopback only.
    pub insecure: bool,
    /// `tls.ca`, `tls.cert`, `tls.key`
    pub tls: Option<TlsFiles>,
}

/// PEM files. Whoever connects must show a certificate signed by `ca`.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            node_id: host_name().unwrap_or_else(|| "media-1".into()),
            announced: vec![Ipv4Addr::LOCALHOST.into()],
            workers: processors.min(WORKERS_DEFAULT_MAX),
            dtls_version: DtlsVersion::default(),
            rtc: RtcConfig {
                listen_ip: None,
                port_min: RTC_PORT_MIN,
                port_max: RTC_PORT_MAX,
                relays: Relays::default(),
                speech_fec: true,
                l4s: false,
            },
            rpc: RpcConfig {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50_051)),
                address: None,
                insecure: false,
                tls: None,
            },
            etcd: None,
            region: None,
            capacity: CAPACITY_DEFAULT,
            health_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50_052)),
            health_hosts: Vec::new(),
            log_format: LogFormat::default(),
            traces: None,
        }
    }
}

const ADDRESS: &str = "an address and port such as 127.0.0.1:50051";
const VERSIONS: [(&str, DtlsVersion); 3] =
    [("1.2", DtlsVersion::Dtls12), ("1.3", DtlsVersion::Dtls13), ("auto", DtlsVersion::Auto)];

impl Config {
    /// This configuration with whatever `sources` set put over it.
    pub fn with(self, sources: &Sources<'_>) -> Result<Self, SettingsError> {
        let settings = Settings::gather(&Program::Media.keys(), &ALIASES, sources)?;
        let config = Self {
            node_id: node_id(&settings)?.unwrap_or(self.node_id),
            announced: settings.parsed_list("announced_address", ANNOUNCED)?.unwrap_or(self.announced),
            workers: settings.parsed("workers", WORKERS)?.unwrap_or(self.workers),
            dtls_version: settings.one_of("dtls_version", &VERSIONS)?.unwrap_or(self.dtls_version),
            rtc: RtcConfig {
                listen_ip: settings
                    .parsed("rtc.listen_ip", "an IP address such as 0.0.0.0 or ::")?
                    .or(self.rtc.listen_ip),
                port_min: settings.parsed("rtc.port_min", PORT)?.unwrap_or(self.rtc.port_min),
                port_max: settings.parsed("rtc.port_max", PORT)?.unwrap_or(self.rtc.port_max),
                relays: relays(&settings)?.unwrap_or(self.rtc.relays),
                speech_fec: settings
                    .parsed("rtc.speech_fec", "true or false")?
                    .unwrap_or(self.rtc.speech_fec),
                l4s: settings.parsed("rtc.l4s", "true or false")?.unwrap_or(self.rtc.l4s),
            },
            rpc: RpcConfig {
                listen: settings.parsed("rpc.listen", ADDRESS)?.unwrap_or(self.rpc.listen),
                address: settings.text("rpc.address")?.or(self.rpc.address),
                insecure: settings.parsed("rpc.insecure", "true or false")?.unwrap_or(self.rpc.insecure),
                tls: tls_files(&settings)?.or(self.rpc.tls),
            },
            etcd: EtcdSettings::read(&settings)?.or(self.etcd),
            region: settings.text("region")?.or(self.region),
            capacity: settings.parsed("capacity", "a number of sessions")?.unwrap_or(self.capacity),
            health_hosts: settings
                .parsed_list("health.hosts", "a list of names such as metrics.example.com")?
                .unwrap_or(self.health_hosts),
            health_listen: settings.parsed("health.listen", ADDRESS)?.unwrap_or(self.health_listen),
            log_format: settings.one_of("log.format", &LogFormat::NAMED)?.unwrap_or(self.log_format),
            traces: TraceSettings::read(&settings)?.or(self.traces),
        };
        config.check(&settings)?;
        Ok(config)
    }

    /// What no single value shows.
    fn check(&self, settings: &Settings) -> Result<(), SettingsError> {
        let RtcConfig { port_min, port_max, .. } = self.rtc;
        if port_min == 0 {
            return Err(settings.wrong("rtc.port_min", PORT));
        }
        if port_max < port_min {
            return Err(
                settings.wrong("rtc.port_max", &format!("a port from {port_min} (rtc.port_min) to 65535"))
            );
        }
        if self.workers == 0 || self.workers > WORKERS_MAX {
            return Err(settings.wrong("workers", WORKERS));
        }
        let ports = usize::from(port_max - port_min) + 1;
        if self.workers > ports {
            return Err(settings.wrong("workers", &format!("at most {ports}, one per port of the range")));
        }
        let reachable = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_multicast();
        let fits = (1..=ANNOUNCED_MAX).contains(&self.announced.len());
        if !fits || !self.announced.iter().all(reachable) {
            return Err(settings.wrong("announced_address", ANNOUNCED));
        }
        if self.listen_ip().is_ipv4() && self.announced.iter().any(IpAddr::is_ipv6) {
            return Err(settings.wrong("announced_address", "IPv4 addresses, or set rtc.listen_ip to ::"));
        }
        if self.etcd.is_some() && self.rpc.address.is_none() && self.rpc.listen.ip().is_unspecified() {
            return Err(settings.wrong("rpc.address", "the host and port at which control-planes reach it"));
        }
        if self.rpc.insecure && !self.rpc.listen.ip().is_loopback() {
            return Err(settings.wrong("rpc.insecure", "false, or a loopback address for rpc.listen"));
        }
        Ok(())
    }

    /// Where workers bind.
    pub fn listen_ip(&self) -> IpAddr {
        let first = self.announced.first().copied();
        match (self.rtc.listen_ip, first) {
            (Some(ip), _) => ip,
            (None, Some(only)) if self.announced.len() == 1 && only.is_loopback() => only,
            (None, _) if self.announced.iter().any(IpAddr::is_ipv6) => Ipv6Addr::UNSPECIFIED.into(),
            (None, _) => Ipv4Addr::UNSPECIFIED.into(),
        }
    }
}

const ANNOUNCED: &str = "1 to 8 IP addresses that clients can reach, not 0.0.0.0 or ::";
const WORKERS: &str = "a number from 1 to 64";
const PORT: &str = "a port from 1 to 65535";

const RELAYS: &str = "at most 64 IP addresses or networks such as 192.0.2.0/28";

fn relays(settings: &Settings) -> Result<Option<Relays>, SettingsError> {
    let Some(networks) = settings.parsed_list::<Network>("rtc.relays", RELAYS)? else { return Ok(None) };
    Relays::new(networks).map(Some).ok_or_else(|| settings.wrong("rtc.relays", RELAYS))
}

fn node_id(settings: &Settings) -> Result<Option<String>, SettingsError> {
    let Some(text) = settings.text("node_id")? else { return Ok(None) };
    let allowed = "1 to 64 printable characters";
    NodeId::new(text.clone()).map(|_| Some(text)).map_err(|_| settings.wrong("node_id", allowed))
}

/// None if it is no name for a node.
fn host_name() -> Option<String> {
    NodeId::new(railgun_process::host_name()).ok().map(|id| id.to_string())
}

fn tls_files(settings: &Settings) -> Result<Option<TlsFiles>, SettingsError> {
    let path = |key| settings.text(key).map(|text| text.map(PathBuf::from));
    match (path("tls.ca")?, path("tls.cert")?, path("tls.key")?) {
        (None, None, None) => Ok(None),
        (Some(ca), Some(cert), Some(key)) => Ok(Some(TlsFiles { ca, cert, key })),
        (ca, cert, _) => {
            let missing = match (ca, cert) {
                (None, _) => "tls.ca",
                (_, None) => "tls.cert",
                _ => "tls.key",
            };
            Err(settings.wrong(missing, "a PEM file: tls.ca, tls.cert and tls.key go together"))
        }
    }
}
