//! Step 4: which consumers a packet goes to. The only loop over consumers.

use super::consumer::{BurstSent, Consumer};
use super::mid_binding;
use super::packet::RtpPacket;
use super::packet_writer::{PacketWriter, Stamp};
use super::producer::Producer;
use super::rewrite;
use super::select::LayerDecision;
use super::tables::MediaTables;
use crate::arena::{ConsumerKey, TransportKey};
use crate::config::Datagram;
use crate::feedback::sent_history::Purpose;
use crate::output::{Counters, DropReason, Notice, Output};
use crate::send_batch::SendBatch;
use crate::transport::table::TransportTable;
use std::time::Instant;

/// Forwards the burst: audio first, then by producer, so that a consumer's packets are neighbours in the
/// send batch. `send` is called with each batch that is long enough to go out before more is written.
pub(crate) fn fan_out(
    media: &mut MediaTables,
    datagrams: &mut [Datagram<'_>],
    now: Instant,
    send: &mut impl FnMut(&SendBatch),
) {
    if media.burst.is_empty() {
        return;
    }
    let mut burst = std::mem::take(&mut media.burst);
    burst.sort_unstable_by_key(|packet| (packet.is_video, packet.producer, packet.order));
    let stamp = Stamp::new(media.clock.ntp(now), now);
    for group in burst.chunk_by_mut(|a, b| a.producer == b.producer) {
        forward(media, group, datagrams, stamp, send);
    }
    burst.clear();
    media.burst = burst;
}

/// Sends one producer's packets to each of its consumers.
fn forward(
    media: &mut MediaTables,
    group: &mut [RtpPacket],
    datagrams: &mut [Datagram<'_>],
    stamp: Stamp,
    send: &mut impl FnMut(&SendBatch),
) {
    let MediaTables { transports, producers, consumers, output, .. } = media;
    // A packet later in the burst may have closed it.
    let Some(producer) = group.first().and_then(|packet| producers.get(packet.producer)) else { return };
    for key in &producer.consumers {
        let Some(mut consumer) = consumers.live_mut(*key) else { continue };
        if consumer.paused {
            continue;
        }
        if mid_binding::is_new(consumer) {
            let of = (consumer.transport, *key);
            mid_binding::send_ahead(transports, consumers, output, of, stamp);
            let Some(again) = consumers.live_mut(*key) else { continue };
            consumer = again;
        }
        let Some(transport) = transports.live_mut(consumer.transport) else { continue };
        if output.sends.is_long() {
            send(&output.sends);
            output.sends.clear();
        }
        let writer =
            PacketWriter::new(transport, &consumer.extensions, &mut output.sends, Purpose::Media, stamp);
        let Some(writer) = writer else {
            // Without keys or an address nothing is numbered, so that the receiver's roll-over counter
            // follows however long that takes.
            consumer.sequence.interrupt();
            continue;
        };
        let is_told = output.tells_media_started && consumer.sent.last.is_none();
        let waits =
            forward_to((*key, &mut *consumer), producer, group, datagrams, writer, &mut output.counters);
        if is_told && consumer.sent.last.is_some() {
            tell_media_started(transports, consumer.transport, output);
        }
        if waits {
            let key = consumer.transport;
            let due = transports.get(key).and_then(|it| it.receiver_link.as_ref()?.pacer.due);
            if let Some(due) = due {
                transports.wake_by(key, due);
            }
        }
    }
}

#[cold]
fn tell_media_started(transports: &TransportTable, key: TransportKey, output: &mut Output) {
    if let Some(transport) = transports.get(key) {
        output.notices.push_back(Notice::MediaStarted(transport.id));
    }
}

/// Selects, rewrites and writes a producer's packets of the burst for one consumer. Whether some have to wait
/// for their turn.
fn forward_to(
    (key, consumer): (ConsumerKey, &mut Consumer),
    producer: &Producer,
    group: &mut [RtpPacket],
    datagrams: &mut [Datagram<'_>],
    mut writer: PacketWriter<'_>,
    counters: &mut Counters,
) -> bool {
    let at = writer.stamp.at;
    let mut burst = BurstSent::default();
    for packet in group {
        let Some(source) = datagrams.get_mut(packet.order) else { continue };
        let marker = match consumer.selection.decide(producer, packet, at) {
            LayerDecision::Ignore => continue,
            LayerDecision::Drop => {
                consumer.leave_out(packet);
                continue;
            }
            LayerDecision::Forward { marker } => marker,
            LayerDecision::Begin { marker } => {
                if consumer.selection.is_above(packet.encoding)
                    && let Some(taken) = writer.take_back(key, consumer.sequence.unsealed())
                {
                    consumer.take_back(taken);
                }
                consumer.begin(producer, packet, at);
                marker
            }
        };
        if packet.frame.starts_key_frame && packet.is_video {
            consumer.key_frame_at = Some(at);
        }
        if !rewrite::send(producer, packet, marker, source.bytes, (key, consumer), &mut writer, &mut burst) {
            counters.drop(DropReason::NotSendable, Some(consumer.transport), Some(consumer.ssrc));
        }
    }
    if burst.packets > 0 {
        counters.forwarded_packets += u64::from(burst.packets);
        consumer.on_sent(&burst, at);
    }
    burst.waits
}
