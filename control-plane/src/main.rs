//! `railgun-control`: serves the control-plane, and makes tokens and certificates for trials.
#![forbid(unsafe_code)]

use anyhow::bail;
use clap::{Arg, ArgMatches, Command, FromArgMatches, Subcommand, value_parser};
use clap_complete::Shell;
use prometheus_client::registry::Registry;
use railgun_control::commands::Tool;
use railgun_control::{Config, Control, Links, MediaNodes};
use railgun_process::{logging, service};
use railgun_settings::{Program, Sources, file_flags};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match obey(&command().get_matches()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, whatever RUST_BACKTRACE says: most of these are settings to correct.
            eprintln!("railgun-control: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let flags = || file_flags().into_iter().chain(Program::Control.flags());
    let serve = Command::new("serve")
        .about("Serve the page and the signaling")
        .long_about("Every flag is also a key of the file and a variable of the environment; the flag wins.");
    let check = "Read the configuration and every file it names, and say what holds and what is wrong";
    let shell = Arg::new("shell").required(true).value_parser(value_parser!(Shell));
    let command = Command::new("railgun-control")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The control-plane of Rail Gun: sessions, entitlements, rooms")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(serve.args(flags()))
        .subcommand(Command::new("check-config").about(check).args(flags()))
        .subcommand(Command::new("completions").about("Print completions for a shell").arg(shell));
    Tool::augment_subcommands(command)
}

async fn obey(given: &ArgMatches) -> anyhow::Result<()> {
    match given.subcommand() {
        Some(("serve", flags)) if flags.get_flag("check-config") => check(flags).await,
        Some(("serve", flags)) => serve(flags).await,
        Some(("check-config", flags)) => check(flags).await,
        Some(("completions", flags)) => {
            if let Some(shell) = flags.get_one::<Shell>("shell") {
                clap_complete::generate(*shell, &mut command(), "railgun-control", &mut std::io::stdout());
            }
            Ok(())
        }
        _ => Tool::from_arg_matches(given)?.run(),
    }
}

async fn check(flags: &ArgMatches) -> anyhow::Result<()> {
    let report = railgun_control::check(&load(flags)?, None, Links::Configured).await;
    println!("{report}");
    if report.is_wrong() {
        bail!("a start would be refused");
    }
    Ok(())
}

async fn serve(flags: &ArgMatches) -> anyhow::Result<()> {
    let config = load(flags)?;
    logging::start(config.log_format);
    let nodes = MediaNodes::of(&config)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let control = Control::start(config, nodes, None, Registry::default()).await?;
    service::ready();
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    service::stopping("sessions go to other replicas");
    control.stop().await;
    Ok(())
}

fn load(flags: &ArgMatches) -> anyhow::Result<Config> {
    Ok(Config::default().with(&Sources::of_process(Program::Control, flags)?)?)
}
