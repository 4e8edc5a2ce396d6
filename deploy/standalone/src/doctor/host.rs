//! A host with its configuration: what `check-config` says, whether its ports are free or its own, its relays and
//! its etcd.

use super::finding::{ANSWER_WITHIN, Findings};
use super::{etcd, reserved_ports, turn};
use crate::settings;
use railgun_settings::{Program, Report, Sources, read_table};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::path::Path;
use toml::Table;

/// Whose file it is: a control-plane's, a media node's, or both planes' in one process.
struct Host {
    control: Option<railgun_control::Config>,
    media: Option<railgun_media::Config>,
}

impl Host {
    /// What the control-plane listens on over TCP, by setting.
    fn listens_of_control(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let of = |it: &railgun_control::Config| {
            [("listen", Some(it.listen)), ("operators.listen", it.operators.listen)]
        };
        self.control.iter().flat_map(of).filter_map(|(setting, address)| Some((setting, address?)))
    }

    /// The same of a media node: inside one process the planes meet without ports.
    fn listens_of_media(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let apart = self.media.iter().filter(|_| self.control.is_none());
        apart.flat_map(|it| [("rpc.listen", it.rpc.listen), ("health.listen", it.health_listen)])
    }

    /// Ports that its programs listen on: TCP ports of their services, and UDP ports of media workers.
    fn ports(&self) -> Vec<RangeInclusive<u16>> {
        let tcp = self.listens_of_control().chain(self.listens_of_media());
        let tcp = tcp.map(|(_, address)| address.port()..=address.port());
        let media = self.media.iter().map(|it| {
            let workers = u16::try_from(it.workers).unwrap_or(u16::MAX).max(1);
            it.rtc.port_min..=it.rtc.port_max.min(it.rtc.port_min.saturating_add(workers - 1))
        });
        tcp.chain(media).collect()
    }
}

const EDIT: &str = "Correct the file; `check-config --config FILE` says it again";

pub(super) async fn look(path: &Path, findings: &mut Findings) {
    let host = match read(path) {
        Ok(host) => host,
        Err(error) => return findings.fault("configuration", format!("{error:#}"), EDIT),
    };
    let is_both = host.control.is_some() && host.media.is_some();
    if let Some(control) = &host.control {
        let links = if is_both { railgun_control::Links::Inside } else { railgun_control::Links::Configured };
        of(railgun_control::check(control, None, links).await, findings);
    }
    if let Some(media) = &host.media {
        let links = if is_both { railgun_media::Links::Inside } else { railgun_media::Links::Configured };
        of(railgun_media::check(media, links), findings);
    }
    if let Some(control) = &host.control {
        let running = match control.operators.listen {
            Some(address) => healthy(address).await,
            None => false,
        };
        host.listens_of_control().for_each(|(setting, at)| tcp(setting, at, running, findings));
        turn::look(&control.turn, findings).await;
    }
    if let Some(media) = host.media.as_ref().filter(|_| !is_both) {
        let running = healthy(media.health_listen).await;
        host.listens_of_media().for_each(|(setting, at)| tcp(setting, at, running, findings));
    }
    if let Some(media) = &host.media {
        udp(media, findings);
    }
    reserved_ports::look(&host.ports(), findings);
    let of_control = host.control.as_ref().and_then(|control| control.etcd.as_ref());
    let etcd = of_control.or_else(|| host.media.as_ref().and_then(|media| media.etcd.as_ref()));
    if let Some(settings) = etcd {
        etcd::look(settings, findings).await;
    }
}

/// Both planes of one process have sections for each; else it is whose keys it has.
fn read(path: &Path) -> anyhow::Result<Host> {
    let file = read_table(path)?;
    let env = |_: &str| None;
    let sources = |file: &Table| Sources { file: file.clone(), env: &env, flags: Vec::new() };
    if file.contains_key("control") {
        let (control, media) = settings::of_file(file, &env)?;
        return Ok(Host { control: Some(control), media: Some(media) });
    }
    let of_media = Program::Media.keys();
    let is_media = ["tls", "rpc", "health"].iter().any(|section| file.contains_key(*section))
        || file.keys().any(|key| !key.contains('.') && of_media.contains(&key.as_str()));
    Ok(match is_media {
        true => Host { control: None, media: Some(railgun_media::Config::default().with(&sources(&file))?) },
        false => {
            Host { control: Some(railgun_control::Config::default().with(&sources(&file))?), media: None }
        }
    })
}

/// `check-config`'s findings.
fn of(report: Report, findings: &mut Findings) {
    report.doubtful().for_each(|doubt| findings.doubt("configuration", doubt, EDIT));
    // `railgun` is built without etcd, which it needs not to ask etcd's own HTTP interface.
    let wrong = report.wrongs().filter(|wrong| !wrong.ends_with("was built without etcd"));
    wrong.for_each(|wrong| findings.fault("configuration", wrong, EDIT));
    report.held().for_each(|holds| findings.good("configuration", holds));
}

async fn healthy(at: SocketAddr) -> bool {
    let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).no_proxy().build();
    let Ok(client) = client else { return false };
    client.get(format!("http://{at}/healthz")).send().await.is_ok_and(|answer| answer.status().is_success())
}

/// `running`: its own program is there.
fn tcp(setting: &str, at: SocketAddr, running: bool, findings: &mut Findings) {
    match TcpListener::bind(at) {
        Ok(_) => findings.doubt(
            "ports",
            format!("{setting} = {at} is free: the program does not run"),
            "systemctl status, and journalctl -u, of its unit",
        ),
        Err(_) if running => findings.good("ports", format!("{setting} = {at} is served")),
        Err(error) => findings.fault(
            "ports",
            format!(
                "{setting} = {at} cannot be listened on, and no healthy program of ours is there: {error}"
            ),
            format!("See who has it: ss -lntp 'sport = :{}'", at.port()),
        ),
    }
}

fn udp(media: &railgun_media::Config, findings: &mut Findings) {
    let ip = media.listen_ip();
    let range = media.rtc.port_min..=media.rtc.port_max;
    // A worker takes the first that is free, so some of the first may be workers' already.
    let looked_at = range.clone().take(media.workers + 16);
    let free = looked_at.filter(|port| UdpSocket::bind((ip, *port)).is_ok()).count();
    match free >= media.workers {
        true => {
            findings.good("ports", format!("UDP {} to {} can be bound on {ip}", range.start(), range.end()))
        }
        false => findings.fault(
            "ports",
            format!(
                "only {free} of the first UDP ports of {}-{} are free on {ip}, for {} workers",
                range.start(),
                range.end(),
                media.workers
            ),
            "See who has them: ss -lnup; give rtc.port_min and rtc.port_max a range of their own",
        ),
    }
}
