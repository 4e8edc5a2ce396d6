//! Step 5: the packet as this consumer gets it: its own SSRC, numbers and extensions, sealed from
//! the shared plaintext into the send buffer, which is the only copy.

use super::ingest::Opened;
use crate::packet::rtp::{HeaderWriter, MAX_ELEMENTS};
use crate::room::consumer::Consumer;
use crate::room::producer::Producer;
use crate::send_batch::SendBatch;
use crate::srtp::MAX_RTP_OVERHEAD;
use crate::transport::webrtc_transport::WebRtcTransport;
use std::time::Instant;

/// Bytes that our own elements may add to a header: MID, send time, transport-wide number, each
/// with its two-byte element header, the block's header, and padding.
const OWN_EXTENSIONS_MAX: usize = 48;

/// The moment of a burst, as every packet of it says it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    at: Instant,
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

/// Whether the packet was put into the batch.
#[inline]
pub(crate) fn send(
    producer: &Producer,
    packet: &Opened,
    source: &[u8],
    consumer: &mut Consumer,
    transport: &mut WebRtcTransport,
    sends: &mut SendBatch,
    stamp: Stamp,
) -> bool {
    let Some(payload) = source.get(packet.payload.clone()) else { return false };
    let Some(to) = transport.selected else { return false };
    let max = packet.header.header_len + OWN_EXTENSIONS_MAX + payload.len() + MAX_RTP_OVERHEAD;
    if !transport.may_send(max) {
        return false;
    }
    let Some(keys) = &transport.keys else { return false };
    let Some(index) = consumer.sequence.map(packet.index) else { return false };
    let transport_cc = transport.next_transport_cc.to_be_bytes();
    let mut elements: [(u8, &[u8]); MAX_ELEMENTS] = [(0, &[]); MAX_ELEMENTS];
    let own = [
        consumer.extensions.mid.as_ref().map(|(id, mid)| (*id, mid.as_bytes())),
        consumer.extensions.abs_send_time.map(|id| (id, &stamp.abs_send_time[..])),
        consumer.extensions.transport_cc.map(|id| (id, &transport_cc[..])),
    ];
    let passed = packet.header.extensions(source).filter_map(|(id, data)| {
        let id = producer.extensions.to_router(id)?;
        consumer.extensions.passes(id).then_some((id, data))
    });
    let mut count = 0;
    for (place, element) in elements.iter_mut().zip(own.into_iter().flatten().chain(passed)) {
        *place = element;
        count += 1;
    }
    let elements = elements.get(..count).unwrap_or_default();
    let header = HeaderWriter {
        marker: packet.header.marker,
        payload_type: packet.payload_type,
        sequence: u16::try_from(index & 0xffff).unwrap_or_default(),
        timestamp: packet.header.timestamp,
        ssrc: consumer.ssrc,
    };
    let written = sends.write(to, max, |out| {
        let Ok(header) = header.write(out, elements) else { return 0 };
        keys.outbound.seal_rtp(index, consumer.ssrc, header.len, payload, out).unwrap_or(0)
    });
    if written == 0 {
        return false;
    }
    if consumer.extensions.transport_cc.is_some() {
        transport.next_transport_cc = transport.next_transport_cc.wrapping_add(1);
    }
    let sent = &mut consumer.sent;
    sent.packets = sent.packets.wrapping_add(1);
    sent.octets = sent.octets.wrapping_add(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    sent.last = Some((packet.header.timestamp, stamp.at));
    true
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
