//! Whether a consumer gets a packet.

use crate::Step;
use crate::room::Room;
use railgun_media_core::steps;

struct Select(Room);

pub(crate) fn video() -> Box<dyn Step> {
    Box::new(Select(Room::video()))
}

pub(crate) fn audio() -> Box<dyn Step> {
    Box::new(Select(Room::audio()))
}

impl Step for Select {
    fn prepare(&mut self) {
        self.0.next_opened();
    }

    fn run(&mut self) -> usize {
        self.0.with(|engine, _, now| steps::select(engine, now))
    }
}
