//! A packet of video kept for those who lose it; a part of `ingest`.

use crate::Step;
use crate::room::Room;
use railgun_media_core::steps;

struct Keep(Room);

pub(crate) fn new() -> Box<dyn Step> {
    Box::new(Keep(Room::video()))
}

impl Step for Keep {
    fn prepare(&mut self) {
        self.0.next_opened();
    }

    fn run(&mut self) -> usize {
        self.0.with(|engine, burst, now| steps::keep(engine, burst, now))
    }
}
