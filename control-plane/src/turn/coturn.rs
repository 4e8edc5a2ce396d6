//! `railgun-control turn-config`: coturn's configuration from the templates in `turn/`.

use super::secrets::Secrets;
use super::url::is_host_name;
use crate::auth::write_private;
use anyhow::{Context, bail, ensure};
use clap::Args;
use railgun_protocol::limits::{RTC_PORT_MAX, RTC_PORT_MIN};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

const PRODUCTION: &str = include_str!("../../../turn/turnserver.prod.conf");
const DEVELOPMENT: &str = include_str!("../../../turn/turnserver.dev.conf");
const NODES_MAX: usize = 256;
/// Where coturn itself listens, see the template.
const LISTENING_PORT: u16 = 3478;

/// What is put into a template.
#[derive(Args, Clone, Debug)]
pub struct CoturnOptions {
    /// The media nodes' announced addresses: the only peers that relays speak to.
    #[arg(long, value_delimiter = ',')]
    pub nodes: Vec<IpAddr>,
    /// File of the one or two secrets that the control-plane has as turn.secrets_file.
    #[arg(long, alias = "secret-file")]
    pub secrets_file: Option<PathBuf>,
    /// The relay's DNS name, as in its certificate.
    #[arg(long)]
    pub realm: Option<String>,
    /// Where to listen and relay [default: every address]
    #[arg(long, value_delimiter = ',')]
    pub listen_ip: Vec<IpAddr>,
    /// Behind NAT: the public address, or public/private for each listen address
    #[arg(long, value_delimiter = ',')]
    pub external_ip: Vec<ExternalIp>,
    /// [default: /etc/letsencrypt/live/REALM/fullchain.pem]
    #[arg(long)]
    pub cert: Option<PathBuf>,
    /// [default: /etc/letsencrypt/live/REALM/privkey.pem]
    #[arg(long)]
    pub key: Option<PathBuf>,
    /// Where coturn writes its log, or stdout.
    #[arg(long, default_value = "/var/log/coturn/turnserver.log")]
    pub log_file: PathBuf,
    /// First of the UDP ports that relays speak to media nodes from.
    #[arg(long, default_value_t = 50_000)]
    pub min_port: u16,
    #[arg(long, default_value_t = 59_999)]
    pub max_port: u16,
    /// For trials on this machine: loopback only, one user with a fixed password.
    #[arg(long)]
    pub dev: bool,
    /// The file to write; it holds the secrets, and only its owner may read it.
    #[arg(long)]
    pub out: PathBuf,
    /// Write over a file that is there.
    #[arg(long)]
    pub replace: bool,
}

/// `public` or `public/private`, as coturn takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalIp {
    public: IpAddr,
    private: Option<IpAddr>,
}

impl std::str::FromStr for ExternalIp {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            None => Ok(Self { public: text.parse()?, private: None }),
            Some((public, private)) => Ok(Self { public: public.parse()?, private: Some(private.parse()?) }),
        }
    }
}

impl fmt::Display for ExternalIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.private {
            None => write!(f, "{}", self.public),
            Some(private) => write!(f, "{}/{private}", self.public),
        }
    }
}

/// Writes the configuration that `options` ask for.
pub fn write(options: &CoturnOptions) -> anyhow::Result<()> {
    let secrets = match &options.secrets_file {
        Some(path) => Some(Secrets::read(path).context("--secrets-file")?),
        None => None,
    };
    let text = render(options, secrets.as_ref())?;
    let out = &options.out;
    let cannot = || format!("--out {} cannot be written", out.display());
    if options.replace {
        // A relay that starts meanwhile reads the old file or the new one, never half of it.
        let mut beside = out.clone().into_os_string();
        beside.push(".new");
        write_private(Path::new(&beside), &text).and_then(|()| fs::rename(&beside, out)).with_context(cannot)
    } else {
        write_private(out, &text).with_context(cannot)
    }
}

fn render(options: &CoturnOptions, secrets: Option<&Secrets>) -> anyhow::Result<String> {
    check_ports(options)?;
    if options.dev { development(options) } else { production(options, secrets) }
}

