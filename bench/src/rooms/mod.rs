//! Rooms of eight through one worker of the node: how long a packet takes, and how many rooms a core
//! holds.

mod crowd;
mod host;
mod node;
mod pace;
mod wire;

use crate::forward;
use crate::system::enter_network_namespace;
use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use crowd::{Crowd, Figures, PEOPLE_PER_ROOM};
use node::Node;
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;
use wire::Wire;

/// How near to the wanted load is near enough, as a part of the core.
const NEAR: f64 = 0.03;
const TRIES_MAX: usize = 6;
/// What may be lost at the largest number of rooms, as a part of all packets.
const LOSS_MAX: f64 = 1e-4;
/// Before a number is measured.
const WARM_UP: Duration = Duration::from_millis(500);
/// Until the caches of retransmission, which hold two seconds, are full: a virtual machine's host may
/// take milliseconds for each page of memory that is new.
const WARM_UP_VIDEO: Duration = Duration::from_secs(4);
/// From one number of rooms to the next, as a part of what the floor predicts.
const STEP: f64 = 0.05;
/// How often a number is tried until it is held. Now and then a stall, whatever its cause, loses more than
/// the buffer holds far below the limit; what is beyond the worker is lost every time.
const HOLD_TRIES: usize = 3;
/// Where looking for the largest number begins.
const FIRST: f64 = 0.4;
const AUDIO_PER_SECOND: f64 = 50.0;
/// Clients who stand still for more of the time measure themselves.
pub(crate) const PAUSED_MAX: f64 = 0.05;

#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
    /// How long a number of rooms is measured, in s
    #[arg(long, global = true, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: u16,
    /// Everybody has a camera too
    #[arg(long, global = true)]
    video: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Latency with so many rooms
    Of { rooms: u16 },
    /// Latency with as many rooms as load the worker's core so far, in %
    Load { percent: u16 },
    /// As many rooms of talkers as lose at most 0.01 % of their packets, beside the floor's number
    Largest,
}

/// Prints a line for each number of rooms that is tried, or gives them if `json` is set.
pub(crate) fn run(options: &Options, json: bool) -> Result<Value> {
    let options = options.clone();
    let driving = thread::Builder::new().name("clients".into()).spawn(move || drive(&options, json))?;
    driving.join().map_err(|_| anyhow::anyhow!("the clients panicked"))?
}

fn drive(options: &Options, json: bool) -> Result<Value> {
    let cores = thread::available_parallelism()?.get();
    ensure!(cores >= 2, "two cores are needed: the last is the worker's, the first the clients'");
    let floor = match options.what {
        What::Largest => Some(forward::floor_of_audio(PEOPLE_PER_ROOM - 1)?),
        _ => None,
    };
    enter_network_namespace().context("rooms need root")?;
    let wire = Wire::open()?;
    // Nobody may hold back a worker whose limit is looked for.
    let node = Node::start(cores - 1, 0, floor.is_none())?;
    let shares_core = node.shares_core;
    let host_paused = host::pauses(cores - 1)?;
    let mut run = Run {
        crowd: Crowd::new(node, wire, options.video),
        lasting: Duration::from_secs(options.seconds.into()),
        json,
        rows: Vec::new(),
    };
    if !json {
        println!(
            "Rooms of {PEOPLE_PER_ROOM}, everybody talks{}; one worker",
            if options.video { ", everybody has a camera" } else { "" }
        );
        if shares_core {
            println!("Doubtful: the worker has no real-time priority and shares its core");
        }
        println!(
            "{:>6}{:>12}{:>8}{:>12}{:>10}{:>9}{:>9}{:>9}{:>9}",
            "rooms", "packets/s", "core", "ns/packet", "loss", "p50 us", "p90 us", "p99 us", "max us"
        );
    }
    let largest = match options.what {
        What::Of { rooms } => run.measure(rooms.into()).map(|_| None)?,
        What::Load { percent } => run.load(f64::from(percent) / 100.0).map(|()| None)?,
        What::Largest => Some(run.largest(floor.unwrap_or(f64::INFINITY))?),
    };
    let Run { crowd, rows, .. } = run;
    if !json {
        println!("The host stopped the worker's core {:.2} % of the time before that", host_paused * 100.0);
        let last = rows.last().and_then(|row| row.get("core")?.as_f64());
        if largest.is_none() && last.is_some_and(|core| is_of_host(host_paused, core)) {
            println!("Doubtful: that alone makes one packet in a hundred late");
        }
    }
    crowd.stop();
    Ok(json!({
        "video": options.video,
        "seconds": options.seconds,
        "coreShared": shares_core,
        "hostPaused": host_paused,
        "rows": rows,
        "largest": largest,
    }))
}

