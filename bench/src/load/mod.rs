//! Rooms full of people in a server that speaks the protocol: each with a socket, ICE, DTLS and SRTP of
//! its own, as the client of `tests/client` has them, sending recorded speech and pictures.

mod clips;
mod participant;
mod payload;
mod plan;
mod progress;
mod report;
mod sealing;
mod talk;
mod tally;
mod unseal;

pub(crate) use plan::Options;
pub(crate) use report::{BEHIND_MAX, LATENCIES};

use crate::server::{self, Server, Tokens};
use crate::usage::{Usage, dropped_at_full_sockets};
use anyhow::{Context, Result, ensure};
use participant::Load;
use plan::Plan;
use progress::Progress;
use railgun_client::Identity;
use report::{Report, Spent};
use sealing::Encryption;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tally::Tally;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

/// What is still not heard so long after the last change never will be.
const HEARD_TIMEOUT: Duration = Duration::from_secs(10);
const HEARD_POLL: Duration = Duration::from_millis(50);
/// For what is on its way when measuring ends.
const ARRIVAL_TIME: Duration = Duration::from_millis(500);
/// Time until everybody sends with the epoch that the last participant got.
const KEYS_SETTLE: Duration = Duration::from_secs(1);
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Prints a table to standard output, or gives the figures if `json` is set.
pub(crate) fn run(options: &Options, json: bool) -> Result<Value> {
    let plan = Arc::new(Plan::of(options)?);
    let server = match &options.url {
        Some(_) => None,
        None => Some(start(options)?),
    };
    let url = options.url.clone().or_else(|| server.as_ref().map(Server::url)).context("no server")?;
    let mut pids = options.server_pid.clone();
    pids.extend(server.as_ref().map(Server::pid));
    let load = Load {
        tokens: tokens(options, server.as_ref(), &url, plan.people())?,
        url,
        encryption: Encryption::of(options, &plan)?,
        run: format!("{:x}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros()),
        plan,
        tally: Arc::default(),
        identity: Arc::new(Identity::generate()?),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(drive(Arc::new(load), options, &pids, json))
}

/// Starts the `railgun` that the load runs against; its channels are encrypted end to end if the options ask for keys.
fn start(options: &Options) -> Result<Server> {
    let is_encrypted = options.invite.is_some() || options.mls;
    let encryption = if is_encrypted { "endToEnd" } else { "transport" };
    Server::start_with(options.standalone.as_deref(), &[("RAILGUN_CHANNELS_DEFAULT_ENCRYPTION", encryption)])
}

fn tokens(options: &Options, ours: Option<&Server>, url: &str, people: usize) -> Result<Tokens> {
    if let Some(server) = ours {
        return Ok(server.tokens());
    }
    let Some(path) = &options.token_file else {
        let url = options.token_url.clone().unwrap_or_else(|| url.to_owned());
        return Ok(Tokens::Endpoint { url, secret: options.dev_secret.clone() });
    };
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let tokens: Vec<String> =
        text.lines().map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
    ensure!(tokens.len() >= people, "{} has {} tokens for {people} people", path.display(), tokens.len());
    Ok(Tokens::Given(tokens))
}

async fn drive(load: Arc<Load>, options: &Options, pids: &[u32], json: bool) -> Result<Value> {
    let (stop, stopped) = watch::channel(false);
    let interrupted = interruption()?;
    let (plan, tally) = (load.plan.clone(), load.tally.clone());
    let progress = Progress::start(plan.clone(), tally.clone());
    let mut people = join_all(&load, &stopped, interrupted.clone()).await;
    ensure!(tally.joined.load(Ordering::Relaxed) > 0, "nobody could join: {:?}", tally.failures());
    wait_until_heard(&plan, &tally, interrupted.clone()).await;
    if matches!(load.encryption, Encryption::Group(_)) {
        wait(KEYS_SETTLE, interrupted.clone()).await;
    }

    let measured = Measured::begin(pids, &options.metrics)?;
    tally.begin();
    wait(plan.measured, interrupted.clone()).await;
    tally.end();
    let spent = measured.end()?;
    sleep(ARRIVAL_TIME).await;
    drop(progress);

    let report = Report::new(&plan, &tally, spent);
    if !json {
        report.print();
    }
    if options.linger && !*interrupted.borrow() {
        eprintln!("Staying in the call until interrupted");
        wait(Duration::MAX, interrupted).await;
    }
    stop.send_replace(true);
    // Who does not leave in time is gone with this process anyway.
    _ = timeout(LEAVE_TIMEOUT, async { while people.join_next().await.is_some() {} }).await;
    Ok(report.json())
}

/// Becomes true at the first SIGINT or SIGTERM.
fn interruption() -> Result<watch::Receiver<bool>> {
    let (told, interrupted) = watch::channel(false);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.send_replace(true);
        // Kept: without it the receivers would think that nobody can interrupt any more.
        told.closed().await;
    });
    Ok(interrupted)
}

