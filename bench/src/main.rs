//! `railgun-bench`: what a forwarded packet costs beside what it must cost, and how long joining takes.

mod allocations;
mod forward;
mod join;
mod messages;
mod server;
mod sink;
mod system;

use anyhow::Result;
use clap::{Parser, Subcommand};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

#[derive(Parser)]
#[command(version, about = "Measurements of Rail Gun; bench/README.md says how to read them")]
struct Cli {
    /// One JSON object instead of tables
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// CPU time per forwarded packet, engine and floor
    Forward(forward::Options),
    /// Time from connecting to the first packet of somebody's voice
    Join(join::Options),
    /// Both, with their default options
    All {
        #[command(flatten)]
        forward: forward::Options,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let report = match &cli.what {
        What::Forward(options) => json!({ "forward": forward::run(options, cli.json)? }),
        What::Join(options) => json!({ "join": join::run(options, cli.json)? }),
        What::All { forward } => json!({
            "forward": forward::run(forward, cli.json)?,
            "join": join::run(&join::Options::default(), cli.json)?,
        }),
    };
    if cli.json {
        println!("{report}");
    }
    Ok(())
}
