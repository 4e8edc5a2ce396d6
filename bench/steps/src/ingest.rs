//! From a sealed datagram to a plain packet whose producer, place and frame are known.

use crate::Step;
use crate::room::Room;
use railgun_media_core::steps;

struct Ingest(Room);

pub(crate) fn video() -> Box<dyn Step> {
    Box::new(Ingest(Room::video()))
}

pub(crate) fn audio() -> Box<dyn Step> {
    Box::new(Ingest(Room::audio()))
}

impl Step for Ingest {
    fn prepare(&mut self) {
        self.0.next_burst();
    }

    fn run(&mut self) -> usize {
        self.0.with(|engine, burst, now| steps::ingest(engine, burst, now))
    }
}