async fn wait(time: Duration, mut interrupted: watch::Receiver<bool>) {
    _ = timeout(time, interrupted.wait_for(|it| *it)).await;
}

/// Starts everybody at the planned rate, and waits until each has joined or failed.
async fn join_all(
    load: &Arc<Load>,
    stopped: &watch::Receiver<bool>,
    interrupted: watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut people = JoinSet::new();
    let mut ticks = interval(Duration::from_secs_f64(1.0 / load.plan.join_rate));
    let is_interrupted = || *interrupted.borrow();
    for number in 0..load.plan.people() {
        ticks.tick().await;
        if is_interrupted() {
            return people;
        }
        people.spawn(participant::take_part(load.clone(), load.plan.place(number), stopped.clone()));
    }
    let is_done = || {
        let Tally { joined, failed, .. } = &*load.tally;
        joined.load(Ordering::Relaxed) + failed.load(Ordering::Relaxed) >= load.plan.people()
    };
    while !is_done() && !is_interrupted() {
        sleep(HEARD_POLL).await;
    }
    people
}

/// Until everybody gets something of everybody, or nothing more happens.
async fn wait_until_heard(plan: &Plan, tally: &Tally, interrupted: watch::Receiver<bool>) {
    let (mut heard, mut since) = (0, Instant::now());
    while heard < plan.streams() && since.elapsed() < HEARD_TIMEOUT && !*interrupted.borrow() {
        sleep(HEARD_POLL).await;
        let now = tally.heard.load(Ordering::Relaxed);
        if now != heard {
            (heard, since) = (now, Instant::now());
        }
    }
}

/// What processes had used when measuring began.
struct Measured {
    began: Instant,
    own: Usage,
    dropped: u64,
    servers: Vec<(u32, Usage)>,
    counters: Vec<(String, BTreeMap<String, f64>)>,
}

impl Measured {
    fn begin(pids: &[u32], metrics: &[String]) -> Result<Self> {
        let servers = pids.iter().map(|pid| Ok((*pid, Usage::of(*pid)?))).collect::<Result<_>>()?;
        let counters = metrics.iter().map(|url| Ok((url.clone(), scrape(url)?))).collect::<Result<_>>()?;
        let (own, dropped) = (Usage::of(process::id())?, dropped_at_full_sockets()?);
        Ok(Self { began: Instant::now(), own, dropped, servers, counters })
    }

    fn end(self) -> Result<Spent> {
        let wall = self.began.elapsed();
        let (own, dropped) = (Usage::of(process::id())?, dropped_at_full_sockets()?);
        let servers = self.servers.into_iter().map(|(pid, before)| {
            let now = Usage::of(pid)?;
            Ok((pid, now.cpu.saturating_sub(before.cpu), now))
        });
        let mut grown = BTreeMap::new();
        for (url, before) in self.counters {
            for (name, now) in scrape(&url)? {
                let by = now - before.get(&name).copied().unwrap_or(0.0);
                if by != 0.0 {
                    *grown.entry(name).or_insert(0.0) += by;
                }
            }
        }
        Ok(Spent {
            wall,
            own: (own.cpu.saturating_sub(self.own.cpu), own),
            dropped: dropped.saturating_sub(self.dropped),
            servers: servers.collect::<Result<_>>()?,
            grown,
        })
    }
}

/// The samples of an exposition in Prometheus' text format, but for those of histograms.
fn scrape(url: &str) -> Result<BTreeMap<String, f64>> {
    let text = server::get(url)?;
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket{"));
    let samples = samples.filter_map(|line| line.rsplit_once(' '));
    Ok(samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
}
