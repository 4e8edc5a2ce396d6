//! Binds the first voice of a receiver to its MID (RFC 9143 section 9.2) before another one's packets come.
//!
//! A client is sent a new voice as soon as it has asked for it, which may be before it has set the description of it. Firefox
//! gives packets of an SSRC that it does not know to the one description that their payload type belongs to, whatever MID
//! they bear, unless a packet bound that description to another SSRC. With a first voice that is muted or has not begun,
//! the second one's packets are taken for the first's, and once that one begins, the second is not heard for as long as
//! its consumer lasts.
//!
//! So a packet of padding of the first voice goes ahead of each of a new voice's first packets, until the first one begins.

use super::consumer::Consumer;
use super::packet_writer::Stamp;
use super::probe;
use crate::arena::{Arena, ConsumerKey, TransportKey};
use crate::output::Output;
use crate::transport::table::TransportTable;

/// Packets of a new voice: 2 s of them, within which a client sets a description.
const FIRST_PACKETS: u64 = 100;

/// Whether what is sent to this consumer may come before its description is set.
#[inline]
pub(super) fn is_new(consumer: &Consumer) -> bool {
    consumer.sent.traffic.packets() < FIRST_PACKETS
}

/// Goes ahead of a packet to the consumer `next`.
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
