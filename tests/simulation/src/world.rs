//! A cluster with its people: everything started, everything done that the plan says, everything healed, looked at,
//! and left.

use crate::addresses::{
    RPC_PORT, etcd_address, node_address, person_address, replica_address, rogue_address,
};
use crate::client::{Person, live};
use crate::etcd::{self, Etcd, Faults};
use crate::history;
use crate::kernel::{self, HostId, Nanos, SECOND, Sim, now, set_cut, set_dark};
use crate::known;
use crate::looks;
use crate::plan::{Act, Part, Plan};
use crate::rogue::{self, Rogue};
use crate::room_model;
use crate::rules;
use crate::tokens;
use crate::told::{self, tell};
use crate::tricks::trick_of;
use crate::worker_host::VirtualWorkerHost;
use prometheus_client::registry::Registry;
use railgun_control::auth::JwksSource;
use railgun_control::{Control, JoinLimits, MediaNodes};
use railgun_media::Node;
use railgun_protocol::plan::Tier;
use railgun_settings::EtcdSettings;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

const PREFIX: &str = "/rg/v1";
const SIGNALING_PORT: u16 = 8080;
/// From the last fault to when everybody has to be well.
pub(crate) const CALM: Nanos = 120 * SECOND;
/// From when all leave to when nothing of them may be left.
pub(crate) const EMPTYING: Nanos = 100 * SECOND;

/// What a run came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Outcome {
    pub hash: u64,
    pub broken: Vec<String>,
    pub timeline: Vec<String>,
    pub steps: u64,
    pub datagrams: u64,
    pub joins: u64,
    pub resumes: u64,
    pub packets: u64,
    /// Seconds of people in calls, in virtual time.
    pub call_seconds: u64,
    pub virtual_seconds: u64,
}

/// Handles of what runs.
pub(crate) struct World {
    pub etcd: Etcd,
    etcd_host: HostId,
    pub nodes: Vec<HostId>,
    pub replicas: Vec<HostId>,
    pub people: Vec<Arc<Person>>,
    people_hosts: Vec<HostId>,
    rogue: Arc<Rogue>,
}

fn etcd_settings() -> EtcdSettings {
    EtcdSettings {
        endpoints: vec![format!("http://{}:{}", etcd_address(), etcd::PORT)],
        user: None,
        ca: None,
        identity: None,
        prefix: PREFIX.into(),
    }
}