fn production(options: &CoturnOptions, secrets: Option<&Secrets>) -> anyhow::Result<String> {
    let secrets = secrets.context("--secrets-file is missing: it holds what credentials are made with")?;
    let realm = options.realm.as_deref().context("--realm is missing: the relay's DNS name")?;
    ensure!(is_host_name(realm), "--realm {realm}: give a DNS name such as turn.example.com");
    let live = Path::new("/etc/letsencrypt/live").join(realm);
    let of_realm = |name| live.join(name);
    ensure!(!options.nodes.is_empty(), "--nodes is missing: the media nodes' announced addresses");
    for node in &options.nodes {
        ensure!(is_public_peer(*node), "--nodes {node}: no media node can have this address");
    }
    let log_file = match options.log_file.to_str() {
        Some("stdout") => "stdout".to_owned(),
        _ => plain_path("--log-file", options.log_file.clone())?,
    };
    let fill = [
        ("LOG_FILE", log_file),
        ("LISTENING_IPS", listening(&options.listen_ip)?),
        ("EXTERNAL_IPS", lines("external-ip", &options.external_ip)),
        ("SECRETS", lines("static-auth-secret", secrets.iter())),
        ("CERT", plain_path("--cert", options.cert.clone().unwrap_or_else(|| of_realm("fullchain.pem")))?),
        ("KEY", plain_path("--key", options.key.clone().unwrap_or_else(|| of_realm("privkey.pem")))?),
    ];
    filled(PRODUCTION, options, realm, &options.nodes, &fill)
}

fn development(options: &CoturnOptions) -> anyhow::Result<String> {
    let has_more = options.secrets_file.is_some() || options.cert.is_some() || options.key.is_some();
    ensure!(!has_more, "--dev has a fixed user, and no TLS: leave out --secrets-file, --cert and --key");
    let is_elsewhere = !options.listen_ip.is_empty() || !options.external_ip.is_empty();
    ensure!(!is_elsewhere, "--dev listens on 127.0.0.1: leave out --listen-ip and --external-ip");
    let here = [Ipv4Addr::LOCALHOST.into()];
    let nodes: &[IpAddr] = if options.nodes.is_empty() { &here } else { &options.nodes };
    for node in nodes {
        ensure!(node.is_loopback(), "--nodes {node}: with --dev, media nodes are on loopback");
    }
    let realm = options.realm.as_deref().unwrap_or("railgun.localhost");
    ensure!(is_host_name(realm), "--realm {realm}: give a DNS name");
    filled(DEVELOPMENT, options, realm, nodes, &[])
}

fn check_ports(options: &CoturnOptions) -> anyhow::Result<()> {
    let CoturnOptions { min_port, max_port, .. } = *options;
    ensure!((1024..=max_port).contains(&min_port), "--min-port {min_port}: give 1024 to --max-port");
    ensure!(
        max_port < RTC_PORT_MIN || min_port > RTC_PORT_MAX,
        "--min-port {min_port}, --max-port {max_port}: {RTC_PORT_MIN}-{RTC_PORT_MAX} are media nodes'"
    );
    ensure!(!(min_port..=max_port).contains(&LISTENING_PORT), "port {LISTENING_PORT} is for clients");
    Ok(())
}

fn filled(
    template: &str,
    options: &CoturnOptions,
    realm: &str,
    nodes: &[IpAddr],
    more: &[(&str, String)],
) -> anyhow::Result<String> {
    ensure!(nodes.len() <= NODES_MAX, "--nodes: at most {NODES_MAX}");
    let common = [
        ("REALM", realm.to_owned()),
        ("MIN_PORT", options.min_port.to_string()),
        ("MAX_PORT", options.max_port.to_string()),
        ("ALLOWED_PEERS", lines("allowed-peer-ip", nodes)),
    ];
    let mut text = template.to_owned();
    for (name, value) in common.iter().chain(more) {
        let place = format!("@{name}@");
        // A list that is empty leaves no line.
        let place = if value.is_empty() { format!("{place}\n") } else { place };
        text = text.replace(&place, value);
    }
    Ok(text)
}

fn lines(option: &str, values: impl IntoIterator<Item: fmt::Display>) -> String {
    let lines: Vec<_> = values.into_iter().map(|value| format!("{option}={value}")).collect();
    lines.join("\n")
}

fn listening(addresses: &[IpAddr]) -> anyhow::Result<String> {
    for ip in addresses {
        ensure!(!ip.is_unspecified() && !ip.is_multicast(), "--listen-ip {ip}: give an address of this host");
    }
    let each = addresses.iter().map(|ip| format!("listening-ip={ip}\nrelay-ip={ip}"));
    Ok(each.collect::<Vec<_>>().join("\n"))
}

