//! `railgun-bench`: what the node and a whole server cost, each command one question; `bench/README.md`
//! says which.

mod allocations;
mod forward;
mod histogram;
mod html;
mod join;
mod load;
mod machine;
mod memory;
mod messages;
mod rooms;
mod scenario_peers;
mod scenario_report;
mod scenarios;
mod server;
mod setup;
mod sink;
mod sockets;
mod spread;
mod steps;
mod system;
mod usage;

use anyhow::Result;
use clap::{Parser, Subcommand};
use serde_json::json;
use std::path::PathBuf;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

#[derive(Parser)]
#[command(version, about = "Measurements of Rail Gun; bench/README.md says how to read them")]
struct Cli {
    /// One JSON object instead of tables
    #[arg(long, global = true)]
    json: bool,
    /// Also a page with plots, of its own, with the machine's description
    #[arg(long, global = true, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// CPU time per forwarded packet, engine and floor
    Forward(forward::Options),
    /// Time from connecting to the first packet of somebody's voice
    Join(join::Options),
    /// CPU time of the node until a transport is connected
    Setup(setup::Options),
    /// Bytes that the engine keeps for a participant and for a consumer
    Memory(memory::Options),
    /// CPU time per packet of two workers at once beside one alone
    Workers(forward::workers::Options),
    /// Rooms of eight through one worker: latency, and how many it holds
    Rooms(rooms::Options),
    /// Memory of the control-plane for a connected socket, and how many joins a second it takes
    Sockets(sockets::Options),
    /// Rooms full of people in any server: loss, latency, join times, CPU and memory
    Load(load::Options),
    /// Calls over bad networks in virtual time: what each has to show, and what it shows
    Scenarios(scenarios::Options),
    /// Instructions per packet of each step of the packet path, by callgrind
    Steps(steps::Options),
    /// Forward and join, with their default options
    All {
        #[command(flatten)]
        forward: forward::Options,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(path) = &cli.html {
        html::check(path)?;
    }
    // Before measuring, which is a load itself. It starts programs, so not for nobody.
    let machine = (cli.json || cli.html.is_some()).then(machine::describe);
    let mut report = match &cli.what {
        What::Forward(options) => json!({ "forward": forward::run(options, cli.json)? }),
        What::Join(options) => json!({ "join": join::run(options, cli.json)? }),
        What::Setup(options) => json!({ "setup": setup::run(options, cli.json)? }),
        What::Memory(options) => json!({ "memory": memory::run(options, cli.json)? }),
        What::Workers(options) => json!({ "workers": forward::workers::run(options, cli.json)? }),
        What::Rooms(options) => json!({ "rooms": rooms::run(options, cli.json)? }),
        What::Sockets(options) => json!({ "sockets": sockets::run(options, cli.json)? }),
        What::Load(options) => json!({ "load": load::run(options, cli.json)? }),
        What::Scenarios(options) => json!({ "scenarios": scenarios::run(options, cli.json)? }),
        What::Steps(options) => json!({ "steps": steps::run(options, cli.json)? }),
        What::All { forward } => json!({
            "forward": forward::run(forward, cli.json)?,
            "join": join::run(&join::Options::default(), cli.json)?,
        }),
    };
    if let Some(machine) = machine {
        report["machine"] = machine;
    }
    if let Some(path) = &cli.html {
        html::write(path, &report)?;
    }
    if cli.json {
        println!("{report}");
    }
    Ok(())
}
