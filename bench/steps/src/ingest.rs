//! From a sealed datagram to a plain packet whose producer, place and frame are known.

use crate::room::Room;
use crate::step::Step;
use railgun_media_core::steps;

pub(crate) fn new(room: Room) -> Box<dyn Step> {
    room.step_after(Room::next_burst, |engine, burst, now| steps::ingest(engine, burst, now))
}
