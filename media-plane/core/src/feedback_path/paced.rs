//! Packets that waited for their receiver's link (`congestion::pacer`), when their turn comes.

use crate::arena::TransportKey;
use crate::codec::dependency_descriptor;
use crate::congestion::pacer::Waiting;
use crate::feedback::sent_history::Purpose;
use crate::output::{DropReason, Output};
use crate::packet::rtp::{FIXED_HEADER, HeaderWriter};
use crate::packet::{MAX_DATAGRAM, sequence_of};
use crate::packet_path::consumer::Consumer;
use crate::packet_path::header::PassedElements;
use crate::packet_path::packet_writer::{Outgoing, PacketWriter, Stamp};
use crate::packet_path::producer::Producer;
use crate::packet_path::tables::MediaTables;
use crate::send_batch::SendBatch;
use crate::transport::webrtc_transport::WebRtcTransport;
use std::time::Instant;

/// Header bytes besides our own extensions: those that were passed on.
const HEADER_LEN: usize = FIXED_HEADER + 4 + 255;

/// Sends what may go by now.
pub(crate) fn send_due(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let stamp = Stamp::new(media.clock.ntp(now), now);
    let MediaTables { transports, consumers, producers, output, .. } = media;
    let Output { sends, counters, .. } = output;
    let Some(transport) = transports.get_mut(key) else { return };
    let now_us = transport.sent_history.micros(now);
    let is_due = |transport: &WebRtcTransport| {
        transport.receiver_link.as_ref().is_some_and(|link| link.pacer.due.is_some_and(|due| due <= now))
    };
    if !is_due(transport) {
        return;
    }
    while let Some(waiting) = transport.receiver_link.as_mut().and_then(|link| link.pacer.pop(now_us)) {
        // It was closed or paused meanwhile.
        let Some(consumer) = consumers.get_mut(waiting.consumer).filter(|it| !it.paused) else { continue };
        let Some(producer) = producers.get(consumer.producer) else { continue };
        consumer.sequence.on_sealed(waiting.index);
        if !send(consumer, producer, transport, sends, &waiting, stamp) {
            counters.drop(DropReason::NotSendable, Some(key), Some(consumer.ssrc));
        }
    }
    if let Some(link) = &mut transport.receiver_link {
        link.pacer.schedule(now);
    }
}

fn send(
    consumer: &Consumer,
    producer: &Producer,
    transport: &mut WebRtcTransport,
    sends: &mut SendBatch,
    waiting: &Waiting,
    stamp: Stamp,
) -> bool {
    let Some(encoding) = producer.encoding(waiting.encoding) else { return false };
    let Some(cached) = encoding.cache.get(waiting.source, stamp.at) else { return false };
    let mut buffer = [0; MAX_DATAGRAM];
    let Some(payload) = buffer.get_mut(..cached.payload.len()) else { return false };
    payload.copy_from_slice(cached.payload);
    if let Some(patch) = &waiting.patch {
        patch.apply(payload);
    }
    let mut described: Option<[u8; dependency_descriptor::MAX_LEN]> = None;
    let descriptor = consumer.extensions.dependency_descriptor.and_then(|id| {
        let (_, data) = cached.elements().find(|(element, _)| *element == id)?;
        let parsed = encoding.structure.read_again(data).ok()?;
        let out = described.insert([0; dependency_descriptor::MAX_LEN]);
        consumer.selection.describe(encoding, &parsed, data, out)
    });
    let outgoing = Outgoing {
        header: HeaderWriter {
            marker: waiting.marker,
            payload_type: cached.plain.payload_type,
            sequence: sequence_of(waiting.index),
            timestamp: cached.plain.timestamp.wrapping_add(waiting.offset),
            ssrc: consumer.ssrc,
        },
        index: waiting.index,
        header_len: HEADER_LEN,
        payload,
        descriptor,
    };
    let extensions = &consumer.extensions;
    let passed = PassedElements::new(extensions.passed, cached.elements());
    let writer = PacketWriter::new(transport, extensions, sends, Purpose::Media, stamp);
    let Some(mut writer) = writer else { return false };
    writer.put(&outgoing, extensions, &passed, || cached.elements()) > 0
}
