//! A cluster with its people: everything started, everything done that the plan says, everything healed, looked at,
//! and left.

use crate::addresses::{
    SIGNALING_PORT, balancer_address, etcd_address, hooks_address, node_address, operator_address,
    person_address, relay_address, replica_address, rogue_address,
};
use crate::balancer;
use crate::calls;
use crate::client::{Person, live};
use crate::etcd::{self, Etcd, Faults};
use crate::history;
use crate::hooks::{self, Hooks};
use crate::kernel::{self, HostId, Nanos, SECOND, Sim, now, set_cut, set_dark, set_full, set_mute, set_rate};
use crate::known;
use crate::looks;
use crate::messages;
use crate::operator::{self, Operator};
use crate::plan::{Act, Part, Plan};
use crate::programs::{node, replica};
use crate::relay;
use crate::rogue::{self, Rogue};
use crate::room_model;
use crate::rules;
use crate::slots;
use crate::tokens;
use crate::told::{self, tell};
use crate::tricks::trick_of;
use railgun_protocol::limits::{VIDEO_PUBLISHERS_FREE, VIDEO_PUBLISHERS_PRO};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::sync::Notify;

/// From the last fault to when everybody has to be well.
pub(crate) const CALM: Nanos = 120 * SECOND;
/// From when all leave to when nothing of them may be left.
pub(crate) const EMPTYING: Nanos = 100 * SECOND;

/// Within which all questions about calls are answered.
const CALLS_ARE_TOLD: Nanos = 120 * SECOND;

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
    operator: Arc<Operator>,
    operator_host: HostId,
    hooks: Arc<Hooks>,
    hooks_host: HostId,
    relay: HostId,
    is_balanced: bool,
    /// SIGTERM of each node, and of each replica.
    ends: (Vec<Arc<Notify>>, Vec<Arc<Notify>>),
}

