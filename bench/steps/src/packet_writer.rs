//! Header and sealed payload of a packet of video, written to the send buffer.

use crate::room::Room;
use crate::step::Step;
use railgun_media_core::steps;

pub(crate) fn new(room: Room) -> Box<dyn Step> {
    room.step(|engine, burst, now| steps::packet_writer(engine, burst, now))
}
