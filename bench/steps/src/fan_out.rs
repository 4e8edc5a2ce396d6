//! An opened burst to all consumers, with everything that each gets.

use crate::Step;
use crate::room::{Room, fan_out};

pub(crate) fn new(room: Room) -> Box<dyn Step> {
    room.step(fan_out)
}
