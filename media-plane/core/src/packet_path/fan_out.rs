//! Step 4: to whom a packet goes. The only loop over consumers.

use super::ingest::Opened;
use super::rewrite::{self, Stamp};
use super::select::Verdict;
use crate::engine::{Datagram, Engine};
use std::time::Instant;

impl Engine {
    /// Forwards the burst that was opened: audio first, then by producer, so that a consumer's
    /// packets are neighbours in the send batch.
    pub(super) fn fan_out(&mut self, datagrams: &mut [Datagram<'_>], now: Instant) {
        if self.burst.is_empty() {
            return;
        }
        let mut burst = std::mem::take(&mut self.burst);
        burst.sort_unstable_by_key(|packet| (packet.is_video, packet.producer, packet.order));
        let stamp = Stamp::new(self.ntp(now), now);
        for group in burst.chunk_by(|a, b| a.producer == b.producer) {
            self.forward(group, datagrams, stamp);
        }
        burst.clear();
        self.burst = burst;
    }

    /// Sends one producer's packets to each of its consumers.
    fn forward(&mut self, group: &[Opened], datagrams: &mut [Datagram<'_>], stamp: Stamp) {
        let Some(producer) = group.first().and_then(|packet| self.producers.get(packet.producer)) else {
            return;
        };
        for key in &producer.consumers {
            let Some(consumer) = self.consumers.get_mut(*key) else { continue };
            if consumer.paused {
                continue;
            }
            let Some(transport) = self.transports.get_mut(consumer.transport) else { continue };
            // Until there are keys and an address, no packet may begin anything.
            if transport.keys.is_none() || transport.selected.is_none() {
                continue;
            }
            for packet in group {
                let Some(source) = datagrams.get_mut(packet.order) else { continue };
                let marker = match consumer.selection.judge(producer, packet, stamp.at) {
                    Verdict::Ignore => continue,
                    Verdict::Drop => {
                        consumer.leave_out(packet);
                        continue;
                    }
                    Verdict::Forward { marker } => marker,
                    Verdict::Begin { marker } => {
                        consumer.begin(producer, packet, stamp.at);
                        marker
                    }
                };
                let out = rewrite::Out { transport, sends: &mut self.sends, stamp };
                if rewrite::send(producer, packet, marker, source.bytes, consumer, out) {
                    self.counters.forwarded_packets += 1;
                } else {
                    self.counters.dropped_packets += 1;
                }
            }
        }
    }
}
