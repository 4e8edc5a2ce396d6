//! A header read, as the first of all checks.

use crate::room::BURST;
use crate::step::Step;
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use std::hint::black_box;

struct Parse(Vec<u8>);

pub(crate) fn new() -> Box<dyn Step> {
    let mut packet = vec![0x5a; 1200];
    let header = HeaderWriter { marker: false, payload_type: 96, sequence: 1, timestamp: 2, ssrc: 3 };
    header.write(&mut packet, &[(9, b"0"), (6, &[0, 1])]).expect("room");
    Box::new(Parse(packet))
}

impl Step for Parse {
    fn run(&mut self) -> usize {
        (0..BURST).filter(|_| black_box(RtpHeader::parse(black_box(&self.0))).is_ok()).count()
    }
}
