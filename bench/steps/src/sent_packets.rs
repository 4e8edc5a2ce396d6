//! A packet remembered as sent to a consumer.

use crate::room::FORWARDED;
use crate::step::Step;
use railgun_media_core::steps::Remembered;
use std::hint::black_box;

#[derive(Default)]
struct SentPackets(Remembered, u64);

pub(crate) fn new() -> Box<dyn Step> {
    Box::new(SentPackets::default())
}

impl Step for SentPackets {
    fn run(&mut self) -> usize {
        let first = self.1;
        self.1 += FORWARDED as u64;
        (first..self.1).for_each(|index| self.0.put(black_box(index)));
        FORWARDED
    }
}
