//! `railgun init`: the files of an installation, in one directory that is complete: a commented configuration, keys,
//! certificates, a proxy's configuration, a drop-in for the systemd unit. Writes over nothing.

mod etcd;
mod files;

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use files::{Files, Readable};
use railgun_control::certs;
use railgun_settings::{Program, sample};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};

pub(crate) const ABOUT: &str =
    "Write a commented configuration, keys, certificates, a TLS proxy's file and a systemd drop-in";

const HAPROXY: &str = include_str!("../../bare-metal/haproxy.cfg");

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// What is to run here.
    #[arg(value_enum)]
    role: Role,
    /// Where to write, in a directory of its own.
    #[arg(long, default_value = "/etc/railgun")]
    dir: PathBuf,
    /// The DNS name that people open, such as voice.example.org
    #[arg(long)]
    domain: Option<String>,
    /// The public IP address that media is sent to; as often as needed, the best first [default: the one this host
    /// reaches the Internet from, if it is public]
    #[arg(long = "address")]
    addresses: Vec<IpAddr>,
    /// control: host or address of each media node, for its certificate, beside this host's.
    #[arg(long = "media-node")]
    media_nodes: Vec<String>,
    /// control, media: URLs of the etcd cluster; none: one replica and one media node. With https:// control makes the
    /// members' certificates, environments and users' passwords, and media expects them.
    #[arg(long, value_delimiter = ',')]
    etcd: Vec<String>,
    /// control: DNS name of a TURN relay; makes the secret that replicas and relays share.
    #[arg(long)]
    turn: Option<String>,
    /// A setting that the configuration is to have, as KEY=VALUE; as often as needed. Wins over what init chooses.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// The service's user, who gets to read what the service needs; passed over where there is none.
    #[arg(long, default_value = "railgun")]
    user: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Both planes in one process.
    Standalone,
    /// A replica of the control-plane.
    Control,
    /// A media node.
    Media,
}