impl World {
    pub(crate) fn build(sim: &mut Sim, plan: &Plan) -> Self {
        let size = plan.size;
        let etcd = Etcd::new(plan.begins.revision);
        let etcd_host = sim.host(etcd_address());
        let nodes = (0..size.nodes).map(|it| sim.host(node_address(it))).collect();
        let replicas = (0..size.replicas).map(|it| sim.host(replica_address(it))).collect();
        let way_in = |it| match plan.balancer {
            Some(_) => SocketAddr::from((balancer_address(), balancer::PORT)),
            None => SocketAddr::from((replica_address(it), SIGNALING_PORT)),
        };
        let addresses: Vec<SocketAddr> = (0..size.replicas).map(way_in).collect();
        let mut world = Self {
            etcd,
            etcd_host,
            nodes,
            replicas,
            people: Vec::new(),
            people_hosts: Vec::new(),
            rogue: Arc::default(),
            operator: Operator::new(Vec::new()),
            operator_host: sim.host(operator_address()),
            hooks: Arc::default(),
            hooks_host: sim.host(hooks_address()),
            relay: sim.host(relay_address()),
            is_balanced: plan.balancer.is_some(),
            ends: (
                (0..size.nodes).map(|_| Arc::default()).collect(),
                (0..size.replicas).map(|_| Arc::default()).collect(),
            ),
        };
        world.operator = Operator::new(world.replicas.clone());
        // Before the replicas, which fetch keys there.
        let hooks = world.hooks.clone();
        sim.start(world.hooks_host, move || hooks::serve(hooks));
        world.start(sim, Part::Relay);
        world.start(sim, Part::Etcd);
        (0..size.nodes).for_each(|it| world.start(sim, Part::Node(it)));
        (0..size.replicas).for_each(|it| world.start(sim, Part::Replica(it)));
        if let Some(telling) = plan.balancer {
            let host = sim.host(balancer_address());
            sim.start(host, move || balancer::serve(size.replicas, telling));
        }
        for index in 0..size.people {
            let (ip, pro_until) = (person_address(index), plan.pro_until[index]);
            let is_private = plan.is_private[index];
            if is_private {
                kernel::hide(ip);
            }
            let person = Person::new(
                index,
                ip,
                addresses.clone(),
                size.pace,
                pro_until,
                is_private,
                (plan.video[index], plan.carriage[index]),
            );
            world.people_hosts.push(sim.host(ip));
            world.people.push(person);
            world.begin_life(sim, index);
        }
        let (host, rogue) = (sim.host(rogue_address()), world.rogue.clone());
        sim.start(host, move || rogue::live(rogue));
        let operator = world.operator.clone();
        sim.start(world.operator_host, move || operator::live(operator));
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
            Part::Relay => self.relay,
        }
    }

    /// Where people's packets for a part go.
    fn seen_by_people(&self, sim: &Sim, part: Part) -> Ipv4Addr {
        match part {
            Part::Replica(_) if self.is_balanced => balancer_address(),
            part => sim.address(self.host(part)),
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
                let end = self.ends.0[index].clone();
                sim.start(host, move || node(index, end));
            }
            Part::Replica(index) => {
                let end = self.ends.1[index].clone();
                let count = self.replicas.len();
                sim.start(host, move || replica(index, count, end));
            }
            Part::Relay => {
                let nodes = (0..self.nodes.len()).map(node_address).collect();
                sim.start(host, move || relay::serve(nodes));
            }
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
        Act::Roam(who) => person(who).wish(|wish| wish.roams = true),
        Act::Narrow(who, is_up, rate, lasts) => {
            let (address, is_up) = (person_address(*who), *is_up);
            set_rate(address, is_up, Some(*rate));
            sim.after(*lasts, move |_| set_rate(address, is_up, None));
        }
        Act::Deafen(who, lasts) => person(who).wish(|wish| wish.deaf_until = now() + lasts),
        Act::ShowOldToken(who) => person(who).wish(|wish| wish.shows_old_token = true),
        Act::Reload(who) => person(who).wish(|wish| wish.reloads = true),
        Act::Hostile(who, trick, number) => {
            if let Some(hostile) = trick_of(&world.people, *who, *trick, *number) {
                person(who).wish(|wish| wish.hostile.push_back(hostile));
            }
        }
        Act::Chore(who, kind, number) => person(who).wish(|wish| wish.chores.push_back((*kind, *number))),
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
            if let Part::Replica(index) = part {
                calls::tear(*index);
            }
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
            let (one, other) = (person_address(*who), world.seen_by_people(sim, *part));
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
        Act::Drift(part, ppm) => sim.drift(world.host(*part), *ppm),
        Act::DriftPerson(who, ppm) => sim.drift(world.people_hosts[*who], *ppm),
        Act::ReplyLost(rate, lasts) => {
            etcd_fault(world, sim, Faults { reply_lost: *rate, ..Faults::default() }, *lasts);
        }
        Act::Reset(one, other) => {
            kernel::reset(sim.address(world.host(*one)), sim.address(world.host(*other)));
        }
        Act::ResetPerson(who, part) => {
            kernel::reset(person_address(*who), world.seen_by_people(sim, *part));
        }
        Act::SendsFail(part, lasts) => {
            set_mute(sim.address(world.host(*part)), true);
            later(sim, *lasts, |world, sim, part| set_mute(sim.address(world.host(part)), false), *part);
        }
        Act::DiskFull(replica, lasts) => {
            set_full(world.replicas[*replica].number(), true);
            later(
                sim,
                *lasts,
                |world, _, part| set_full(world.host(part).number(), false),
                Part::Replica(*replica),
            );
        }
        Act::End(part, lasts) => {
            match part {
                Part::Node(index) => {
                    looks::ends(world.nodes[*index]);
                    world.ends.0[*index].notify_waiters();
                }
                Part::Replica(index) => world.ends.1[*index].notify_waiters(),
                Part::Etcd | Part::Relay => {}
            }
            later(sim, *lasts, |world, sim, part| world.start(sim, part), *part);
        }
        Act::AskForCalls(channel) => world.operator.ask_for_calls(channel),
        Act::Operate(deed, number) => world.operator.plan(world.nodes.len(), &world.people, *deed, *number),
        Act::HooksRefused(silently, lasts) => {
            world.hooks.refuse(Some(*silently));
            let hooks = world.hooks.clone();
            sim.after(*lasts, move |_| hooks.refuse(None));
        }
    }
}

