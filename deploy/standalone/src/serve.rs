//! Both planes in this process. They talk as they do between processes, by gRPC, over a pipe in memory.

use crate::settings;
use anyhow::{Context, bail};
use clap::ArgMatches;
use hyper_util::rt::TokioIo;
use prometheus_client::registry::Registry;
use railgun_control::{Control, DevMode};
use railgun_media::Node;
use railgun_process::{logging, service};
use std::io::{self, Write};
use tokio::io::{DuplexStream, duplex};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

const PIPE_BYTES: usize = 256 * 1024;

fn dev_mode(is_dev: bool) -> anyhow::Result<Option<DevMode>> {
    match is_dev {
        true => Ok(Some(DevMode::new(std::env::var("RAILGUN_DEV_SECRET").ok())?)),
        false => Ok(None),
    }
}

/// `railgun check-config`
pub(crate) async fn check_config(flags: &ArgMatches, is_dev: bool) -> anyhow::Result<()> {
    let (control, media) = settings::load(flags)?;
    let dev = dev_mode(is_dev)?;
    let mut report = railgun_control::check(&control, dev.as_ref(), railgun_control::Links::Inside).await;
    report.with(railgun_media::check(&media, railgun_media::Links::Inside));
    println!("{report}");
    if report.is_wrong() {
        bail!("a start would be refused");
    }
    Ok(())
}

/// `railgun` and `railgun dev`
pub(crate) async fn serve(flags: &ArgMatches, is_dev: bool) -> anyhow::Result<()> {
    let (control, media) = settings::load(flags)?;
    let dev = dev_mode(is_dev)?;
    Control::check(&control, dev.as_ref())?;
    logging::start(control.log_format);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);

    if dev.is_none() {
        let report = railgun_media::check(&media, railgun_media::Links::Inside);
        report.doubtful().for_each(|doubt| tracing::warn!("{doubt}"));
    }
    let node = Node::start(media)?;
    let (channel, incoming) = link();
    let serving = tokio::spawn(node.serve_rpc(incoming, None));
    let mut scraped = Registry::default();
    node.register_metrics(&mut scraped);
    let scheme = if control.https.is_some() { "https" } else { "http" };
    // A fragment never leaves the browser.
    let fragment = dev.as_ref().map_or_else(
        || "token=YOUR_TOKEN".into(),
        |dev| format!("secret={}&channel=lobby&join", dev.secret()),
    );
    let control = match Control::start(control, channel, dev, scraped).await {
        Ok(control) => control,
        Err(error) => {
            node.stop().await;
            return Err(error);
        }
    };
    let page = format!("{scheme}://{}", control.local_addr());
    let more = match control.guest_token() {
        Some(token) => {
            format!("For somebody who must not have the secret, a Pro user for a day: {page}/#token={token}")
        }
        None => format!("`railgun token --user NAME --link {page}` makes a link with a token"),
    };
    // In one piece, and nobody has to read it: whoever wants the first line alone may close the pipe then.
    let text = format!("Open {page}/#{fragment} in Chrome or Chromium\n{more}\n");
    _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    service::ready();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    service::stopping("calls end");
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
