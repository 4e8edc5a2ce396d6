//! Step 1: what a datagram is, by its first bytes (RFC 7983), and who takes it.

use crate::engine::{Datagram, Engine};
use crate::packet::kind::{Kind, classify};
use crate::send_batch::SendBatch;
use std::time::Instant;

impl Engine {
    /// Takes what the socket had, oldest first. What it fans out to may be more than is good for one
    /// batch: `send` is then called in between, with batches that are to be sent at once. The last
    /// one is left in [`Self::sends`].
    pub fn handle_datagrams(
        &mut self,
        datagrams: &mut [Datagram<'_>],
        now: Instant,
        mut send: impl FnMut(&SendBatch),
    ) {
        for (order, datagram) in datagrams.iter_mut().enumerate() {
            match classify(datagram.bytes) {
                Some(Kind::Rtp) => self.ingest(order, datagram, now),
                Some(Kind::Rtcp) => self.receive_feedback(datagram, now),
                Some(Kind::Stun) => self.receive_binding(datagram, now),
                Some(Kind::Dtls) => self.receive_handshake(datagram, now),
                None => self.counters.unknown_datagrams += 1,
            }
        }
        self.fan_out(datagrams, now, &mut send);
    }
}
