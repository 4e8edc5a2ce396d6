//! A consumer's header with its own extension elements, but for the seal.

use crate::room::Room;
use crate::step::Step;
use railgun_media_core::steps;

pub(crate) fn new(room: Room) -> Box<dyn Step> {
    room.step(|engine, _, _| steps::header(engine, &mut [0; 128]))
}
