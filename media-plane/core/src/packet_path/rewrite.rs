//! Step 5: the packet as this consumer gets it: its own SSRC, sequence, timestamp and picture ids.

use super::consumer::{BurstSent, Consumer};
use super::header::PassedElements;
use super::packet::RtpPacket;
use super::packet_writer::{Outgoing, PacketWriter};
use super::producer::Producer;
use crate::arena::ConsumerKey;
use crate::codec::{dependency_descriptor, vp8};
use crate::congestion::pacer::Waiting;
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
    (key, consumer): (ConsumerKey, &mut Consumer),
    writer: &mut PacketWriter<'_>,
    burst: &mut BurstSent,
) -> bool {
    let patch = match &packet.vp8 {
        Some(descriptor) => match consumer.vp8.map(descriptor) {
            Some(patch) => Some(patch),
            None => return false,
        },
        None => None,
    };
    let Some(index) = consumer.sequence.map(packet.index) else { return false };
    if packet.is_video && writer.must_wait() {
        return wait(packet, marker, patch, index, (key, consumer), writer, burst);
    }
    // Each consumer writes its own values over those of the one before.
    if let Some(patch) = patch {
        patch.apply(source.get_mut(packet.payload.start..).unwrap_or_default());
    }
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
    consumer.sequence.on_sealed(index);
    burst.count(payload.len(), len, timestamp);
    if consumer.sent_speech.is_some() {
        keep_speech(consumer, index, len, writer);
    }
    note(packet, marker, index, (timestamp, offset), consumer, writer);
    true
}

/// Keeps what was just sealed, for a receiver that asks for what it lost of it.
#[inline(never)]
fn keep_speech(consumer: &mut Consumer, index: u64, len: usize, writer: &PacketWriter<'_>) {
    let at = writer.stamp.at;
    match &mut consumer.sent_speech {
        Some(speech) if !speech.is_idle(at) => speech.put(index, writer.sealed(len), at),
        _ => consumer.sent_speech = None,
    }
}

/// Remembers a packet that was sent, or will be.
#[inline]
fn note(
    packet: &RtpPacket,
    marker: bool,
    index: u64,
    (timestamp, offset): (u32, u32),
    consumer: &mut Consumer,
    writer: &PacketWriter<'_>,
) {
    consumer.selection.on_sent(timestamp, writer.stamp.at);
    if let Some(rtx) = &mut consumer.rtx {
        let (source, encoding) = (packet.index, packet.encoding);
        rtx.sent.put(sent_packets::Sent { index, source, encoding, marker, offset });
    }
}

/// The packet's turn comes later (`feedback_path::paced`); it counts as sent.
#[inline(never)]
fn wait(
    packet: &RtpPacket,
    marker: bool,
    patch: Option<vp8::rewriter::Patch>,
    index: u64,
    (key, consumer): (ConsumerKey, &mut Consumer),
    writer: &mut PacketWriter<'_>,
    burst: &mut BurstSent,
) -> bool {
    let (timestamp, offset) = consumer.selection.timestamp(packet.header.timestamp);
    let len = packet.payload.len();
    writer.wait(Waiting {
        consumer: key,
        encoding: packet.encoding,
        source: packet.index,
        index,
        marker,
        offset,
        patch,
        len: u16::try_from(len).unwrap_or(u16::MAX),
    });
    burst.count(len, packet.header.header_len + len, timestamp);
    burst.waits = true;
    note(packet, marker, index, (timestamp, offset), consumer, writer);
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
