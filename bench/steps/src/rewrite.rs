//! A packet made a consumer's own: its numbers, its header, its seal.

use crate::room::Room;
use crate::step::Step;
use railgun_media_core::steps;

pub(crate) fn new(room: Room) -> Box<dyn Step> {
    room.step(|engine, burst, now| steps::rewrite(engine, burst, now))
}