/// coturn's file has no quotes: a path must not be more than one word.
fn plain_path(option: &str, path: PathBuf) -> anyhow::Result<String> {
    match path.to_str() {
        Some(text) if path.is_absolute() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'@') => {
            Ok(text.to_owned())
        }
        _ => bail!("{option} {}: give an absolute path without spaces", path.display()),
    }
}

/// Whether an address can be a media node's. Private ones can: relay and nodes may share a network.
fn is_public_peer(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let is_reserved = a == 0 || a >= 224 || (a, b, c) == (192, 0, 0) || (a == 198 && b & 0xfe == 18);
            !is_reserved && !ip.is_loopback() && !ip.is_link_local()
        }
        IpAddr::V6(ip) => {
            let is_translated = matches!(
                ip.segments(),
                [0x64, 0xff9b, ..] | [0x2001, 0, ..] | [0x2002, ..] | [0, 0, 0, 0, 0, 0 | 0xffff, ..]
            );
            !is_translated && !ip.is_unicast_link_local() && !ip.is_multicast()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: CoturnOptions,
    }

    const SECRETS: &str = "secret-of-june-001\nsecret-of-may-0001";
    const NODES: &str = "--nodes=203.0.113.5,2001:db8::5";
    const REALM: &str = "--realm=turn.example.com";

    fn with(flags: &[&str], secrets: &str) -> anyhow::Result<String> {
        let cli = Cli::try_parse_from([&["turn-config", "--out=/tmp/x"], flags].concat())?;
        let secrets = (!secrets.is_empty()).then(|| secrets.parse().unwrap());
        render(&cli.options, secrets.as_ref())
    }

    /// The values of an option, in the file's order; an option without a value has an empty one.
    fn values<'a>(text: &'a str, option: &str) -> Vec<&'a str> {
        let settings = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = settings.map(|line| line.split_once('=').unwrap_or((line, "")));
        pairs.filter(|(name, _)| *name == option).map(|(_, value)| value).collect()
    }

    #[test]
    fn production_denies_everybody_and_allows_the_nodes() {
        let text = with(&[NODES, REALM], SECRETS).unwrap();
        assert!(!text.lines().any(|line| !line.starts_with('#') && line.contains('@')), "{text}");
        assert_eq!(values(&text, "allowed-peer-ip"), ["203.0.113.5", "2001:db8::5"]);
        let denied = values(&text, "denied-peer-ip");
        assert_eq!(denied[0], "0.0.0.0-255.255.255.255");
        assert_eq!(denied[1], "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        for range in ["169.254.0.0-169.254.255.255", "::ffff:0:0-::ffff:ffff:ffff", "192.0.0.0-192.0.0.255"] {
            assert!(denied.contains(&range), "{range}");
        }
        assert_eq!(values(&text, "listening-port"), ["3478"]);
        assert_eq!(values(&text, "tls-listening-port"), ["443"]);
        assert_eq!((values(&text, "min-port"), values(&text, "max-port")), (vec!["50000"], vec!["59999"]));
        assert_eq!(values(&text, "static-auth-secret"), ["secret-of-june-001", "secret-of-may-0001"]);
        assert_eq!(values(&text, "cert"), ["/etc/letsencrypt/live/turn.example.com/fullchain.pem"]);
        for option in
            ["use-auth-secret", "no-tcp-relay", "no-multicast-peers", "no-cli", "no-dynamic-ip-list"]
        {
            assert_eq!(values(&text, option), [""], "{option}");
        }
        for quota in ["user-quota", "total-quota", "max-bps"] {
            assert!(values(&text, quota)[0].parse::<u32>().unwrap() > 0, "{quota}");
        }
        assert!(values(&text, "listening-ip").is_empty() && values(&text, "external-ip").is_empty());
        assert!(values(&text, "user").is_empty() && values(&text, "lt-cred-mech").is_empty());
    }

    #[test]
    fn addresses_and_files_are_put_in() {
        let flags = [
            NODES,
            REALM,
            "--listen-ip=10.0.0.1",
            "--external-ip=203.0.113.1/10.0.0.1",
            "--cert=/c.pem",
            "--key=/k.pem",
            "--min-port=30000",
            "--max-port=39999",
        ];
        let text = with(&flags, "secret-of-june-001").unwrap();
        assert_eq!(
            (values(&text, "listening-ip"), values(&text, "relay-ip")),
            (vec!["10.0.0.1"], vec!["10.0.0.1"])
        );
        assert_eq!(values(&text, "external-ip"), ["203.0.113.1/10.0.0.1"]);
        assert_eq!((values(&text, "cert"), values(&text, "pkey")), (vec!["/c.pem"], vec!["/k.pem"]));
        assert_eq!((values(&text, "min-port"), values(&text, "max-port")), (vec!["30000"], vec!["39999"]));
        assert_eq!(values(&text, "static-auth-secret"), ["secret-of-june-001"]);
    }

    #[test]
    fn development_stays_on_loopback() {
        let text = with(&["--dev"], "").unwrap();
        assert!(!text.lines().any(|line| !line.starts_with('#') && line.contains('@')), "{text}");
        assert_eq!(values(&text, "listening-ip"), ["127.0.0.1"]);
        assert_eq!(values(&text, "allowed-peer-ip"), ["127.0.0.1"]);
        assert_eq!(values(&text, "denied-peer-ip")[0], "0.0.0.0-255.255.255.255");
        assert_eq!(values(&text, "user").len(), 1);
        assert!(with(&["--dev", "--nodes=127.0.0.2"], "").unwrap().contains("allowed-peer-ip=127.0.0.2\n"));
    }

    #[test]
    fn bad_input_is_refused_with_the_flag_that_brought_it() {
        let cases: [(&[&str], &str); 21] = [
            (&[REALM], "--nodes is missing"),
            (&[NODES], "--realm is missing"),
            (&["--nodes=everywhere", REALM], "everywhere"),
            (&["--nodes=0.0.0.0", REALM], "--nodes 0.0.0.0"),
            (&["--nodes=203.0.113.5,127.0.0.1", REALM], "--nodes 127.0.0.1"),
            (&["--nodes=169.254.169.254", REALM], "--nodes 169.254.169.254"),
            (&["--nodes=224.0.0.1", REALM], "--nodes 224.0.0.1"),
            (&["--nodes=255.255.255.255", REALM], "--nodes 255.255.255.255"),
            (&["--nodes=::", REALM], "--nodes ::"),
            (&["--nodes=::1", REALM], "--nodes ::1"),
            (&["--nodes=::ffff:127.0.0.1", REALM], "--nodes ::ffff:127.0.0.1"),
            (&["--nodes=64:ff9b::7f00:1", REALM], "--nodes 64:ff9b::"),
            (&["--nodes=203.0.113.5", "--realm=turn example"], "--realm turn example"),
            (&["--nodes=203.0.113.5", "--realm=a\nno-auth"], "--realm"),
            (&[NODES, REALM, "--cert=/a b.pem"], "--cert"),
            (&[NODES, REALM, "--log-file=log"], "--log-file log"),
            (&[NODES, REALM, "--key=key.pem"], "--key key.pem"),
            (&[NODES, REALM, "--min-port=45000"], "media nodes'"),
            (&[NODES, REALM, "--min-port=60000"], "--min-port 60000"),
            (&[NODES, REALM, "--listen-ip=0.0.0.0"], "--listen-ip 0.0.0.0"),
            (&["--dev", "--nodes=203.0.113.5"], "--nodes 203.0.113.5"),
        ];
        for (flags, told) in cases {
            let error = format!("{:#}", with(flags, SECRETS).expect_err(told));
            assert!(error.contains(told), "{flags:?}: {error}");
        }
        let error = with(&[NODES, REALM], "").unwrap_err().to_string();
        assert!(error.contains("--secrets-file is missing"), "{error}");
        assert!(with(&["--dev", "--secrets-file=/x"], "").is_err());
    }

    #[test]
    fn a_file_that_is_there_is_replaced_only_on_request() {
        let directory = std::env::temp_dir().join(format!("railgun-coturn-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let out = directory.join("turnserver.conf");
        let flag = format!("--out={}", out.display());
        let options = |more: &[&str]| {
            Cli::try_parse_from([&["turn-config", "--dev", flag.as_str()], more].concat()).unwrap().options
        };
        write(&options(&[])).unwrap();
        assert!(write(&options(&["--max-port=50100"])).is_err());
        assert!(!fs::read_to_string(&out).unwrap().contains("max-port=50100"));
        write(&options(&["--max-port=50100", "--replace"])).unwrap();
        assert!(fs::read_to_string(&out).unwrap().contains("max-port=50100"));
        fs::remove_dir_all(directory).unwrap();
    }
}
