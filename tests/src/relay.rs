//! A real TURN relay, Debian's coturn, with the configuration that `railgun-control turn-config` writes.

use crate::link::Link;
use crate::process::{Directory, Process, run};
use anyhow::{Context, Result, bail};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub const REALM: &str = "turn.example.org";
/// The first signs; both are good.
pub const SECRETS: [&str; 2] = ["the-secret-of-this-month", "the-secret-of-last-month"];
const READY_TIMEOUT: Duration = Duration::from_secs(30);
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
const PORT: u16 = 3478;
const TLS_PORT: u16 = 443;

/// Addresses of the relay's and the media node's host.
pub const RELAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub const NODE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
pub const NODE_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 2);

/// A relay between a client and a media node's host.
#[derive(Debug)]
pub struct Relay {
    // In this order: coturn goes before its host, the directory last.
    process: Process,
    link: Link,
    directory: Directory,
}

impl Relay {
    /// None where network namespaces are not permitted.
    pub fn start() -> Result<Option<Self>> {
        let hosts: [(&str, &[&str]); 4] = [
            ("client", &["203.0.113.10/24", "2001:db8:77::10/64"]),
            ("relay", &["203.0.113.1/24", "10.66.0.1/24", "169.254.1.1/16", "2001:db8:77::1/64"]),
            ("node", &["203.0.113.2/24", "2001:db8:77::2/64"]),
            ("other", &["203.0.113.66/24", "10.66.0.66/24", "169.254.169.254/16", "2001:db8:77::66/64"]),
        ];
        let Some(link) = Link::create(&hosts)? else { return Ok(None) };
        let directory = Directory::create()?;
        fs::write(directory.path().join("turn.secrets"), SECRETS.join("\n"))?;
        make_certificate(directory.path())?;
        configure(directory.path())?;
        let process = launch(&link, directory.path(), "turnserver.conf")?;
        Ok(Some(Self { process, link, directory }))
    }

    pub fn link(&self) -> &Link {
        &self.link
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where it takes clients over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        (RELAY, PORT).into()
    }

    /// Does `task` on the client's host.
    ///
    /// # Panics
    /// If the task does.
    pub fn as_client<T: Send>(&self, task: impl AsyncFnOnce() -> T + Send) -> T {
        self.link.on("client", || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(task())
        })
    }

    /// What it logged so far.
    pub fn log(&self) -> Result<String> {
        self.process.log()
    }

    /// Puts another certificate in the place of the present one, signed by another authority, and
    /// has coturn read it, as `systemctl reload` does.
    pub fn renew_certificate(&self) -> Result<()> {
        make_certificate(self.directory.path())?;
        self.process.signal("USR2")
    }

    /// PEM of the authority that signed the present certificate.
    pub fn authority(&self) -> Result<Vec<u8>> {
        Ok(fs::read(self.directory.path().join("ca.pem"))?)
    }

    /// Ends coturn at once, and every relayed connection with it.
    pub fn kill(&self) -> Result<()> {
        self.process.signal("KILL")
    }
}

/// A user name that is good until `expiry`, in Unix seconds, and its password under `secret`.
pub fn credential(secret: &str, expiry: u64) -> (String, String) {
    let username = format!("{expiry}:0123456789abcdef");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let password = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
    (username, password)
}

pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn make_certificate(directory: &Path) -> Result<()> {
    let made = directory.join("certs");
    run(&["certs", "--out", &made.to_string_lossy(), "--node-san", REALM])?;
    for (from, to) in [("media.pem", "relay.pem"), ("media.key", "relay.key"), ("ca.pem", "ca.pem")] {
        fs::rename(made.join(from), directory.join(to))?;
    }
    Ok(fs::remove_dir_all(made)?)
}

fn configure(directory: &Path) -> Result<()> {
    let file = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let addresses = |first: Ipv4Addr, second: &str| format!("{first},{second}");
    run(&[
        "turn-config",
        "--nodes",
        &addresses(NODE, &NODE_IPV6.to_string()),
        "--secrets-file",
        &file("turn.secrets"),
        "--realm",
        REALM,
        "--listen-ip",
        &addresses(RELAY, "2001:db8:77::1"),
        "--cert",
        &file("relay.pem"),
        "--key",
        &file("relay.key"),
        "--log-file",
        "stdout",
        "--out",
        &file("turnserver.conf"),
    ])?;
    Ok(())
}

/// Starts coturn on the relay's host and waits until it listens.
fn launch(link: &Link, directory: &Path, config: &str) -> Result<Process> {
    let process = link.on("relay", || {
        let mut command = Command::new("turnserver");
        // What would otherwise be the system's.
        command.args(["-c", config, "--pidfile", "turnserver.pid", "--userdb", "turn.db"]);
        Process::spawn("turnserver", command, directory)
            .context("turnserver is missing: tests/setup/install-test-tools.sh installs coturn")
    })?;
    let until = Instant::now() + READY_TIMEOUT;
    while !link.on("client", is_listening) {
        if Instant::now() > until {
            bail!("coturn was not ready within {READY_TIMEOUT:?}:\n{}", process.log()?);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(process)
}

/// TCP ports are open some time before the UDP port answers.
fn is_listening() -> bool {
    let is_open = |port| TcpStream::connect_timeout(&(RELAY, port).into(), PROBE_TIMEOUT).is_ok();
    is_open(PORT) && is_open(TLS_PORT) && answers_over_udp().is_ok()
}

/// A Binding request (RFC 8489 section 2), which needs no credential.
fn answers_over_udp() -> std::io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(PROBE_TIMEOUT))?;
    socket.connect((RELAY, PORT))?;
    let request = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    socket.send(&request)?;
    socket.recv(&mut [0; 512]).map(drop)
}
