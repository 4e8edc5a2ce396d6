//! A packet made a consumer's own: its numbers, its header, its seal.

use crate::Step;
use crate::room::Room;
use railgun_media_core::steps;

struct Rewrite(Room);

pub(crate) fn video() -> Box<dyn Step> {
    Box::new(Rewrite(Room::video()))
}

pub(crate) fn audio() -> Box<dyn Step> {
    Box::new(Rewrite(Room::audio()))
}

impl Step for Rewrite {
    fn prepare(&mut self) {
        self.0.next_opened();
    }

    fn run(&mut self) -> usize {
        self.0.with(|engine, burst, now| steps::rewrite(engine, burst, now))
    }
}
