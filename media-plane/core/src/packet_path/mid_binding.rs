//! Binds the first audio consumer's SSRC to its MID (RFC 9143 section 9.2) before packets of another audio consumer arrive.
//!
//! The node forwards audio to a consumer as soon as it is created. The client may not have set the SDP of the new media section
//! yet. Firefox gives a packet of an unknown SSRC to the only media section with its payload type, whatever MID the packet has,
//! unless an earlier packet with that section's MID bound it to an SSRC. While the first audio consumer has sent nothing, its
//! media section takes the second one's packets. Once the first one sends, Firefox plays the second one no more, for as long
//! as that consumer lasts.
//!
//! So the node sends a packet of padding on the first consumer's stream ahead of a new consumer's first packets, until the
//! first consumer begins.

use super::consumer::Consumer;
use super::packet_writer::Stamp;
use super::probe;
use crate::arena::{Arena, ConsumerKey, TransportKey};
use crate::output::Output;
use crate::transport::table::TransportTable;

/// Packets to a new consumer that count as its first: 2 s of speech, within which a client sets its SDP.
const FIRST_PACKETS: u64 = 100;

/// Whether packets to this consumer may arrive before the client has set its SDP.
#[inline]
pub(super) fn is_new(consumer: &Consumer) -> bool {
    consumer.sent.traffic.packets() < FIRST_PACKETS
}

/// Sends the first audio consumer's MID ahead of packets to the consumer `next`, if that is another one of audio.
#[cold]
pub(super) fn send_ahead(
    transports: &mut TransportTable,
    consumers: &mut Arena<ConsumerKey, Consumer>,
    output: &mut Output,
    (key, next): (TransportKey, ConsumerKey),
    stamp: Stamp,
) {
    let Some(transport) = transports.get_mut(key) else { return };
    let is_audio = |key: &ConsumerKey| consumers.live(*key).is_some_and(|it| it.extensions.is_audio);
    let Some(first) = transport.consumers.iter().copied().find(is_audio) else { return };
    if first == next || !is_audio(&next) {
        return;
    }
    let (Some(to), Some(keys), None) = (transport.selected, &transport.keys, &transport.change) else {
        return;
    };
    let Some(consumer) = consumers.live_mut(first) else { return };
    let len = probe::send_mid(&mut output.sends, to, &keys.outbound, consumer, stamp);
    if len > 0 {
        transport.sent.count(len);
    }
}
