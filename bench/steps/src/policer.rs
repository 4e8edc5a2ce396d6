//! A producer's packets held against its bitrate limit.

use crate::room::{BURST, VIDEO_PAYLOAD};
use crate::step::Step;
use railgun_media_core::steps::Policed;
use std::hint::black_box;
use std::time::{Duration, Instant};

struct Policing(Policed, Instant);

pub(crate) fn new() -> Box<dyn Step> {
    let now = Instant::now();
    Box::new(Policing(Policed::new(now), now))
}

impl Step for Policing {
    fn prepare(&mut self) {
        self.1 += Duration::from_millis(1);
    }

    fn run(&mut self) -> usize {
        (0..BURST).filter(|_| self.0.admit(black_box(VIDEO_PAYLOAD), self.1)).count()
    }
}
