//! Padding to a receiver, to learn whether its link takes the next layer (`congestion::probe`).

use crate::arena::TransportKey;
use crate::feedback::sent_history::Purpose;
use crate::packet::sequence_of;
use crate::packet_path::packet_writer::Stamp;
use crate::packet_path::padding::{self, PROBATOR_SSRC};
use crate::packet_path::tables::MediaTables;
use std::time::{Duration, Instant};

/// Between two looks at a cluster.
const TICK: Duration = Duration::from_millis(5);
/// Packets at once: a tick of 12 Mbit/s.
const PACKETS_MAX: usize = 8;
/// UDP and IP around a datagram, in bytes.
const UDP_IP: u64 = 28;

/// Begins a cluster, if something is worth knowing and the link is calm.
pub(crate) fn begin(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let Some(transport) = media.transports.get_mut(key) else { return };
    let now_us = transport.sent_history.micros(now);
    let Some(link) = transport.receiver_link.as_deref_mut().filter(|link| link.is_heard()) else { return };
    let Some(goal) = link.goal.filter(|goal| *goal > link.estimator.estimate()) else { return };
    if !link.estimator.may_probe(now_us) || !link.pacer.is_empty() || transport.change.is_some() {
        return;
    }
    if link.awaits_first_burst(&transport.sent_history) {
        return;
    }
    let known = link.estimator.estimate();
    if link.estimator.prober.begin(goal, known, link.is_more_wanted, now_us) {
        link.counted_bytes = transport.sent_history.bytes();
        link.probe_at = Some(now);
        media.transports.wake_by(key, now);
    }
}

/// Sends the padding that is due.
pub(crate) fn send_due(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let stamp = Stamp::new(media.clock.ntp(now), now);
    let MediaTables { transports, consumers, output, .. } = media;
    let Some(transport) = transports.get_mut(key) else { return };
    let Some(link) = transport.receiver_link.as_deref_mut() else { return };
    if link.probe_at.is_none_or(|at| now < at) {
        return;
    }
    let carrier = transport.consumers.iter().filter_map(|key| consumers.live(*key));
    let carrier = carrier.map(|consumer| consumer.extensions).find(|it| !it.is_audio && it.is_numbered());
    let (Some(to), Some(keys), Some(extensions), None) =
        (transport.selected, &transport.keys, carrier, &transport.change)
    else {
        link.probe_at = None;
        return link.estimator.prober.abort(transport.sent_history.micros(now));
    };
    let now_us = transport.sent_history.micros(now);
    let (history, ecn) = (&mut transport.sent_history, transport.ecn);
    let media_bytes = history.bytes() - link.counted_bytes;
    let mut due = link.estimator.prober.due(media_bytes, transport.next_transport_cc, now_us);
    for _ in 0..PACKETS_MAX {
        if due == 0 {
            break;
        }
        let numbers = (transport.next_padding, transport.next_transport_cc);
        let len = padding::send(&mut output.sends, (to, ecn), &keys.outbound, &extensions, numbers, stamp);
        if len == 0 {
            break;
        }
        history.put(numbers.1, len, Purpose::Probe, now_us);
        history.name(numbers.1, PROBATOR_SSRC, sequence_of(numbers.0));
        transport.next_padding += 1;
        transport.next_transport_cc = numbers.1.wrapping_add(1);
        transport.sent.count(len);
        output.counters.padding_packets += 1;
        let bytes = len as u64 + UDP_IP;
        link.estimator.prober.on_padding(bytes);
        due = due.saturating_sub(bytes);
    }
    link.counted_bytes = history.bytes();
    link.probe_at = link.estimator.prober.is_sending().then(|| now + TICK);
}
