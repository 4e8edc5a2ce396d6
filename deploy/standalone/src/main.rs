//! `railgun`: both planes in one process, for trials and small installations; and the tools that every
//! installation needs.
#![forbid(unsafe_code)]

mod doctor;
mod init;
mod serve;
mod settings;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Subcommand, value_parser};
use clap_complete::Shell;
use railgun_control::commands::Tool;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match obey(&command().get_matches()).await {
        Ok(code) => code,
        Err(error) => {
            // One line, whatever RUST_BACKTRACE says: most of these are settings to correct.
            eprintln!("railgun: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let dev =
        "Serve in development mode on this machine: prints a link that lets one in, and one for a friend";
    let check = "Read the configuration and every file it names, and say what holds and what is wrong";
    let shell = Arg::new("shell").required(true).value_parser(value_parser!(Shell));
    let command = Command::new("railgun")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Rail Gun in one process: the page, the signaling and a media node")
        .args_conflicts_with_subcommands(true)
        .args(settings::flags())
        .subcommand(Command::new("dev").about(dev).args(settings::flags()))
        .subcommand(Command::new("check-config").about(check).args(settings::flags()))
        .subcommand(init::Init::augment_args(Command::new("init").about(init::ABOUT)))
        .subcommand(doctor::Doctor::augment_args(Command::new("doctor").about(doctor::ABOUT)))
        .subcommand(Command::new("completions").about("Print completions for a shell").arg(shell));
    Tool::augment_subcommands(command)
}

async fn obey(given: &ArgMatches) -> anyhow::Result<ExitCode> {
    let done = match given.subcommand() {
        None if given.get_flag("check-config") => serve::check_config(given, given.get_flag("dev")).await,
        None => serve::serve(given, given.get_flag("dev")).await,
        Some(("dev", flags)) if flags.get_flag("check-config") => serve::check_config(flags, true).await,
        Some(("dev", flags)) => serve::serve(flags, true).await,
        Some(("check-config", flags)) => serve::check_config(flags, flags.get_flag("dev")).await,
        Some(("init", flags)) => init::Init::from_arg_matches(flags)?.run(),
        Some(("doctor", flags)) => return doctor::Doctor::from_arg_matches(flags)?.run().await,
        Some(("completions", flags)) => {
            if let Some(shell) = flags.get_one::<Shell>("shell") {
                clap_complete::generate(*shell, &mut command(), "railgun", &mut std::io::stdout());
            }
            Ok(())
        }
        Some(_) => Tool::from_arg_matches(given)?.run(),
    };
    done.map(|()| ExitCode::SUCCESS)
}
