//! Step 5: the packet as this consumer gets it: its own SSRC, sequence, timestamp and picture ids.

use super::consumer::{BurstSent, Consumer};
use super::header::PassedElements;
use super::packet::RtpPacket;
use super::packet_writer::{Outgoing, PacketWriter};
use super::producer::Producer;
use crate::codec::{dependency_descriptor, vp8};
use crate::feedback::sent_packets;
use crate::packet::rtp::HeaderWriter;
use crate::packet::sequence_of;

/// Puts the packet into the batch and counts it in `burst`; whether it did.
#[inline]
pub(crate) fn send(
    producer: &Producer,
    packet: &mut RtpPacket,
    marker: bool,
    source: &mut [u8],
    consumer: &mut Consumer,
    writer: &mut PacketWriter<'_>,
    burst: &mut BurstSent,
) -> bool {
    // Each consumer writes its own values over those of the one before.
    if !patch_payload(packet.vp8.as_ref(), source, packet.payload.start, consumer) {
        return false;
    }
    let Some(index) = consumer.sequence.map(packet.index) else { return false };
    let Some(payload) = source.get(packet.payload.clone()) else { return false };
    let (timestamp, offset) = consumer.selection.timestamp(packet.header.timestamp);
    let mut described: Option<[u8; dependency_descriptor::MAX_LEN]> = None;
    let descriptor = consumer.extensions.dependency_descriptor.and_then(|_| {
        let parsed = packet.descriptor.as_ref()?;
        let data = packet.header.extension(source, producer.extensions.dependency_descriptor?)?;
        let encoding = producer.encoding(packet.encoding)?;
        let out = described.insert([0; dependency_descriptor::MAX_LEN]);
        consumer.selection.describe(encoding, parsed, data, out)
    });
    let outgoing = Outgoing {
        header: HeaderWriter {
            marker,
            payload_type: packet.payload_type,
            sequence: sequence_of(index),
            timestamp,
            ssrc: consumer.ssrc,
        },
        index,
        header_len: packet.header.header_len,
        payload,
        descriptor,
    };
    let elements = || {
        let elements = packet.header.extensions(source);
        elements.filter_map(|(id, data)| Some((producer.extensions.to_router(id)?, data)))
    };
    let extensions = &consumer.extensions;
    if !packet.passed.is_for(extensions.passed) {
        packet.passed = PassedElements::new(extensions.passed, elements());
    }
    let len = writer.put(&outgoing, extensions, &packet.passed, elements);
    if len == 0 {
        return false;
    }
    consumer.selection.on_sent(timestamp, writer.stamp.at);
    burst.count(payload.len(), len, timestamp);
    if let Some(rtx) = &mut consumer.rtx {
        let (source, encoding) = (packet.index, packet.encoding);
        rtx.sent.put(sent_packets::Sent { index, source, encoding, marker, offset });
    }
    true
}

/// Makes the payload's own numbers continuous for this consumer; false if it must not be forwarded.
/// The payload is what follows `start` in `packet`.
#[inline]
pub(crate) fn patch_payload(
    vp8: Option<&vp8::Descriptor>,
    packet: &mut [u8],
    start: usize,
    consumer: &mut Consumer,
) -> bool {
    let Some(descriptor) = vp8 else { return true };
    let Some(patch) = consumer.vp8.map(descriptor) else { return false };
    patch.apply(packet.get_mut(start..).unwrap_or_default());
    true
}
