//! Packets that every consumer lost, sent again.

use crate::Step;
use crate::room::{BURST, Room};
use railgun_media_core::steps;

/// Bursts that arrive whole between losses: what is sent again may be a tenth of what is sent.
const BURSTS: usize = 16;
/// So many before the first loss: the tenth is that of the last second.
const BURSTS_BEFORE: usize = 64;

struct Resend(Room);

pub(crate) fn new() -> Box<dyn Step> {
    let mut resend = Resend(Room::video());
    (0..BURSTS_BEFORE).for_each(|_| resend.forward());
    Box::new(resend)
}

impl Resend {
    fn forward(&mut self) {
        self.0.next_opened();
        self.0.with(|engine, burst, now| steps::fan_out(engine, burst, now));
    }
}

impl Step for Resend {
    fn prepare(&mut self) {
        (0..BURSTS).for_each(|_| self.forward());
    }

    fn run(&mut self) -> usize {
        let resent = self.0.with(|engine, _, now| steps::resend(engine, BURST as u64, now));
        usize::try_from(resent).unwrap_or(usize::MAX)
    }
}
