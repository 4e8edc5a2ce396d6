//! A cluster's days: what happens is a minute of each, and the rest is slept through.

use crate::history;
use crate::kernel::{self, SECOND, Sim, now};
use crate::known;
use crate::looks;
use crate::plan::Plan;
use crate::rules;
use crate::slots;
use crate::told::{self, tell};
use crate::world::{EMPTYING, Outcome, World, outcome, slot_limit};

/// A day of a cluster: everybody is in a call for a while and leaves; then all machines sleep for the rest of it.
fn day(world: &World, sim: &mut Sim) {
    let begins = now();
    for (who, person) in world.people.iter().enumerate() {
        person.wish(|wish| {
            wish.channel = Some(format!("room-{}", who % 2));
            wish.sources.insert("mic");
        });
    }
    sim.run(now() + 60 * SECOND, told::is_broken);
    if !told::is_broken() {
        rules::everybody_is_well(&world.etcd, &world.people);
    }
    world.people.iter().for_each(|person| person.wish(|wish| wish.channel = None));
    sim.run(now() + EMPTYING, told::is_broken);
    if !told::is_broken() {
        rules::nothing_is_left(&world.etcd, &world.people);
    }
    sim.pause_all();
    looks::rest_until(begins + 86_400 * SECOND);
    sim.run(begins + 86_400 * SECOND, told::is_broken);
    sim.resume_all();
    // Every lease is over, and every connection may be.
    sim.run(now() + 60 * SECOND, told::is_broken);
}

/// So many days of a cluster.
pub(crate) fn run(seed: u64, plan: &Plan, days: u32, wants_timeline: bool) -> Outcome {
    told::begin(wants_timeline);
    known::begin(plan);
    let mut sim = Sim::new(seed);
    kernel::set_epoch(plan.begins.clocks);
    kernel::set_faults(plan.faults);
    let world = World::build(&mut sim, plan);
    looks::begin(world.etcd.clone());
    history::begin();
    slots::begin(slot_limit());
    looks::watch(world.etcd.clone(), world.people.clone());
    sim.run(10 * SECOND, told::is_broken);
    for number in 0..days {
        tell("PLAN", || format!("day {number}"));
        day(&world, &mut sim);
        if told::is_broken() {
            break;
        }
    }
    history::look();
    slots::look();
    outcome(&world, sim)
}
