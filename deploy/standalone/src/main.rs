//! `railgun`: both planes in one process, for trials and small installations. The planes talk as
//! they do between processes, by gRPC, over a pipe in memory.
#![forbid(unsafe_code)]

mod settings;

use anyhow::Context;
use hyper_util::rt::TokioIo;
use prometheus_client::registry::Registry;
use railgun_control::{Control, DevMode};
use railgun_media::Node;
use railgun_process::logging::may_be_logged;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use tokio::io::{DuplexStream, duplex};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PIPE_BYTES: usize = 256 * 1024;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, whatever RUST_BACKTRACE says: most of these are settings to correct.
            eprintln!("railgun: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let flags = settings::command().get_matches();
    let (control, media) = settings::load(&flags)?;
    let dev = match flags.get_flag("dev") {
        true => Some(DevMode::new(std::env::var("RAILGUN_DEV_SECRET").ok())?),
        false => None,
    };
    Control::check(&control, dev.as_ref())?;
    if flags.get_flag("check-config") {
        println!("the configuration is good");
        return Ok(());
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Colours are for a terminal alone: in a file or a journal their escapes are noise.
    let ansi = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let discreet = filter_fn(|line| may_be_logged(line.target(), *line.level() > Level::INFO));
    let written = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(io::stderr);
    tracing_subscriber::registry().with(filter).with(discreet).with(written).init();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);

    let node = Node::start(media)?;
    let (channel, incoming) = link();
    let serving = tokio::spawn(node.serve_rpc(incoming, None));
    let mut scraped = Registry::default();
    node.register_metrics(&mut scraped);
    // A fragment never leaves the browser.
    let fragment =
        dev.as_ref().map_or_else(|| "token=YOUR_TOKEN".into(), |dev| format!("secret={}", dev.secret()));
    let control = match Control::start(control, channel, dev, scraped).await {
        Ok(control) => control,
        Err(error) => {
            node.stop().await;
            return Err(error);
        }
    };
    println!("Open http://{}/#{fragment} in Chrome or Chromium", control.local_addr());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // First the sessions, so that each says goodbye to its room; then the rooms.
    control.stop().await;
    node.stop().await;
    serving.await?.context("the link between the planes")
}

/// The control-plane's channel, and what the node sees of it: a pipe per connection that it makes.
fn link() -> (Channel, ReceiverStream<io::Result<DuplexStream>>) {
    let (ends, incoming) = mpsc::channel(1);
    let connect = tower::service_fn(move |_| {
        let ends = ends.clone();
        async move {
            let (ours, theirs) = duplex(PIPE_BYTES);
            ends.send(Ok(theirs)).await.map_err(io::Error::other)?;
            Ok::<_, io::Error>(TokioIo::new(ours))
        }
    });
    // The name is never resolved.
    let channel = Endpoint::from_static("http://media").connect_with_connector_lazy(connect);
    (channel, ReceiverStream::new(incoming))
}
