//! What a transport costs the node until media can flow: made, checked by ICE, keyed by DTLS. In the engine
//! alone, and in a whole node.

mod consume;
mod node;

use crate::spread::Spread;
use crate::system::thread_cpu_ns;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::{Datagram, Engine, Notice};
use railgun_peer::{Peer, World};
use railgun_protocol::media_rpc::{Address, Command, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::transport_parameters::TransportDirection;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// Turns without a datagram either way that a handshake may need.
const IDLE_TURNS_MAX: usize = 100;
const IDLE: Duration = Duration::from_millis(10);
/// Of the same room, so that the tables have something in them.
const TRANSPORTS_PER_ROOM: usize = 16;

#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    transports: u16,
    /// The node's binary; without it the `railgun-media` beside this program
    #[arg(long)]
    node: Option<PathBuf>,
    /// Without the whole node
    #[arg(long, conflicts_with = "node")]
    engine_only: bool,
}

/// Prints a line to standard output, or gives the figures if `json` is set.
pub(crate) fn run(options: &Options, json: bool) -> Result<Value> {
    let engine = of_engine(options)?;
    if !json {
        println!(
            "Setting up a transport (made, ICE, DTLS), ms of CPU time, {} one after the other",
            options.transports
        );
        print("engine", engine);
    }
    let mut figures = json!({ "transports": options.transports, "cpuMs": engine.json() });
    let consumes = consume::measure()?;
    if !json {
        println!("A consume, us of the engine's CPU time, by the rtpCapabilities it comes with");
        consumes.iter().for_each(|(name, us)| print(name, *us));
    }
    figures["consumeCpuUs"] = consume::json(&consumes);
    if !options.engine_only {
        let transports = usize::from(options.transports);
        let measured = node::measure(options.node.as_deref(), transports, TRANSPORTS_PER_ROOM)?;
        let mean = measured.each.iter().sum::<u64>() as f64 / measured.each.len() as f64 / 1e6;
        let node = Spread::of(measured.each.iter().map(|ns| *ns as f64 / 1e6));
        let idle = measured.idle as f64 / 1e6;
        if !json {
            print("node", node);
            println!("node     mean {mean:.3}; {idle:.2} ms a second when nothing is asked of it");
        }
        figures["nodeCpuMs"] = node.json();
        figures["nodeMeanCpuMs"] = mean.into();
        figures["nodeIdleCpuMsPerSecond"] = idle.into();
    }
    Ok(figures)
}

fn print(what: &str, cost: Spread) {
    println!("{what:<9}median {:.3}  min {:.3}  max {:.3}", cost.median, cost.min, cost.max);
}

fn of_engine(options: &Options) -> Result<Spread> {
    let mut node = Node { engine: World::new(3).engine, now: Instant::now(), ns: 0 };
    // The library seeds its random numbers with the first handshake of a process.
    node.connect(usize::from(options.transports))?;
    let mut costs = Vec::new();
    for number in 0..usize::from(options.transports) {
        costs.push(node.connect(number)? as f64 / 1e6);
    }
    Ok(Spread::of(costs))
}

/// An engine whose CPU time is taken, the client's not.
struct Node {
    engine: Engine,
    now: Instant,
    ns: u64,
}

impl Node {
    fn timed<T>(&mut self, work: impl FnOnce(&mut Engine, Instant) -> T) -> T {
        let before = thread_cpu_ns();
        let done = work(&mut self.engine, self.now);
        self.ns += thread_cpu_ns() - before;
        done
    }

    /// Carries out a command, whose CPU time counts, and gives its reply.
    fn command(&mut self, room: &Address, command: Command) -> Result<Reply> {
        self.timed(|engine, now| engine.handle_command(1, room, command, now, SystemTime::now()));
        self.engine.sends().clear();
        let mut answer = None;
        while let Some(notice) = self.engine.poll_notice() {
            if let Notice::Reply { reply, .. } = notice {
                answer = Some(reply);
            }
        }
        let reply = answer.context("no reply")?;
        reply.map_err(|error| anyhow::anyhow!("refused: {error:?}"))
    }

    /// CPU time of one transport, in ns.
    fn connect(&mut self, number: usize) -> Result<u64> {
        let room = World::room(&format!("setup-{}", number / TRANSPORTS_PER_ROOM));
        let mut request = World::join_request(number as u128 + 1, Tier::Free);
        let (session, direction) = (request.session, TransportDirection::Recv);
        request.limits.participants = u16::try_from(TRANSPORTS_PER_ROOM)?;
        self.command(&room, Command::Join(Box::new(request)))?;
        self.ns = 0;
        let reply = self.command(&room, Command::CreateTransport { session, direction })?;
        let Reply::TransportCreated { transport, parameters, .. } = reply else { bail!("no transport") };
        let [.., high, low] = number.to_be_bytes();
        let address = SocketAddr::from(([10, 9, high, low], 5000));
        let mut peer = Peer::new(transport, address, &parameters, 1 + number as u64, self.now);
        let dtls = peer.dtls_parameters();
        self.command(&room, Command::ConnectTransport { session, transport, dtls })?;
        peer.start(self.now);
        let mut idle = 0;
        while !peer.is_connected() {
            if self.exchange(&mut peer) {
                continue;
            }
            idle += 1;
            ensure!(idle < IDLE_TURNS_MAX, "no handshake");
            self.now += IDLE;
            peer.handle_timeout(self.now);
            self.timed(Engine::handle_timeout);
        }
        self.exchange(&mut peer);
        Ok(self.ns)
    }

    /// Carries what both have to say; whether anything was said.
    fn exchange(&mut self, peer: &mut Peer) -> bool {
        let (outgoing, address) = (peer.take_outgoing(), peer.address);
        for mut bytes in outgoing.iter().cloned() {
            let mut datagrams =
                [Datagram { source: address, bytes: &mut bytes, arrived: self.now, ecn: Ecn::NotEct }];
            self.timed(|engine, now| engine.handle_datagrams(&mut datagrams, now, |_| ()));
            let sends = self.engine.sends();
            for run in sends.runs().iter().filter(|run| run.to == address) {
                for datagram in sends.bytes(run).chunks(run.segment) {
                    peer.receive(datagram, self.now);
                }
            }
            sends.clear();
        }
        while self.engine.poll_notice().is_some() {}
        !outgoing.is_empty()
    }
}
