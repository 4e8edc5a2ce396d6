//! Who gets which layers when a receiver's link does not take all: everybody's lowest layer first, then
//! more, both by priority. Speech is never cut.

use super::{key_frames, wanted_layers};
use crate::arena::TransportKey;
use crate::feedback::layer_request::{LAYERS_MAX, LayerRequest, allocate};
use crate::feedback::link_estimate::Observed;
use crate::packet_path::producer::Producer;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::rtp_parameters::MediaKind;
use std::cmp::Reverse;
use std::time::{Duration, Instant};

/// The receiver's own estimate counts for so long.
const ESTIMATE_FOR: Duration = Duration::from_secs(5);

/// Each second: what the receiver's reports say of its link, and what it gets from now on.
pub(crate) fn follow_link(media: &mut MediaTables, key: TransportKey, now: Instant) {
    if media.transports.get(key).is_none_or(|transport| transport.consumers.is_empty()) {
        return;
    }
    let seen = observed(media, key, now);
    let mut requests = std::mem::take(&mut media.layer_requests);
    let speech = gather_requests(media, key, &mut requests);
    if let Some(transport) = media.transports.get_mut(key) {
        let budget = |limit: Option<u64>| limit.map_or(u64::MAX, |limit| limit.saturating_sub(speech));
        let next = allocate(budget(transport.link.limit()), &mut requests);
        transport.link.observe(&seen, next.map(|next| next.saturating_add(speech)), now);
        allocate(budget(transport.link.limit()), &mut requests);
        let is_unlimited = transport.link.limit().is_none();
        for request in &requests {
            let layer = request.allocated.and_then(|layer| u8::try_from(layer).ok());
            allow_layer(media, key, request.place, if is_unlimited { Some(u8::MAX) } else { layer }, now);
        }
    }
    media.layer_requests = requests;
}

fn observed(media: &mut MediaTables, key: TransportKey, now: Instant) -> Observed {
    let mut seen = Observed::default();
    let Some(transport) = media.transports.get_mut(key) else { return seen };
    for consumer in &transport.consumers {
        let Some(consumer) = media.consumers.get_mut(*consumer) else { continue };
        let (expected, lost) = consumer.delivery.take();
        seen.expected = seen.expected.saturating_add(expected);
        seen.lost = seen.lost.saturating_add(lost);
        let sent = &consumer.sent.traffic;
        seen.sent = seen.sent.saturating_add(sent.wire_bitrate());
        let packets = consumer.delivery.packets_per_second(now).unwrap_or(0);
        seen.delivered = seen.delivered.saturating_add(packets.saturating_mul(sent.wire_bits_a_packet()));
    }
    let since = std::mem::replace(&mut transport.link_observed_at, now);
    seen.queueing = transport.round_trip.queueing(since);
    let is_fresh = |(_, at): &(u64, Instant)| now.saturating_duration_since(*at) < ESTIMATE_FOR;
    seen.estimated = transport.estimated.filter(is_fresh).map(|(bitrate, _)| bitrate);
    seen
}

/// The videos that are wanted, the highest priority first and the oldest of equal ones; and what
/// speech takes, in bits a second.
fn gather_requests(media: &MediaTables, key: TransportKey, requests: &mut Vec<LayerRequest>) -> u64 {
    requests.clear();
    let mut speech = 0u64;
    let consumers = media.transports.get(key).into_iter().flat_map(|transport| &transport.consumers);
    for (place, consumer) in consumers.enumerate() {
        let Some(consumer) = media.consumers.get(*consumer).filter(|it| !it.paused) else { continue };
        let Some(producer) = media.producers.get(consumer.producer).filter(|it| !it.paused) else {
            continue;
        };
        if producer.kind == MediaKind::Audio {
            speech = speech.saturating_add(consumer.sent.traffic.wire_bitrate());
            continue;
        }
        let layers = usize::from(consumer.selection.asked_spatial(producer)) + 1;
        let costs = std::array::from_fn(|layer| if layer < layers { cost(producer, layer) } else { 0 });
        let layers = layers.min(LAYERS_MAX);
        requests.push(LayerRequest {
            place,
            priority: consumer.priority.get(),
            costs,
            layers,
            allocated: None,
        });
    }
    requests.sort_unstable_by_key(|request| (Reverse(request.priority), request.place));
    speech
}

/// The highest spatial layer that fits the link; `None` if no video does.
fn allow_layer(
    media: &mut MediaTables,
    transport: TransportKey,
    place: usize,
    layer: Option<u8>,
    now: Instant,
) {
    let key = media.transports.get(transport).and_then(|transport| transport.consumers.get(place));
    let Some(key) = key.copied() else { return };
    let Some(consumer) = media.consumers.get_mut(key) else { return };
    if !consumer.selection.allow(layer) {
        return;
    }
    if layer.is_none() {
        consumer.interrupt();
    }
    let producer = consumer.producer;
    key_frames::want_for_layers(media, key, now);
    wanted_layers::follow(media, producer, now);
}

/// The bitrate of a consumer at this spatial layer in bit/s; 0 if it was not measured yet.
fn cost(producer: &Producer, layer: usize) -> u64 {
    if producer.encodings.len() > 1 {
        return producer.encodings.get(layer).map_or(0, |encoding| encoding.bitrate_up_to(u8::MAX));
    }
    let up_to = if producer.spatial_layers() > 1 { u8::try_from(layer).unwrap_or(u8::MAX) } else { u8::MAX };
    producer.encodings.first().map_or(0, |encoding| encoding.bitrate_up_to(up_to))
}
