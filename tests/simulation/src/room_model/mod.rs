//! A media node's engine beside a model of its rooms: random commands of a few people, each answered as the model says;
//! after each, what the engine holds and what each person was told are what the model has.

mod bench;
mod interleavings;
mod judge;
mod model;
mod told;

use bench::Bench;
use railgun_peer::World;

pub(crate) use interleavings::run as interleavings;

const OPERATIONS: usize = 300;

/// Runs the model of this seed.
pub(crate) fn run(seed: u64) {
    let mut bench = Bench::new(World::config(0), seed);
    for _ in 0..OPERATIONS {
        let what = bench.step();
        bench.compare(&what);
        if crate::told::is_broken() {
            return;
        }
    }
}
