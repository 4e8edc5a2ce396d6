//! What each datagram is: those that are nothing go no further.

use crate::room::BURST;
use crate::step::Step;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::{Datagram, Engine};
use railgun_peer::World;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Instant;

struct Demux {
    engine: Engine,
    bytes: [Vec<u8>; BURST],
    now: Instant,
}

pub(crate) fn new() -> Box<dyn Step> {
    let World { engine, now, .. } = World::new(1);
    // Version 3 of RTP, which there is not.
    Box::new(Demux { engine, bytes: std::array::from_fn(|_| vec![0xff; 1200]), now })
}

impl Step for Demux {
    fn run(&mut self) -> usize {
        let source = SocketAddr::from(([10, 0, 0, 1], 5000));
        let arrived = self.now;
        let mut burst =
            self.bytes.each_mut().map(|bytes| Datagram { source, bytes, arrived, ecn: Ecn::NotEct });
        self.engine.handle_datagrams(black_box(&mut burst), self.now, |_| ());
        BURST
    }
}