/// Whether a p99 is the host's. What waited during a pause is caught up with by what the load leaves of
/// the core, and is late until then.
pub(crate) fn is_of_host(host_paused: f64, core: f64) -> bool {
    host_paused / (1.0 - core).max(0.01) > 0.01
}

struct Run {
    crowd: Crowd,
    lasting: Duration,
    json: bool,
    rows: Vec<Value>,
}

impl Run {
    fn measure(&mut self, rooms: usize) -> Result<Figures> {
        self.crowd.grow_to(rooms)?;
        self.crowd.talk(rooms, if self.crowd.has_video { WARM_UP_VIDEO } else { WARM_UP })?;
        let figures = self.crowd.talk(rooms, self.lasting)?;
        let [p50, p90, p99, max] = [0.5, 0.9, 0.99, 1.0].map(|part| figures.latency.quantile(part));
        let sent = figures.asked as f64 * (1.0 - figures.loss());
        let rate = sent / figures.wall.as_secs_f64();
        let ns = figures.node_cpu_ns as f64 / sent.max(1.0);
        if !self.json {
            println!(
                "{rooms:>6}{rate:>12.0}{:>7.1}%{ns:>12.0}{:>9.4}%{p50:>9}{p90:>9}{p99:>9}{max:>9}",
                figures.core() * 100.0,
                figures.loss() * 100.0
            );
            let paused = figures.paused_part();
            if figures.overruns > 0 || paused > PAUSED_MAX {
                let (percent, overruns) = (paused * 100.0, figures.overruns);
                println!(
                    "Doubtful: the clients stood still {percent:.1} % of the time and overran {overruns}"
                );
            }
        }
        self.rows.push(json!({
            "rooms": rooms,
            "packetsPerSecond": rate,
            "core": figures.core(),
            "nsPerPacket": ns,
            "loss": figures.loss(),
            "latencyUs": { "p50": p50, "p90": p90, "p99": p99, "max": max },
            "clientsPaused": figures.paused_part(),
            "clientsOverran": figures.overruns,
        }));
        Ok(figures)
    }

    /// Comes to the wanted load by proportion.
    #[allow(clippy::cast_possible_truncation, reason = "numbers of rooms")]
    fn load(&mut self, wanted: f64) -> Result<()> {
        let mut rooms = 4;
        for _ in 0..TRIES_MAX {
            let core = self.measure(rooms)?.core();
            if (core - wanted).abs() < NEAR {
                break;
            }
            // Batches grow with the load, so it rises by less: at most twice as many at once.
            let factor = (wanted / core.max(0.01)).clamp(0.5, 2.0);
            let next = (rooms as f64 * factor).round().max(1.0) as usize;
            if next == rooms {
                break;
            }
            rooms = next;
        }
        Ok(())
    }

    /// `floor_ns`: of a packet to the seven others.
    #[allow(clippy::cast_possible_truncation, reason = "numbers of rooms")]
    fn largest(&mut self, floor_ns: f64) -> Result<Value> {
        let per_room = PEOPLE_PER_ROOM as f64 * (PEOPLE_PER_ROOM - 1) as f64 * AUDIO_PER_SECOND;
        let predicted = 1e9 / floor_ns / per_room;
        let mut held = 0;
        for step in 0.. {
            let rooms = (predicted * (FIRST + STEP * f64::from(step))) as usize;
            let mut is_held = false;
            for _ in 0..HOLD_TRIES {
                is_held = self.measure(rooms)?.loss() <= LOSS_MAX;
                if is_held {
                    break;
                }
            }
            if !is_held {
                break;
            }
            held = rooms;
        }
        if !self.json {
            println!(
                "{held} rooms held; the floor, {floor_ns:.0} ns a packet, predicts {predicted:.0}: {:.0} %",
                held as f64 / predicted * 100.0
            );
        }
        Ok(json!({ "rooms": held, "floorNsPerPacket": floor_ns, "predictedRooms": predicted }))
    }
}

impl Figures {
    /// Of the worker's core.
    fn core(&self) -> f64 {
        self.node_cpu_ns as f64 / self.wall.as_nanos() as f64
    }

    fn paused_part(&self) -> f64 {
        self.paused.as_secs_f64() / self.wall.as_secs_f64()
    }

    /// In the node; what the clients overran is not.
    fn loss(&self) -> f64 {
        let lost = self.expected.saturating_sub(self.received + self.overruns);
        lost as f64 / self.expected.max(1) as f64
    }
}
