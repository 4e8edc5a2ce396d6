//! Packets that every consumer lost, sent again.

use crate::Step;
use crate::room::{BURST, Room};
use railgun_media_core::steps;

/// Bursts that arrive whole between losses: what is sent again may be a tenth of what is sent.
const BURSTS: usize = 12;

struct Resend(Room);

pub(crate) fn new() -> Box<dyn Step> {
    Box::new(Resend(Room::video()))
}

impl Step for Resend {
    fn prepare(&mut self) {
        for _ in 0..BURSTS {
            self.0.next_opened();
            self.0.with(|engine, burst, now| steps::fan_out(engine, burst, now));
        }
    }

    fn run(&mut self) -> usize {
        let resent = self.0.with(|engine, _, now| steps::resend(engine, BURST as u64, now));
        usize::try_from(resent).unwrap_or(usize::MAX)
    }
}
