//! Whether a consumer gets a packet.

use crate::Step;
use crate::room::Room;
use railgun_media_core::steps;

pub(crate) fn new(room: Room) -> Box<dyn Step> {
    room.step(|engine, _, now| steps::select(engine, now))
}
