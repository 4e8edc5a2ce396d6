//! Packets that every consumer lost, sent again.

use crate::room::{BURST, Room};
use crate::step::Step;
use railgun_media_core::steps;

/// Bursts that arrive whole between losses: what is sent again may be a tenth of what is sent.
const BURSTS: usize = 16;
/// So many before the first loss: the tenth is that of the last second.
const BURSTS_BEFORE: usize = 64;

pub(crate) fn new(mut room: Room) -> Box<dyn Step> {
    forward(&mut room, BURSTS_BEFORE);
    room.step_after(
        |room| forward(room, BURSTS),
        |engine, _, now| usize::try_from(steps::resend(engine, BURST as u64, now)).unwrap_or(usize::MAX),
    )
}

fn forward(room: &mut Room, bursts: usize) {
    for _ in 0..bursts {
        room.forward_next();
    }
}
