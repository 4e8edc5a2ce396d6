//! Whether a consumer gets a packet.

use crate::room::Room;
use crate::step::Step;
use railgun_media_core::steps;

pub(crate) fn new(room: Room) -> Box<dyn Step> {
    room.step(|engine, _, now| steps::select(engine, now))
}