fn etcd_fault(world: &World, sim: &Sim, faults: Faults, lasts: Nanos) {
    world.etcd.set_faults(faults);
    let etcd = world.etcd.clone();
    sim.after(lasts, move |_| etcd.set_faults(Faults::default()));
}

/// Of any room: an operator may make one larger.
pub(crate) fn slot_limit() -> u64 {
    u64::from(if known::is_resized() { VIDEO_PUBLISHERS_PRO } else { VIDEO_PUBLISHERS_FREE })
}

/// Runs a seed's world with this plan.
pub(crate) fn run(seed: u64, plan: &Plan, wants_timeline: bool) -> Outcome {
    told::begin(wants_timeline);
    known::begin(plan);
    let mut sim = Sim::new(seed);
    kernel::set_epoch(plan.begins.clocks);
    if !plan.is_blind {
        room_model::run(seed);
    }
    kernel::set_faults(plan.faults);
    let world = Arc::new(World::build(&mut sim, plan));
    tell("PLAN", || match plan.balancer {
        None => format!("people reach replicas by {:?}", plan.carriage),
        Some(telling) => {
            format!("people reach replicas by {:?}, through a balancer: {telling:?}", plan.carriage)
        }
    });
    looks::begin(world.etcd.clone());
    history::begin();
    slots::begin(slot_limit());
    messages::begin();
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
            sim.drift(*host, 0);
        }
        world.people_hosts.iter().for_each(|host| sim.drift(*host, 0));
        world.hooks.refuse(None);
        world.operator.undo();
        sim.run(now() + CALM, told::is_broken);
    }
    if !told::is_broken() {
        rules::everybody_is_well(&world.etcd, &world.people);
    }
    let mut last_sessions = Vec::new();
    if !told::is_broken() {
        tell("PLAN", || "everybody leaves".into());
        last_sessions.extend(world.people.iter().filter_map(|person| person.has(|has| has.session.clone())));
        world.people.iter().for_each(|person| person.wish(|wish| wish.channel = None));
        // Every second one without a word.
        for who in (0..world.people.len()).filter(|who| who % 2 == 1) {
            world.end_life(&mut sim, who, who % 4 == 3);
        }
        sim.run(now() + EMPTYING, told::is_broken);
    }
    history::look();
    slots::look();
    messages::look();
    if !told::is_broken() {
        rules::nothing_is_left(&world.etcd, &world.people);
        world.hooks.look_at_leaves(&last_sessions);
        if known::is_calm() {
            world.hooks.look(&history::sessions());
        }
    }
    if !told::is_broken() {
        look_at_calls(&world, &mut sim, plan, last_sessions);
    }
    world.operator.look_at_audit();
    for replica in 0..plan.size.replicas {
        _ = std::fs::remove_file(tokens::audit(replica));
        _ = std::fs::remove_dir_all(tokens::calls(replica));
    }
    outcome(&world, sim)
}

/// Operators ask for all calls that there were.
fn look_at_calls(world: &World, sim: &mut Sim, plan: &Plan, sessions: Vec<String>) {
    let replicas = plan.size.replicas;
    let channels =
        (0..plan.size.rooms).map(|room| format!("room-{room}")).chain(["dm-0".to_owned()]).collect();
    sim.start(world.operator_host, move || calls::look(replicas, channels, sessions));
    sim.run(now() + CALLS_ARE_TOLD, || told::is_broken() || calls::is_done());
    if !told::is_broken() && !calls::is_done() {
        told::broken("Operators' questions about calls are answered", || "not in time".into());
    }
}

pub(crate) fn outcome(world: &World, sim: Sim) -> Outcome {
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
