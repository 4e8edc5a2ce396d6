//! An opened burst to all consumers, with everything that each gets.

use crate::Step;
use crate::room::Room;
use railgun_media_core::steps;

struct FanOut(Room);

pub(crate) fn video() -> Box<dyn Step> {
    Box::new(FanOut(Room::video()))
}

pub(crate) fn audio() -> Box<dyn Step> {
    Box::new(FanOut(Room::audio()))
}

impl Step for FanOut {
    fn prepare(&mut self) {
        self.0.next_opened();
    }

    fn run(&mut self) -> usize {
        let forwarded = self.0.with(|engine, burst, now| steps::fan_out(engine, burst, now));
        usize::try_from(forwarded).unwrap_or(usize::MAX)
    }
}
