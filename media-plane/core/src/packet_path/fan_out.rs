//! Step 4: to whom a packet goes. The only loop over consumers.

use super::ingest::Opened;
use super::outlet::{Outlet, Stamp};
use super::rewrite;
use super::select::Verdict;
use crate::engine::{Counters, Datagram, Engine};
use crate::room::consumer::{BurstSent, Consumer};
use crate::room::producer::Producer;
use crate::send_batch::SendBatch;
use std::time::Instant;

impl Engine {
    /// Forwards the burst that was opened: audio first, then by producer, so that a consumer's
    /// packets are neighbours in the send batch.
    pub(super) fn fan_out(
        &mut self,
        datagrams: &mut [Datagram<'_>],
        now: Instant,
        send: &mut impl FnMut(&SendBatch),
    ) {
        if self.burst.is_empty() {
            return;
        }
        let mut burst = std::mem::take(&mut self.burst);
        burst.sort_unstable_by_key(|packet| (packet.is_video, packet.producer, packet.order));
        let stamp = Stamp::new(self.ntp(now), now);
        for group in burst.chunk_by_mut(|a, b| a.producer == b.producer) {
            self.forward(group, datagrams, stamp, send);
        }
        burst.clear();
        self.burst = burst;
    }

    /// Sends one producer's packets to each of its consumers.
    fn forward(
        &mut self,
        group: &mut [Opened],
        datagrams: &mut [Datagram<'_>],
        stamp: Stamp,
        send: &mut impl FnMut(&SendBatch),
    ) {
        let Some(producer) = group.first().and_then(|packet| self.producers.get(packet.producer)) else {
            return;
        };
        for key in &producer.consumers {
            let Some(consumer) = self.consumers.get_mut(*key) else { continue };
            if consumer.paused {
                continue;
            }
            let Some(transport) = self.transports.get_mut(consumer.transport) else { continue };
            if self.sends.is_long() {
                send(&self.sends);
                self.sends.clear();
            }
            // Until there are keys and an address, no packet may begin anything.
            let outlet = Outlet::new(transport, &consumer.extensions, &mut self.sends, stamp);
            let Some(outlet) = outlet else {
                // However long that takes, the receiver's roll-over counter follows.
                consumer.sequence.interrupt();
                continue;
            };
            forward_to(consumer, producer, group, datagrams, outlet, &mut self.counters);
        }
    }
}

/// Sends one consumer what it gets of a producer's packets.
fn forward_to(
    consumer: &mut Consumer,
    producer: &Producer,
    group: &mut [Opened],
    datagrams: &mut [Datagram<'_>],
    mut outlet: Outlet<'_>,
    counters: &mut Counters,
) {
    let at = outlet.stamp.at;
    let mut burst = BurstSent::default();
    for packet in group {
        let Some(source) = datagrams.get_mut(packet.order) else { continue };
        let marker = match consumer.selection.judge(producer, packet, at) {
            Verdict::Ignore => continue,
            Verdict::Drop => {
                consumer.leave_out(packet);
                continue;
            }
            Verdict::Forward { marker } => marker,
            Verdict::Begin { marker } => {
                consumer.begin(producer, packet, at);
                marker
            }
        };
        if !rewrite::send(producer, packet, marker, source.bytes, consumer, &mut outlet, &mut burst) {
            counters.dropped_packets += 1;
        }
    }
    if burst.packets > 0 {
        counters.forwarded_packets += u64::from(burst.packets);
        consumer.on_sent(&burst, at);
    }
}
