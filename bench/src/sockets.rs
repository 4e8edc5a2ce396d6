//! What a connected socket costs the control-plane in memory, and how many joins a second it takes.

use crate::join::percentile;
use crate::server::{Server, Tokens};
use anyhow::{Context, Result, ensure};
use clap::Args;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use railgun_client::{Client, ClientConfig, Identity};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Sockets that connect at once.
const AT_ONCE: usize = 64;
/// From the last connection until memory is read: handshakes are over, heartbeats have begun.
const SETTLE: Duration = Duration::from_secs(6);
/// People of a room of the highest join rate's rooms.
const ROOM: usize = 8;
/// Joins a second of the first step; each further step is a quarter more.
const FIRST_RATE: f64 = 50.0;
const P99_MAX: Duration = Duration::from_millis(1500);
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts the `railgun` beside this binary on a free port.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The standalone server's binary
    #[arg(long)]
    standalone: Option<PathBuf>,
    /// Sockets that are connected, and ask for nothing
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=9_000))]
    sockets: u32,
    /// How long each join rate is kept up
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=300))]
    seconds: u32,
}

/// One rate, and what became of it.
struct Step {
    rate: f64,
    joins: usize,
    failed: usize,
    /// Sorted, in ms.
    times: Vec<f64>,
}

impl Step {
    fn is_held(&self) -> bool {
        self.failed == 0 && percentile(&self.times, 99) <= P99_MAX.as_secs_f64() * 1e3
    }
}

/// Prints a table to standard output, or gives the figures if `json` is set.
pub(crate) fn run(options: &Options, json: bool) -> Result<Value> {
    let server = Server::start(options.standalone.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let crowd = Crowd {
        url: server.url(),
        tokens: Tokens::Endpoint(server.url()),
        // As a browser keeps its key pair ready; making one is not part of joining.
        identity: Arc::new(Identity::generate()?),
    };
    let before = server.resident_bytes()?;
    let sockets = runtime.block_on(crowd.connect(options.sockets as usize))?;
    let bytes = server.resident_bytes()?.saturating_sub(before) / sockets.len() as u64;
    if !json {
        println!("{} sockets connected: {bytes} B of the server's memory each", sockets.len());
        println!("{:>10}{:>10}{:>10}{:>10}{:>10}", "joins/s", "joins", "failed", "p50 ms", "p99 ms");
    }
    runtime.block_on(async {
        for socket in sockets {
            socket.disconnect().await;
        }
    });
    let (mut steps, mut rate) = (Vec::new(), FIRST_RATE);
    loop {
        let step = runtime.block_on(crowd.join_at(rate, options.seconds))?;
        let (p50, p99) = (percentile(&step.times, 50), percentile(&step.times, 99));
        if !json {
            println!("{:>10.0}{:>10}{:>10}{p50:>10.1}{p99:>10.1}", step.rate, step.joins, step.failed);
        }
        let is_held = step.is_held();
        let figures = json!({ "rate": step.rate, "joins": step.joins, "failed": step.failed, "p50Ms": p50, "p99Ms": p99, "held": is_held });
        steps.push(figures);
        if !is_held {
            break;
        }
        rate *= 1.25;
    }
    Ok(json!({ "sockets": options.sockets, "bytesPerSocket": bytes, "joinRates": steps }))
}

struct Crowd {
    url: String,
    tokens: Tokens,
    identity: Arc<Identity>,
}

impl Crowd {
    async fn connect_one(&self, token: &str) -> Result<Client> {
        let config = ClientConfig { identity: Some(self.identity.clone()), ..ClientConfig::default() };
        Ok(Client::connect_with(config, &self.url, token, None).await?)
    }

    async fn connect(&self, count: usize) -> Result<Vec<Client>> {
        let tokens: Vec<String> = (0..count).map(|number| self.tokens.get(number)).collect::<Result<_>>()?;
        let connecting = futures::stream::iter(&tokens).map(|token| self.connect_one(token));
        let sockets: Vec<Result<Client>> = connecting.buffer_unordered(AT_ONCE).collect().await;
        sleep(SETTLE).await;
        sockets.into_iter().collect::<Result<_>>().context("not every socket was connected")
    }

    /// Joins at this rate whether or not those before are done, each by somebody else; nobody leaves.
    async fn join_at(&self, rate: f64, seconds: u32) -> Result<Step> {
        let joins = (rate * f64::from(seconds)).round();
        ensure!(joins < 8_500.0, "more joins than there are descriptors: give fewer --seconds");
        let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        #[allow(clippy::cast_possible_truncation, reason = "bounded above")]
        let joins = joins as usize;
        let tokens: Vec<String> = (0..joins).map(|number| self.tokens.get(number)).collect::<Result<_>>()?;
        let mut running = FuturesUnordered::new();
        let (mut started, mut people, mut times) = (0, Vec::new(), Vec::new());
        let mut failed = 0;
        while started < joins || !running.is_empty() {
            tokio::select! {
                _ = ticks.tick(), if started < joins => {
                    running.push(self.join(started, &tokens[started], rate));
                    started += 1;
                }
                Some(joined) = running.next() => match joined {
                    Ok((client, took)) => {
                        people.push(client);
                        times.push(Duration::as_secs_f64(&took) * 1e3);
                    }
                    Err(_) => failed += 1,
                },
            }
        }
        for client in people {
            client.disconnect().await;
        }
        times.sort_by(f64::total_cmp);
        Ok(Step { rate, joins, failed, times })
    }

    /// From the start of the connection until the room is joined.
    async fn join(&self, number: usize, token: &str, rate: f64) -> Result<(Client, Duration)> {
        let start = Instant::now();
        let channel = format!("bench-{rate:.0}-{}", number / ROOM);
        let joined = timeout(JOIN_TIMEOUT, async {
            let client = self.connect_one(token).await?;
            client.join(&channel).await?;
            anyhow::Ok(client)
        });
        Ok((joined.await.context("it takes too long")??, start.elapsed()))
    }
}
