//! `railgun-media`: one media node as a process of its own.

use anyhow::{Context, bail};
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use railgun_media::{Config, Links, Node, check, control_links, tls};
use railgun_process::{logging, service};
use railgun_settings::{Program, Sources, file_flags};
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match obey(&command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, whatever RUST_BACKTRACE says: most of these are settings to correct.
            eprintln!("railgun-media: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let flags = || file_flags().into_iter().chain(Program::Media.flags());
    let check = "Read the configuration and every file it names, and say what holds and what is wrong";
    let shell = Arg::new("shell").required(true).value_parser(value_parser!(Shell));
    Command::new("railgun-media")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A media node of Rail Gun: it forwards what control-planes tell it to")
        .args_conflicts_with_subcommands(true)
        .args(flags())
        .subcommand(Command::new("check-config").about(check).args(flags()))
        .subcommand(Command::new("completions").about("Print completions for a shell").arg(shell))
}

fn obey(given: &ArgMatches) -> anyhow::Result<()> {
    match given.subcommand() {
        Some(("completions", flags)) => {
            if let Some(shell) = flags.get_one::<Shell>("shell") {
                clap_complete::generate(*shell, &mut command(), "railgun-media", &mut std::io::stdout());
            }
            Ok(())
        }
        Some((_, flags)) => check_config(flags),
        None if given.get_flag("check-config") => check_config(given),
        None => start(given),
    }
}

fn check_config(flags: &ArgMatches) -> anyhow::Result<()> {
    let report = check(&load(flags)?, Links::Configured);
    println!("{report}");
    if report.is_wrong() {
        bail!("a start would be refused");
    }
    Ok(())
}

fn start(flags: &ArgMatches) -> anyhow::Result<()> {
    let config = load(flags)?;
    let tls = tls::of(&config)?;
    logging::start(config.log_format);
    // The media threads are the workers' own; this one carries the control link. With a second one each command
    // and each event would go from one to the other several times, which costs more than it asks for.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(config, tls))
}

async fn run(config: Config, tls: Option<tonic::transport::ServerTlsConfig>) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let health = listen("health.listen", config.health_listen).await?;
    let rpc = listen("rpc.listen", config.rpc.listen).await?;
    check(&config, Links::Configured).doubtful().for_each(|doubt| warn!("{doubt}"));
    if config.rtc.relays.is_empty() {
        info!("rtc.relays names no relay: sessions in privacy mode get no media");
    }
    let node_id = config.node_id.clone();
    let mut node = Node::start(config)?;
    let refused = node.refused();
    info!(node = node_id, rpc = %rpc.local_addr()?, health = %health.local_addr()?, tls = tls.is_some(), "media node started");
    let mut rpc = tokio::spawn(node.serve_rpc(control_links(rpc), tls));
    let health = tokio::spawn(node.serve_health(health));
    service::ready();
    let result = tokio::select! {
        _ = terminate.recv() => {
            service::stopping("rooms move to other nodes");
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

fn load(flags: &ArgMatches) -> anyhow::Result<Config> {
    Ok(Config::default().with(&Sources::of_process(Program::Media, flags)?)?)
}
