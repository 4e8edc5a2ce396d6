//! Step 5: the packet as this consumer gets it: its own SSRC, numbers and extensions, sealed from
//! the shared plaintext into the send buffer, which is the only copy.

use super::ingest::Opened;
use crate::codec::{dependency_descriptor, vp8};
use crate::feedback::sent_packets;
use crate::packet::rtp::{HeaderWriter, MAX_ELEMENTS};
use crate::packet::sequence_of;
use crate::room::consumer::{Consumer, ConsumerExtensions};
use crate::room::producer::Producer;
use crate::send_batch::SendBatch;
use crate::srtp::MAX_RTP_OVERHEAD;
use crate::transport::webrtc_transport::WebRtcTransport;
use std::time::Instant;

/// Bytes that our own elements may add to a header: MID, send time, transport-wide number, each
/// with its two-byte element header, five bytes more of dependency descriptor, the block's header, and
/// padding.
const OWN_EXTENSIONS_MAX: usize = 48;

/// The moment of a burst, as every packet of it says it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) at: Instant,
    /// abs-send-time: seconds as a 6.18 fixed-point number.
    abs_send_time: [u8; 3],
}

impl Stamp {
    /// `ntp`: the time as a 32.32 fixed-point number of seconds.
    pub(crate) fn new(ntp: u64, at: Instant) -> Self {
        let [.., a, b, c] = (ntp >> 14).to_be_bytes();
        Self { at, abs_send_time: [a, b, c] }
    }
}

/// Where packets go, and when.
pub(crate) struct Out<'a> {
    pub(crate) transport: &'a mut WebRtcTransport,
    pub(crate) sends: &'a mut SendBatch,
    pub(crate) stamp: Stamp,
}

/// One outgoing packet, but for its header extensions.
pub(crate) struct Outgoing<'a> {
    pub(crate) header: HeaderWriter,
    /// Roll-over counter and sequence number.
    pub(crate) index: u64,
    /// Bytes of the source's header, which bound those of this one.
    pub(crate) header_len: usize,
    pub(crate) payload: &'a [u8],
    /// The dependency descriptor, for a consumer that gets one.
    pub(crate) descriptor: Option<&'a [u8]>,
}

/// Whether the packet was put into the batch.
#[inline]
pub(crate) fn send(
    producer: &Producer,
    packet: &Opened,
    marker: bool,
    source: &mut [u8],
    consumer: &mut Consumer,
    out: Out<'_>,
) -> bool {
    let at = out.stamp.at;
    // Each consumer writes its own values over those of the one before.
    if !patch_payload(packet.vp8, source.get_mut(packet.payload.clone()).unwrap_or_default(), consumer) {
        return false;
    }
    let Some(index) = consumer.sequence.map(packet.index) else { return false };
    let Some(payload) = source.get(packet.payload.clone()) else { return false };
    let timestamp = consumer.selection.timestamp(packet.header.timestamp);
    let mut described: Option<[u8; dependency_descriptor::MAX_LEN]> = None;
    let descriptor = consumer.extensions.dependency_descriptor.and_then(|_| {
        let parsed = packet.descriptor.as_ref()?;
        let data = packet.header.extension(source, producer.extensions.dependency_descriptor?)?;
        let encoding = producer.encoding(packet.encoding)?;
        consumer.selection.describe(
            encoding,
            parsed,
            data,
            described.insert([0; dependency_descriptor::MAX_LEN]),
        )
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
    let elements = packet.header.extensions(source).filter_map(|(id, data)| {
        let id = producer.extensions.to_router(id)?;
        Some((id, data))
    });
    let len = seal(&outgoing, elements, &consumer.extensions, out);
    if len == 0 {
        return false;
    }
    consumer.selection.on_sent(timestamp, at);
    consumer.sent.count(payload.len(), timestamp, at);
    consumer.score.on_packet(at);
    if let Some(rtx) = &mut consumer.rtx {
        let (source, encoding) = (packet.index, packet.encoding);
        rtx.sent.put(sent_packets::Sent { index, source, encoding, marker, timestamp });
        rtx.budget.on_sent(len, at);
    }
    true
}

/// Makes the payload's own numbers continuous for this consumer; false if it must not be forwarded.
pub(crate) fn patch_payload(
    vp8: Option<vp8::Descriptor>,
    payload: &mut [u8],
    consumer: &mut Consumer,
) -> bool {
    let Some(descriptor) = vp8 else { return true };
    let patch = consumer.vp8.map(&descriptor);
    patch.inspect(|patch| patch.apply(payload)).is_some()
}

/// Writes the header with its extensions, and the sealed payload behind it; how many bytes.
#[inline]
pub(crate) fn seal<'a>(
    outgoing: &Outgoing<'_>,
    elements: impl Iterator<Item = (u8, &'a [u8])>,
    extensions: &ConsumerExtensions,
    Out { transport, sends, stamp }: Out<'_>,
) -> usize {
    let Some(to) = transport.selected else { return 0 };
    let max = outgoing.header_len + OWN_EXTENSIONS_MAX + outgoing.payload.len() + MAX_RTP_OVERHEAD;
    if !transport.may_send(max) {
        return 0;
    }
    let Some(keys) = &transport.keys else { return 0 };
    let transport_cc = transport.next_transport_cc.to_be_bytes();
    let own = [
        extensions.mid.as_ref().map(|(id, mid)| (*id, mid.as_bytes())),
        extensions.abs_send_time.map(|id| (id, &stamp.abs_send_time[..])),
        extensions.transport_cc.map(|id| (id, &transport_cc[..])),
        extensions.dependency_descriptor.zip(outgoing.descriptor),
    ];
    let mut all: [(u8, &[u8]); MAX_ELEMENTS] = [(0, &[]); MAX_ELEMENTS];
    let mut count = 0;
    let mut put = |id, data| {
        if let Some(place) = all.get_mut(count) {
            *place = (id, data);
            count += 1;
        }
    };
    own.into_iter().flatten().for_each(|(id, data)| put(id, data));
    elements.filter(|(id, _)| extensions.passes(*id)).for_each(|(id, data)| put(id, data));
    let all = all.get(..count).unwrap_or_default();
    let written = sends.write(to, max, |out| {
        let Ok(header) = outgoing.header.write(out, all) else { return 0 };
        let (ssrc, payload) = (outgoing.header.ssrc, outgoing.payload);
        keys.outbound.seal_rtp(outgoing.index, ssrc, header.len, payload, out).unwrap_or(0)
    });
    if written > 0 {
        transport.sent.count(written);
    }
    if written > 0 && extensions.transport_cc.is_some() {
        transport.next_transport_cc = transport.next_transport_cc.wrapping_add(1);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_send_time_is_seconds_with_eighteen_fraction_bits() {
        // 3.5 s: 3 in six bits, then the half as the first of eighteen.
        let stamp = Stamp::new(0x0000_0003_8000_0000, Instant::now());
        assert_eq!(stamp.abs_send_time, [0x0e, 0x00, 0x00]);
        // Seconds wrap at 64.
        let stamp = Stamp::new(0x0000_0041_0000_0000, Instant::now());
        assert_eq!(stamp.abs_send_time, [0x04, 0x00, 0x00]);
    }
}