impl Init {
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        let dir = std::path::absolute(&self.dir)?;
        if self.role != Role::Control && self.addresses.is_empty() {
            self.addresses.extend(public_address());
            ensure!(
                !self.addresses.is_empty(),
                "--address is missing: the public IP address of this machine, at which clients reach UDP 40000-49999"
            );
        }
        let program = self.role.program();
        for (key, _) in &self.set {
            program.key(key).context("--set")?;
        }
        if self.role == Role::Control && self.etcd.is_empty() && self.media_nodes.len() > 1 {
            bail!("--etcd is missing: more than one media node needs etcd");
        }
        fs::create_dir_all(&dir).with_context(|| format!("--dir {} cannot be made", dir.display()))?;
        let files = Files::new(dir, &self.user);
        match self.role {
            Role::Standalone => self.standalone(&files)?,
            Role::Control => self.control(&files)?,
            Role::Media => self.media(&files)?,
        }
        Ok(())
    }

    fn domain(&self) -> &str {
        self.domain.as_deref().unwrap_or("voice.example.org")
    }

    fn standalone(&self, files: &Files) -> anyhow::Result<()> {
        let token = files.keys()?;
        let set = [
            ("auth.jwks", files.quoted("token.jwks.json")),
            ("trusted_proxies", "[\"127.0.0.1\", \"::1\"]".into()),
            ("operators.tokens", files.quoted("operators.toml")),
            ("announced_address", list(&self.addresses)),
        ];
        self.configure(files, "railgun.toml", set.to_vec())?;
        let caddy = format!(
            "# caddy run --config Caddyfile\n{} {{\n\treverse_proxy 127.0.0.1:8080\n}}\n",
            self.domain()
        );
        files.write("Caddyfile", &caddy, Readable::All)?;
        files.drop_in("railgun", "/usr/bin/railgun --config", "railgun.toml")?;
        self.tell(files, Some(token), "railgun check-config", "railgun.toml");
        println!(
            "Then start it, and a proxy with a certificate: `systemctl enable --now railgun` and \
             `caddy run --config {}`.\nOpen UDP 40000-49999 to everybody. `railgun doctor https://{}` looks from outside.",
            files.at("Caddyfile").display(),
            self.domain()
        );
        Ok(())
    }

    fn control(&self, files: &Files) -> anyhow::Result<()> {
        let token = files.keys()?;
        let certificates = files.at("certs");
        let names = [certs::names_of_this_host(), self.media_nodes.clone()].concat();
        certs::write(&certificates, &names)?;
        files.give(&certificates.join("control.key"))?;
        let at = |name: &str| format!("{:?}", certificates.join(name).display().to_string());
        let mut set = vec![
            ("auth.jwks", files.quoted("token.jwks.json")),
            ("trusted_proxies", "[\"127.0.0.1\", \"::1\"]".into()),
            ("operators.tokens", files.quoted("operators.toml")),
            ("channels.create_on_join", "true".into()),
            ("media.ca", at("ca.pem")),
            ("media.cert", at("control.pem")),
            ("media.key", at("control.key")),
        ];
        match (self.etcd.as_slice(), self.media_nodes.as_slice()) {
            ([], [one]) => {
                set.push(("media.url", format!("{:?}", format!("https://{}:50051", bracketed(one)))))
            }
            (etcd, _) if !etcd.is_empty() => set.push(("etcd.endpoints", format!("{etcd:?}"))),
            _ => {}
        }
        if self.has_secured_etcd() {
            etcd::write(files, &self.etcd)?;
            set.extend(etcd::settings(files, "control"));
        }
        if let Some(host) = &self.turn {
            set.extend(self.relay(files, host)?);
        }
        self.configure(files, "control.toml", set)?;
        files.write("haproxy.cfg", &HAPROXY.replace("voice.example.org", self.domain()), Readable::All)?;
        files.drop_in("railgun-control", "/usr/bin/railgun-control serve --config", "control.toml")?;
        self.tell(files, Some(token), "railgun-control check-config", "control.toml");
        println!(
            "Copy ca.pem, media.pem and media.key of {} to each media node, into {}; other replicas need all of \
             {} but token.key.",
            certificates.display(),
            Path::new("/etc/railgun/certs").display(),
            files.dir.display()
        );
        Ok(())
    }

    fn media(&self, files: &Files) -> anyhow::Result<()> {
        let certificates = files.at("certs");
        let at = |name: &str| format!("{:?}", certificates.join(name).display().to_string());
        let mut set = vec![
            ("announced_address", list(&self.addresses)),
            ("tls.ca", at("ca.pem")),
            ("tls.cert", at("media.pem")),
            ("tls.key", at("media.key")),
            ("rpc.listen", "\"0.0.0.0:50051\"".into()),
        ];
        if !self.etcd.is_empty() {
            set.push(("etcd.endpoints", format!("{:?}", self.etcd)));
            // Replicas ask for the node by the name that its certificate has anyway.
            set.push(("rpc.address", format!("{:?}", format!("{}:50051", railgun_process::host_name()))));
        }
        if self.has_secured_etcd() {
            set.extend(etcd::settings(files, "media"));
        }
        // What was copied here is its owner's alone so far.
        for secret in ["certs/media.key", "etcd/media.password"] {
            if files.at(secret).exists() {
                files.give(&files.at(secret))?;
            }
        }
        self.configure(files, "media.toml", set)?;
        files.drop_in("railgun-media", "/usr/bin/railgun-media --config", "media.toml")?;
        self.tell(files, None, "railgun-media check-config", "media.toml");
        println!(
            "It needs ca.pem, media.pem and media.key in {}: `railgun init control` (or `railgun certs`) makes them, \
             with --media-node (--node-san) naming this machine. Let a firewall allow TCP 50051 to replicas only, and \
             UDP 40000-49999 to everybody.",
            certificates.display()
        );
        Ok(())
    }

    fn has_secured_etcd(&self) -> bool {
        self.etcd.first().is_some_and(|first| first.starts_with("https://"))
    }

    /// Writes the secret that the relay shares with replicas; the settings of a replica that name relay and secret.
    fn relay(&self, files: &Files, host: &str) -> anyhow::Result<[(&'static str, String); 2]> {
        let secret = format!("{:032x}{:032x}\n", rand::random::<u128>(), rand::random::<u128>());
        files.write("turn.secrets", &secret, Readable::Service)?;
        let urls = [
            format!("turn:{host}:3478?transport=udp"),
            format!("turn:{host}:3478?transport=tcp"),
            format!("turns:{host}:443?transport=tcp"),
        ];
        Ok([("turn.urls", format!("{urls:?}")), ("turn.secrets_file", files.quoted("turn.secrets"))])
    }

    /// The commented configuration, with what this command chose and what `--set` says instead.
    fn configure(
        &self,
        files: &Files,
        name: &str,
        mut set: Vec<(&'static str, String)>,
    ) -> anyhow::Result<()> {
        let program = self.role.program();
        for (key, value) in &self.set {
            let key = program.key(key)?;
            set.retain(|(of, _)| *of != key);
            set.push((key, value.clone()));
        }
        files.write(name, &sample(program, &set), Readable::Service)
    }

    fn tell(&self, files: &Files, token: Option<String>, check: &str, name: &str) {
        println!("Wrote {}:", files.dir.display());
        if let Some(token) = token {
            println!("  token of the operators' API, which is shown this once: {token}");
            println!(
                "  a link for a user: railgun token --key {} --user ada --tier pro --link https://{}",
                files.at("token.key").display(),
                self.domain()
            );
        }
        println!("What holds: {check} --config {}", files.at(name).display());
    }
}

impl Role {
    fn program(self) -> Program {
        match self {
            Self::Standalone => Program::Standalone,
            Self::Control => Program::Control,
            Self::Media => Program::Media,
        }
    }
}

/// `KEY=VALUE`, the value as TOML has it: what is no TOML is a text.
fn assignment(given: &str) -> Result<(String, String), String> {
    let (key, value) = given.split_once('=').ok_or("give KEY=VALUE")?;
    let is_toml = format!("value = {value}").parse::<toml::Table>().is_ok();
    Ok((key.to_owned(), if is_toml { value.to_owned() } else { format!("{value:?}") }))
}

/// The address that this host reaches the Internet from, if others reach it there too. Nothing is sent.
fn public_address() -> Option<IpAddr> {
    // Of the block for documentation (RFC 5737): any address beyond the default route.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(ip) if !(ip.is_private() || ip.is_loopback() || ip.is_link_local()) => Some(ip.into()),
        _ => None,
    }
}

fn bracketed(host: &str) -> String {
    if host.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() }
}

fn list(addresses: &[IpAddr]) -> String {
    format!("{:?}", addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>())
}
