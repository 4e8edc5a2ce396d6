//! Places in the send buffer, joined to runs.

use crate::room::{BURST, CONSUMERS, FORWARDED, VIDEO_PAYLOAD};
use crate::step::Step;
use railgun_media_core::send_batch::SendBatch;
use std::hint::black_box;
use std::net::SocketAddr;

const PACKET: usize = VIDEO_PAYLOAD + 60;

struct Batch(SendBatch);

pub(crate) fn new() -> Box<dyn Step> {
    Box::new(Batch(SendBatch::with_capacity(1 << 20)))
}

impl Step for Batch {
    fn prepare(&mut self) {
        self.0.clear();
    }

    fn run(&mut self) -> usize {
        for consumer in 0..CONSUMERS {
            let to = SocketAddr::from(([10, 0, 0, 1], 5000 + consumer));
            for _ in 0..BURST {
                self.0.write(black_box(to), PACKET, |out| black_box(out).len());
            }
        }
        assert_eq!(self.0.runs().len(), usize::from(CONSUMERS), "a run for each");
        FORWARDED
    }
}
