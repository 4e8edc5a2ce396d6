//! An opened burst to all consumers, with everything that each gets.

use crate::room::{Room, fan_out};
use crate::step::Step;

pub(crate) fn new(room: Room) -> Box<dyn Step> {
    room.step(fan_out)
}
