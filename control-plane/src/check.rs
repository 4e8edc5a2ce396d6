//! `check-config`: what a start would find wrong, and what it would only find out later. Opens every file that the
//! configuration names; listens nowhere and connects to nothing but the URL of a JWKS.

use crate::auth::KeyRing;
use crate::config::{Config, HttpsFiles};
use crate::dev_mode::DevMode;
use crate::http::Tokens;
use crate::networks::Networks;
use crate::timelines;
use crate::turn::Turn;
use crate::webhooks;
use anyhow::Context;
use railgun_settings::Report;
use std::fs::OpenOptions;
use std::path::Path;

/// How the media node is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// It is in this process.
    Inside,
    /// By `media.*`, and `etcd.*` if that is set.
    Configured,
}

/// What holds and what does not.
pub async fn check(config: &Config, dev: Option<&DevMode>, links: Links) -> Report {
    let mut report = Report::default();
    listeners(config, &mut report);
    match DevMode::check(dev, config) {
        Ok(()) if dev.is_some() => report.holds("development mode: whoever has the secret is anybody"),
        Ok(()) => {}
        Err(error) => report.wrong(error.to_string()),
    }
    keys(config, &mut report).await;
    if let Some(HttpsFiles { cert, key }) = &config.https {
        report.with(railgun_tls::check_pair(("https.cert", cert), ("https.key", key)));
    }
    match Turn::open(&config.turn, config.rtc.ice_servers.clone()) {
        Ok(turn) if turn.has_relay() => report.holds(format!("turn.urls: {} relays and STUN servers", config.turn.urls.len())),
        Ok(_) => report.holds("turn.urls names no relay: users whose token has privacyMode are refused, and who can send no UDP has no media"),
        Err(error) => report.wrong(format!("turn.secrets_file: {error}")),
    }
    if let Some(path) = &config.networks {
        let read = Networks::from_file(path).context("networks");
        report.of(read.map(|_| format!("networks = {} is a table of networks", path.display())));
    }
    operators(config, &mut report);
    hooks(config, &mut report);
    calls(config, &mut report);
    if links == Links::Configured {
        media(config, &mut report);
        if let Some(etcd) = &config.etcd {
            report.with(railgun_tls::check_etcd(etcd, cfg!(feature = "etcd")));
        }
    }
    report
}

fn listeners(config: &Config, report: &mut Report) {
    let scheme = if config.https.is_some() { "https" } else { "http" };
    report.holds(format!("the page and the signaling on {scheme}://{}", config.listen));
    if !config.listen.ip().is_loopback() && config.https.is_none() && config.trusted_proxies.is_empty() {
        report.doubts(format!(
            "listen = {} is plain HTTP: browsers give a page the microphone only over HTTPS or on loopback. Set \
             https.cert and https.key, or put a proxy with a certificate in front and list it in trusted_proxies",
            config.listen
        ));
    }
    match config.operators.listen {
        None => report.holds("operators.listen = off: no /metrics, no API"),
        Some(address) if address == config.listen && address.port() != 0 => {
            report
                .wrong(format!("operators.listen = {address} is taken by listen: give each one of its own"));
        }
        Some(address) => {
            report.holds(format!("/healthz, /readyz and /metrics on http://{address}"));
            if !address.ip().is_loopback() {
                report.doubts(format!(
                    "operators.listen = {address} is reached from other machines: /metrics asks for no token, so \
                     let a firewall say who may"
                ));
            }
        }
    }
}

async fn keys(config: &Config, report: &mut Report) {
    let Some(source) = config.auth.jwks.clone() else { return };
    let ring = match KeyRing::new(config.auth.audience.clone(), config.auth.issuer.clone(), None) {
        Ok(ring) => ring,
        Err(error) => return report.wrong(error.to_string()),
    };
    let is_url = matches!(source, crate::auth::JwksSource::Url(_));
    let name = source.to_string();
    match ring.look(source).await {
        Ok(keys) => {
            report.holds(format!("auth.jwks = {name} has {keys} keys that tokens can be signed with"))
        }
        // It may be there later.
        Err(error) if is_url => report.doubts(format!("{error}: no token can be checked before it can")),
        Err(error) => report.wrong(error.to_string()),
    }
}

fn operators(config: &Config, report: &mut Report) {
    match (&config.operators.tokens, config.operators.listen) {
        (None, _) => report.holds("operators.tokens is not set: no operators' API"),
        (Some(path), listen) => {
            report.of(Tokens::from_file(path).map(|tokens| {
                format!("operators.tokens = {} has {} tokens", path.display(), tokens.count())
            }));
            if listen.is_none() {
                report
                    .doubts("operators.tokens is set and operators.listen is off: the API is served nowhere");
            }
        }
    }
    if let Some(path) = &config.operators.audit {
        report.of(appendable(path).map(|()| format!("operators.audit = {} can be written", path.display())));
    }
}

/// Without making it.
fn appendable(path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("operators.audit = {} cannot be written", path.display());
    if path.exists() {
        OpenOptions::new().append(true).open(path).map(drop).with_context(cannot)
    } else {
        let parent =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        std::fs::read_dir(parent).map(drop).with_context(cannot)
    }
}

fn hooks(config: &Config, report: &mut Report) {
    match (&config.webhooks.url, &config.webhooks.secret_file) {
        (None, None) => {}
        (Some(_), None) => report.wrong("webhooks.url needs webhooks.secret_file"),
        (url, Some(path)) => {
            report.of(webhooks::check_secret(path)
                .map(|()| format!("webhooks.secret_file = {} holds a secret", path.display())));
            if url.is_none() {
                report.doubts(
                    "webhooks.secret_file is set and webhooks.url is not: nothing is told to anybody",
                );
            }
        }
    }
}

fn calls(config: &Config, report: &mut Report) {
    match &config.calls.folder {
        None if config.calls.peers.is_empty() => {
            report.holds("calls.dir is not set: no timelines of calls are kept");
        }
        None => report.doubts("calls.peers is set and calls.dir is not: this replica keeps nothing itself"),
        Some(folder) => {
            report.of(timelines::check(&config.calls)
                .map(|()| format!("calls.dir = {} can be written", folder.display())));
        }
    }
    for peer in config.calls.peers.iter().filter(|peer| !peer.path().ends_with('/')) {
        report.wrong(format!("calls.peers: {peer} has to end in /"));
    }
}

fn media(config: &Config, report: &mut Report) {
    let media = &config.media;
    let mut files = Report::default();
    if !media.insecure {
        if let Some(ca) = &media.ca {
            files.with(railgun_tls::check_authority(("media.ca", ca)));
        }
        if let (Some(cert), Some(key)) = (&media.cert, &media.key) {
            files.with(railgun_tls::check_pair(("media.cert", cert), ("media.key", key)));
        }
    }
    // What is wrong with a file, its own sentence says better.
    let is_wrong = files.is_wrong();
    report.with(files);
    match crate::media_client::media_channel(media) {
        Err(error) if !is_wrong => report.wrong(format!("{error:#}")),
        Err(_) => {}
        Ok(_) if config.etcd.is_some() => report.holds("media nodes are those that etcd knows"),
        Ok(_) => report.holds(format!("the media node is at {}", media.url)),
    }
}
