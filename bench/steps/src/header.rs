//! A consumer's header with its own extension elements, but for the seal.

use crate::Step;
use crate::room::Room;
use railgun_media_core::steps;

struct Header(Room);

pub(crate) fn new() -> Box<dyn Step> {
    Box::new(Header(Room::video()))
}

impl Step for Header {
    fn prepare(&mut self) {
        self.0.next_opened();
    }

    fn run(&mut self) -> usize {
        let mut out = [0; 128];
        self.0.with(|engine, _, _| steps::header(engine, &mut out))
    }
}
