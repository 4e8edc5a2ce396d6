//! A consumer's sequence number for the source's.

use crate::room::FORWARDED;
use crate::step::Step;
use railgun_media_core::steps;
use std::hint::black_box;

#[derive(Default)]
struct Sequence(steps::Sequence, u64);

pub(crate) fn new() -> Box<dyn Step> {
    Box::new(Sequence::default())
}

impl Step for Sequence {
    fn run(&mut self) -> usize {
        let first = self.1;
        self.1 += FORWARDED as u64;
        (first..self.1).filter(|source| black_box(self.0.map(black_box(*source))).is_some()).count()
    }
}
