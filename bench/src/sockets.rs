//! What a connected socket costs the control-plane in memory, and how many joins a second it takes.

use crate::join::percentile;
use crate::server::{Server, Tokens};
use anyhow::{Context, Result, ensure};
use clap::Args;
use futures::StreamExt;
use railgun_client::{Client, ClientConfig, Identity};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Sockets that connect at once.
const AT_ONCE: usize = 64;
/// From the last connection until memory is read: handshakes are over, heartbeats have begun.
const SETTLE: Duration = Duration::from_secs(6);
/// Of those who join, in a room.
const ROOM: usize = 8;
/// Joins a second of the first step; each further step is a quarter more, for so many seconds.
const FIRST_RATE: f64 = 50.0;
const STEP_UP: f64 = 1.25;
const TRY_SECONDS: u32 = 5;
/// By which a rate that is not held is lowered.
const STEP_DOWN: f64 = 1.1;
/// How long whoever joined stays, unless that were more people at once than there are descriptors.
const STAY: Duration = Duration::from_secs(8);
const STANDING_MAX: f64 = 8_500.0;
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
    /// How long the highest join rate has to be kept up
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=300))]
    seconds: u32,
}

/// One rate, and what became of it.
struct Step {
    rate: f64,
    seconds: u32,
    joins: usize,
    failed: usize,
    /// Sorted, in ms.
    times: Vec<f64>,
}

impl Step {
    fn is_held(&self) -> bool {
        self.failed == 0 && percentile(&self.times, 99) <= P99_MAX.as_secs_f64() * 1e3
    }

    fn show(&self, json: bool) -> Value {
        let Self { rate, seconds, joins, failed, times } = self;
        let (p50, p99) = (percentile(times, 50), percentile(times, 99));
        if !json {
            println!("{rate:>10.0}{seconds:>10}{joins:>10}{failed:>10}{p50:>10.1}{p99:>10.1}");
        }
        let held = self.is_held();
        json!({
            "rate": rate, "seconds": seconds, "joins": joins, "failed": failed,
            "p50Ms": p50, "p99Ms": p99, "held": held,
        })
    }
}

/// Prints a table to standard output, or gives the figures if `json` is set.
pub(crate) fn run(options: &Options, json: bool) -> Result<Value> {
    let server = Server::start(options.standalone.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut crowd = Crowd {
        endpoint: server.tokens(),
        tokens: Vec::new(),
        door: Arc::new(Door {
            url: server.url(),
            // As a browser keeps its key pair ready; making one is not part of joining.
            identity: Arc::new(Identity::generate()?),
        }),
    };
    let before = server.resident_bytes()?;
    let sockets = runtime.block_on(crowd.connect(options.sockets as usize))?;
    let bytes = server.resident_bytes()?.saturating_sub(before) / sockets.len() as u64;
    if !json {
        println!("{} sockets connected: {bytes} B of the server's memory each", sockets.len());
        println!(
            "{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "joins/s", "seconds", "joins", "failed", "p50 ms", "p99 ms"
        );
    }
    runtime.block_on(async {
        let mut ending: JoinSet<()> = sockets.into_iter().map(leave).collect();
        while ending.join_next().await.is_some() {}
    });
    let (steps, highest) = highest_rate(&runtime, &mut crowd, options.seconds, json)?;
    if !json {
        println!("{highest:.0} joins a second, held for {} s", options.seconds);
    }
    Ok(json!({
        "sockets": options.sockets, "bytesPerSocket": bytes, "joinRates": steps, "highestRate": highest,
    }))
}

/// Goes up until a rate is not held even for a short time, and down from there until one is held for the
/// whole time. Gives every step, and that rate.
fn highest_rate(runtime: &Runtime, crowd: &mut Crowd, seconds: u32, json: bool) -> Result<(Vec<Value>, f64)> {
    let (mut steps, mut rate) = (Vec::new(), FIRST_RATE);
    loop {
        let step = runtime.block_on(crowd.join_at(rate, TRY_SECONDS))?;
        steps.push(step.show(json));
        if !step.is_held() {
            break;
        }
        rate *= STEP_UP;
    }
    loop {
        rate /= STEP_DOWN;
        ensure!(rate >= 1.0, "not even one join a second is held");
        let step = runtime.block_on(crowd.join_at(rate, seconds))?;
        steps.push(step.show(json));
        if step.is_held() {
            return Ok((steps, rate));
        }
    }
}

async fn leave(client: Client) {
    client.disconnect().await;
}

struct Crowd {
    endpoint: Tokens,
    /// By user: those that were needed so far.
    tokens: Vec<String>,
    door: Arc<Door>,
}

/// What everybody connects with.
struct Door {
    url: String,
    identity: Arc<Identity>,
}

impl Door {
    async fn connect(&self, token: &str) -> Result<Client> {
        let config = ClientConfig { identity: Some(self.identity.clone()), ..ClientConfig::default() };
        Ok(Client::connect_with(config, &self.url, token, None).await?)
    }

    /// From the start of the connection until the room is joined.
    async fn join(&self, channel: &str, token: &str) -> Result<(Client, Duration)> {
        let start = Instant::now();
        let joined = timeout(JOIN_TIMEOUT, async {
            let client = self.connect(token).await?;
            client.join(channel).await?;
            anyhow::Ok(client)
        });
        Ok((joined.await.context("it takes too long")??, start.elapsed()))
    }
}

impl Crowd {
    /// The tokens of so many users.
    fn tokens(&mut self, count: usize) -> Result<&[String]> {
        for number in self.tokens.len()..count {
            self.tokens.push(self.endpoint.get(number)?);
        }
        Ok(&self.tokens[..count])
    }

    async fn connect(&mut self, count: usize) -> Result<Vec<Client>> {
        let door = self.door.clone();
        let connecting = futures::stream::iter(self.tokens(count)?).map(|token| door.connect(token));
        let sockets: Vec<Result<Client>> = connecting.buffer_unordered(AT_ONCE).collect().await;
        sleep(SETTLE).await;
        sockets.into_iter().collect::<Result<_>>().context("not every socket was connected")
    }

    /// Joins at this rate whether or not those before are done, each by somebody else, who stays for a
    /// while and goes.
    async fn join_at(&mut self, rate: f64, seconds: u32) -> Result<Step> {
        let stay = STAY.min(Duration::from_secs_f64(STANDING_MAX / rate));
        #[allow(clippy::cast_possible_truncation, reason = "some thousands")]
        let joins = (rate * f64::from(seconds)).round() as usize;
        let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let door = self.door.clone();
        let mut running = JoinSet::new();
        for (number, token) in self.tokens(joins)?.iter().enumerate() {
            ticks.tick().await;
            let (door, token) = (door.clone(), token.clone());
            let channel = format!("bench-{rate:.0}-{seconds}-{}", number / ROOM);
            running.spawn(async move {
                let (client, took) = door.join(&channel, &token).await?;
                sleep(stay).await;
                leave(client).await;
                anyhow::Ok(took)
            });
        }
        let (mut times, mut failed) = (Vec::new(), 0);
        while let Some(joined) = running.join_next().await {
            match joined? {
                Ok(took) => times.push(Duration::as_secs_f64(&took) * 1e3),
                Err(_) => failed += 1,
            }
        }
        times.sort_by(f64::total_cmp);
        Ok(Step { rate, seconds, joins, failed, times })
    }
}
