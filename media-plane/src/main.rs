//! `railgun-media`: one media node as a process of its own.

use anyhow::{Context, bail};
use clap::{Arg, ArgMatches, Command};
use railgun_media::{Config, Node, tls};
use railgun_process::logging::may_be_logged;
use railgun_settings::Sources;
use std::io::IsTerminal;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_stream::wrappers::TcpListenerStream;
use tracing::{Level, info, warn};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, whatever RUST_BACKTRACE says: most of these are settings to correct.
            eprintln!("railgun-media: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> anyhow::Result<()> {
    let flags = command().get_matches();
    let config = configuration(&flags)?;
    let tls = match (&config.rpc.tls, config.rpc.insecure) {
        (Some(files), false) => Some(tls::server_config(files)?),
        (None, true) => None,
        (Some(_), true) => bail!("rpc.insecure and tls.ca, tls.cert, tls.key exclude each other"),
        (None, false) => bail!(
            "tls.ca, tls.cert and tls.key are not set: control-planes are told apart by their \
             certificates (rpc.insecure = true allows plain text on loopback, for trials)"
        ),
    };
    if flags.get_flag("check-config") {
        return Ok(());
    }
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    // Colours are for a terminal alone: in a file or a journal their escapes are noise.
    let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let discreet = filter_fn(|line| may_be_logged(line.target(), *line.level() > Level::INFO));
    let written = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(filter).with(discreet).with(written).init();
    // The media threads are the workers' own; this one carries the control link. With a second one each command
    // and each event would go from one to the other several times, which costs more than it asks for.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(config, tls))
}

async fn run(config: Config, tls: Option<tonic::transport::ServerTlsConfig>) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let health = listen("health.listen", config.health_listen).await?;
    let rpc = listen("rpc.listen", config.rpc.listen).await?;
    if config.announced.iter().all(std::net::IpAddr::is_loopback) {
        warn!("only loopback is announced: set announced_address for clients on other machines");
    }
    if config.rtc.relays.is_empty() {
        info!("rtc.relays names no relay: sessions in privacy mode get no media");
    }
    let node_id = config.node_id.clone();
    let mut node = Node::start(config)?;
    let refused = node.refused();
    info!(node = node_id, rpc = %rpc.local_addr()?, health = %health.local_addr()?, tls = tls.is_some(), "media node started");
    let mut rpc = tokio::spawn(node.serve_rpc(TcpListenerStream::new(rpc), tls));
    let health = tokio::spawn(node.serve_health(health));
    let result = tokio::select! {
        _ = terminate.recv() => {
            tokio::select! {
                () = node.drain() => {}
                // Whoever says it twice means now.
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            Ok(())
        }
        _ = interrupt.recv() => Ok(()),
        () = refused => Err(anyhow::anyhow!(
            "node_id = {node_id:?} is taken: a media node that lives is registered under this name in etcd; \
             give each node one of its own (unset, it is the host's name)"
        )),
        result = &mut rpc => result?,
    };
    node.stop().await;
    if !rpc.is_finished() {
        rpc.await??;
    }
    health.await??;
    result
}

async fn listen(key: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{key} = {address} cannot be listened on: is something else running there?"))
}

fn command() -> Command {
    let own = [
        Arg::new("config").long("config").value_name("FILE").help("TOML file of the settings below"),
        Arg::new("check-config")
            .long("check-config")
            .action(clap::ArgAction::SetTrue)
            .help("Read the configuration, say what is wrong with it, and end"),
    ];
    let settings = Config::KEYS
        .map(|(key, help)| Arg::new(key).long(key.replace(['.', '_'], "-")).value_name("VALUE").help(help));
    Command::new("railgun-media")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A media node of Rail Gun: it forwards what control-planes tell it to")
        .args(own)
        .args(settings)
}

fn configuration(flags: &ArgMatches) -> anyhow::Result<Config> {
    let file = match flags.get_one::<String>("config") {
        None => toml::Table::new(),
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("--config {path} cannot be read"))?
            .parse()
            .with_context(|| format!("{path} is not TOML"))?,
    };
    let given = |key: &'static str| Some((key, flags.get_one::<String>(key)?.clone()));
    let flags = Config::KEYS.iter().filter_map(|(key, _)| given(key)).collect();
    Ok(Config::default().with(&Sources { file, env: &|name| std::env::var(name).ok(), flags })?)
}