async fn node(index: usize) {
    let address = node_address(index);
    loop {
        let mut config = railgun_media::Config {
            node_id: format!("media-{index}"),
            announced: vec![address.into()],
            workers: 1,
            ..railgun_media::Config::default()
        };
        config.rtc.listen_ip = Some(address.into());
        config.rpc.listen = SocketAddr::from((address, RPC_PORT));
        config.rpc.insecure = true;
        config.etcd = Some(etcd_settings());
        let Ok(listener) = TcpListener::bind(config.rpc.listen).await else {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        match Node::start_on(config, VirtualWorkerHost) {
            Ok(mut node) => {
                let refused = node.refused();
                tokio::select! {
                    () = refused => {}
                    _ = node.serve_rpc(TcpListenerStream::new(listener), None) => {}
                }
                node.stop().await;
            }
            Err(error) => told::broken("A node starts", || format!("{error:#}")),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn replica(index: usize) {
    let mut config = railgun_control::Config {
        listen: SocketAddr::from((replica_address(index), SIGNALING_PORT)),
        ..railgun_control::Config::default()
    };
    config.operators.listen = None;
    config.auth.jwks = Some(JwksSource::File(tokens::jwks()));
    config.channels.create_on_join = true;
    config.channels.default_tier = Tier::Free;
    config.joins = JoinLimits { per_minute: 0, cooldown: 0 };
    config.media.insecure = true;
    config.etcd = Some(etcd_settings());
    let media = MediaNodes::of(&config).expect("the world's own configuration");
    match Control::start(config, media, None, Registry::default()).await {
        Ok(_control) => std::future::pending().await,
        Err(error) => told::broken("A replica starts", || format!("{error:#}")),
    }
}

impl World {
    fn build(sim: &mut Sim, plan: &Plan) -> Self {
        let size = plan.size;
        let etcd = Etcd::default();
        let etcd_host = sim.host(etcd_address());
        let nodes = (0..size.nodes).map(|it| sim.host(node_address(it))).collect();
        let replicas = (0..size.replicas).map(|it| sim.host(replica_address(it))).collect();
        let addresses: Vec<SocketAddr> =
            (0..size.replicas).map(|it| SocketAddr::from((replica_address(it), SIGNALING_PORT))).collect();
        let mut world = Self {
            etcd,
            etcd_host,
            nodes,
            replicas,
            people: Vec::new(),
            people_hosts: Vec::new(),
            rogue: Arc::default(),
        };
        world.start(sim, Part::Etcd);
        (0..size.nodes).for_each(|it| world.start(sim, Part::Node(it)));
        (0..size.replicas).for_each(|it| world.start(sim, Part::Replica(it)));
        for index in 0..size.people {
            let (ip, pro_until) = (person_address(index), plan.pro_until[index]);
            let person = Person::new(index, ip, addresses.clone(), size.pace, pro_until);
            world.people_hosts.push(sim.host(ip));
            world.people.push(person);
            world.begin_life(sim, index);
        }
        let (host, rogue) = (sim.host(rogue_address()), world.rogue.clone());
        sim.start(host, move || rogue::live(rogue));
        world
    }

    fn begin_life(&self, sim: &mut Sim, who: usize) {
        let person = self.people[who].clone();
        set_dark(person.ip, false);
        sim.start(self.people_hosts[who], move || live(person));
    }

    /// A person's process ends: as a kernel ends it, or with its machine. Nobody says goodbye.
    fn end_life(&self, sim: &mut Sim, who: usize, is_dark: bool) {
        let host = self.people_hosts[who];
        if is_dark {
            sim.power_off(host)
        } else {
            sim.kill(host)
        }
        self.people[who].forget();
    }

    fn host(&self, part: Part) -> HostId {
        match part {
            Part::Etcd => self.etcd_host,
            Part::Node(index) => self.nodes[index],
            Part::Replica(index) => self.replicas[index],
        }
    }

    fn start(&self, sim: &mut Sim, part: Part) {
        let host = self.host(part);
        match part {
            Part::Etcd => {
                let etcd = self.etcd.clone();
                // Whoever leads after a start gives every lease its whole time.
                etcd.change_leader();
                sim.start(host, move || etcd::serve(etcd, etcd_address()));
            }
            Part::Node(index) => {
                looks::forget_engine(host);
                sim.start(host, move || node(index));
            }
            Part::Replica(index) => sim.start(host, move || replica(index)),
        }
    }

    fn cut(&self, sim: &Sim, one: HostId, other: HostId, both: bool, is_cut: bool) {
        let (one, other) = (sim.address(one), sim.address(other));
        set_cut(one, other, is_cut);
        if both {
            set_cut(other, one, is_cut);
        }
    }
}

fn carry_out(world: &Arc<World>, sim: &mut Sim, act: &Act) {
    tell("PLAN", || format!("{act:?}"));
    let person = |index: &usize| &world.people[*index];
    let later = |sim: &Sim, wait: Nanos, what: fn(&World, &mut Sim, Part), part: Part| {
        let world = world.clone();
        sim.after(wait, move |sim| what(&world, sim, part));
    };
    match act {
        Act::Join(who, channel) => person(who).wish(|wish| wish.channel = Some(channel.clone())),
        Act::Leave(who) => person(who).wish(|wish| wish.channel = None),
        Act::Send(who, source) => person(who).wish(|wish| _ = wish.sources.insert(source)),
        Act::Stop(who, source) => person(who).wish(|wish| _ = wish.sources.remove(source)),
        Act::Mute(who, muted) => person(who).wish(|wish| wish.muted = *muted),
        Act::Break(who) => person(who).wish(|wish| wish.breaks = true),
        Act::Deafen(who, lasts) => person(who).wish(|wish| wish.deaf_until = now() + lasts),
        Act::ShowOldToken(who) => person(who).wish(|wish| wish.shows_old_token = true),
        Act::Reload(who) => person(who).wish(|wish| wish.reloads = true),
        Act::Hostile(who, trick, number) => {
            if let Some(hostile) = trick_of(&world.people, *who, *trick, *number) {
                person(who).wish(|wish| wish.hostile.push_back(hostile));
            }
        }
        Act::Rogue(trick, number) => {
            world.rogue.plan(&world.etcd, world.nodes.len(), &world.people, *trick, *number)
        }
        Act::Vanish(who, is_dark, lasts) => {
            world.end_life(sim, *who, *is_dark);
            let (world, who) = (world.clone(), *who);
            sim.after(*lasts, move |sim| world.begin_life(sim, who));
        }
        Act::Kill(part, lasts) => {
            looks::forget_engine(world.host(*part));
            sim.kill(world.host(*part));
            later(sim, *lasts, |world, sim, part| world.start(sim, part), *part);
        }
        Act::PowerOff(part, lasts) => {
            looks::forget_engine(world.host(*part));
            sim.power_off(world.host(*part));
            let relight = |world: &World, sim: &mut Sim, part: Part| {
                set_dark(sim.address(world.host(part)), false);
                world.start(sim, part);
            };
            later(sim, *lasts, relight, *part);
        }
        Act::Pause(part, lasts) => {
            sim.pause(world.host(*part));
            let (world, part, lasts) = (world.clone(), *part, *lasts);
            sim.after(lasts, move |sim| {
                looks::woke(world.host(part), lasts);
                sim.resume(world.host(part));
            });
        }
        Act::Cut(one, other, both, lasts) => {
            let (one, other, both) = (world.host(*one), world.host(*other), *both);
            world.cut(sim, one, other, both, true);
            let world = world.clone();
            sim.after(*lasts, move |sim| world.cut(sim, one, other, both, false));
        }
        Act::CutPerson(who, part, lasts) => {
            let (one, other) = (person_address(*who), sim.address(world.host(*part)));
            set_cut(one, other, true);
            set_cut(other, one, true);
            sim.after(*lasts, move |_| {
                set_cut(one, other, false);
                set_cut(other, one, false);
            });
        }
        Act::NoQuorum(lasts) => {
            etcd_fault(world, sim, Faults { has_no_quorum: true, ..Faults::default() }, *lasts)
        }
        Act::ChangeLeader => world.etcd.change_leader(),
        Act::Compact => world.etcd.compact(),
        Act::WatchLag(lag, lasts) => {
            etcd_fault(world, sim, Faults { watch_lag: *lag, ..Faults::default() }, *lasts);
        }
        Act::CancelWatches(lasts) => {
            etcd_fault(world, sim, Faults { watch_cancelled: 300_000, ..Faults::default() }, *lasts);
        }
        Act::ReplyDelay(delay, lasts) => {
            etcd_fault(world, sim, Faults { reply_delay: *delay, ..Faults::default() }, *lasts);
        }
        Act::Slow(part, turn, lasts) => {
            sim.slow_down(world.host(*part), *turn);
            later(sim, *lasts, |world, sim, part| sim.slow_down(world.host(part), 0), *part);
        }
        Act::Skew(part, nanos) => sim.skew(world.host(*part), *nanos),
    }
}

fn etcd_fault(world: &World, sim: &Sim, faults: Faults, lasts: Nanos) {
    world.etcd.set_faults(faults);
    let etcd = world.etcd.clone();
    sim.after(lasts, move |_| etcd.set_faults(Faults::default()));
}

/// Runs a seed's world with this plan.
pub(crate) fn run(seed: u64, plan: &Plan, wants_timeline: bool) -> Outcome {
    told::begin(wants_timeline);
    known::begin(plan);
    let mut sim = Sim::new(seed);
    room_model::run(seed);
    kernel::set_faults(plan.faults);
    let world = Arc::new(World::build(&mut sim, plan));
    looks::begin(world.etcd.clone());
    history::begin();
    for step in &plan.steps {
        let (world, act) = (world.clone(), step.act.clone());
        kernel::schedule(step.at, move |sim| carry_out(&world, sim, &act));
    }
    looks::watch(world.etcd.clone(), world.people.clone());
    sim.run(plan.size.lasts, told::is_broken);
    if !told::is_broken() {
        let healing = now();
        tell("PLAN", || "everything is healed".into());
        // What the plan mends later it mends by then.
        sim.run(healing + 16 * SECOND, told::is_broken);
        kernel::heal();
        world.etcd.set_faults(Faults::default());
        for host in world.replicas.iter().chain(&world.nodes).chain([&world.etcd_host]) {
            sim.skew(*host, 0);
        }
        sim.run(now() + CALM, told::is_broken);
    }
    if !told::is_broken() {
        rules::everybody_is_well(&world.etcd, &world.people);
    }
    if !told::is_broken() {
        tell("PLAN", || "everybody leaves".into());
        world.people.iter().for_each(|person| person.wish(|wish| wish.channel = None));
        // Every second one without a word.
        for who in (0..world.people.len()).filter(|who| who % 2 == 1) {
            world.end_life(&mut sim, who, who % 4 == 3);
        }
        sim.run(now() + EMPTYING, told::is_broken);
    }
    history::look();
    if !told::is_broken() {
        rules::nothing_is_left(&world.etcd, &world.people);
    }
    let (steps, datagrams) = kernel::steps();
    let of_all =
        |what: fn(&crate::client::Has) -> u64| world.people.iter().map(|it| it.has(|has| what(has))).sum();
    let (joins, resumes, packets) =
        (of_all(|has| has.joins), of_all(|has| has.resumes), of_all(|has| has.packets));
    let (hash, virtual_seconds, call_seconds) = (kernel::trace_hash(), now() / SECOND, looks::call_seconds());
    drop(sim);
    let (timeline, broken) = told::end();
    Outcome {
        hash,
        broken,
        timeline,
        steps,
        datagrams,
        joins,
        resumes,
        packets,
        call_seconds,
        virtual_seconds,
    }
}
