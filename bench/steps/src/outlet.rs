//! Header and sealed payload of a packet of video, written to the send buffer.

use crate::Step;
use crate::room::Room;
use railgun_media_core::steps;

struct Outlet(Room);

pub(crate) fn new() -> Box<dyn Step> {
    Box::new(Outlet(Room::video()))
}

impl Step for Outlet {
    fn prepare(&mut self) {
        self.0.next_opened();
    }

    fn run(&mut self) -> usize {
        self.0.with(|engine, burst, now| steps::outlet(engine, burst, now))
    }
}
