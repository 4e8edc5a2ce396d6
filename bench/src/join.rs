//! How long it takes from opening the connection to the first packet of somebody else's voice, by a
//! client with ICE, DTLS and SRTP of another implementation than the node's.

use crate::server::{Server, Tokens};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use railgun_client::{Client, ClientConfig, Identity, MediaKind, Producer, Source, TransportDirection};
use railgun_protocol::ids::ProducerId;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval, timeout};

const JOINS: u16 = 50;
const CHANNEL: &str = "bench-join";
/// Opus frames: 20 ms, at 48 kHz.
const FRAME: Duration = Duration::from_millis(20);
const FRAME_SAMPLES: u32 = 960;
const FRAME_BYTES: usize = 100;
/// A join that takes longer has failed.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Without `--url` it starts the `railgun` beside this binary on a free port.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// A running server, as http://127.0.0.1:8080; needs tokens, or its /dev/token
    #[arg(long)]
    url: Option<String>,
    /// What its /dev/token wants
    #[arg(long, env = "RAILGUN_DEV_SECRET", hide_env_values = true)]
    dev_secret: Option<String>,
    /// A user's token; the first is the talker's, the others take turns
    #[arg(long, requires = "url")]
    token: Vec<String>,
    /// The standalone server's binary
    #[arg(long, conflicts_with = "url")]
    standalone: Option<PathBuf>,
    #[arg(long, default_value_t = JOINS, value_parser = clap::value_parser!(u16).range(20..=10_000))]
    joins: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { url: None, dev_secret: None, token: Vec::new(), standalone: None, joins: JOINS }
    }
}

/// What a join does, in order. Consuming: transport and consumer made, ICE and DTLS done.
const STEPS: [&str; 4] = ["connected", "joined", "consuming", "first media"];

/// When each of [`STEPS`] was done, since the start.
type Join = [Duration; STEPS.len()];

/// Prints a table to standard output, or gives the figures if `json` is set.
pub(crate) fn run(options: &Options, json: bool) -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let joins = runtime.block_on(measure(options))?;
    let mut figures = serde_json::Map::new();
    if !json {
        println!("Joining, ms since the start of the connection, {} joins one after the other", joins.len());
        println!("{:<16}{:>10}{:>10}{:>10}", "until", "p50", "p99", "max");
    }
    for (place, name) in STEPS.into_iter().enumerate() {
        let mut times: Vec<f64> = joins.iter().map(|join| join[place].as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        if !json {
            let [p50, p99, max] = percentiles(&times);
            println!("{name:<16}{p50:>10.1}{p99:>10.1}{max:>10.1}");
        }
        figures.insert(name.replace(' ', ""), times_json(&times));
    }
    Ok(json!({ "joins": joins.len(), "until": figures }))
}

async fn measure(options: &Options) -> Result<Vec<Join>> {
    let (_server, url, tokens) = match &options.url {
        Some(url) if !options.token.is_empty() => (None, url.clone(), Tokens::Given(options.token.clone())),
        Some(url) => {
            let tokens = Tokens::Endpoint { url: url.clone(), secret: options.dev_secret.clone() };
            (None, url.clone(), tokens)
        }
        None => {
            let server = Server::start(options.standalone.as_deref())?;
            let (url, tokens) = (server.url(), server.tokens());
            (Some(server), url, tokens)
        }
    };
    if let Tokens::Given(tokens) = &tokens {
        ensure!(tokens.len() >= 2, "two tokens at least: one user talks, the others listen");
    }
    // As a browser keeps its key pair ready; making one is not part of joining.
    let identity = Arc::new(Identity::generate()?);
    let config = || ClientConfig { identity: Some(identity.clone()), ..ClientConfig::default() };

    let talker = Client::connect_with(config(), &url, &tokens.get(0)?, None).await?;
    talker.join(CHANNEL).await?;
    let microphone = talker.create_transport(TransportDirection::Send).await?;
    let microphone = microphone.produce(MediaKind::Audio, Source::Mic).await?;
    let producer = microphone.id();
    let talking = tokio::spawn(talk(microphone));

    let mut joins = Vec::new();
    for number in 1..=options.joins {
        let token = tokens.get(number.into())?;
        let join = timeout(JOIN_TIMEOUT, join_once(config(), &url, &token, producer)).await;
        joins.push(join.context("no media within 10 s")?.with_context(|| format!("join {number}"))?);
        if talking.is_finished() {
            bail!("the talker fell silent: {:?}", talking.await);
        }
    }
    talking.abort();
    talker.disconnect().await;
    Ok(joins)
}

async fn join_once(config: ClientConfig, url: &str, token: &str, producer: ProducerId) -> Result<Join> {
    let start = Instant::now();
    let client = Client::connect_with(config, url, token, None).await?;
    let connected = start.elapsed();
    let room = client.join(CHANNEL).await?;
    let joined = start.elapsed();
    let talks = |id| room.participants.iter().flat_map(|it| &it.producers).any(|it| it.producer_id == id);
    ensure!(talks(producer), "the one who talks is not in the room");
    let transport = client.create_transport(TransportDirection::Recv).await?;
    let mut consumer = transport.consume(producer).await?;
    let consuming = start.elapsed();
    let packet = consumer.receive().await.context("the transport ended")?;
    let media = start.elapsed();
    ensure!(packet.payload.len() == FRAME_BYTES, "{} bytes that nobody said", packet.payload.len());
    drop(consumer);
    transport.close().await;
    client.disconnect().await;
    Ok([connected, joined, consuming, media])
}

/// One frame every 20 ms, for ever.
async fn talk(microphone: Producer) -> Result<()> {
    let mut ticks = interval(FRAME);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for timestamp in (0..=u32::MAX).step_by(FRAME_SAMPLES as usize).cycle() {
        ticks.tick().await;
        microphone.send(&[0x78; FRAME_BYTES], false, timestamp).await?;
    }
    Ok(())
}

/// The least of the sorted values that `percent` of them do not exceed.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// The 50th and 99th percentile and the greatest.
pub(crate) fn percentiles(sorted: &[f64]) -> [f64; 3] {
    [50, 99, 100].map(|percent| percentile(sorted, percent))
}

/// [`percentiles`] of times in ms.
pub(crate) fn times_json(sorted: &[f64]) -> Value {
    let [p50, p99, max] = percentiles(sorted);
    json!({ "p50Ms": p50, "p99Ms": p99, "maxMs": max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=50).map(f64::from).collect();
        assert_eq!([50, 98, 99, 100].map(|percent| percentile(&values, percent)), [25.0, 49.0, 50.0, 50.0]);
        assert_eq!(percentile(&[7.0], 50), 7.0);
    }
}
