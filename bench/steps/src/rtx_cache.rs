//! A packet of video kept for those who lose it; a part of `ingest`.

use crate::room::Room;
use crate::step::Step;
use railgun_media_core::steps;

pub(crate) fn new(room: Room) -> Box<dyn Step> {
    room.step(|engine, burst, now| steps::keep(engine, burst, now))
}
