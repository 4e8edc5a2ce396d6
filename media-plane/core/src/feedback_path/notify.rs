//! What sessions are told of their streams, each second and only when it changed: layers and scores.

use super::key_frames;
use crate::arena::{ConsumerKey, TransportKey};
use crate::packet_path::tables::MediaTables;
use railgun_protocol::media_rpc::{Audience, Event};
use railgun_protocol::rtp_parameters::MediaKind;
use railgun_protocol::signal::ConsumerLayers;
use std::time::Instant;

/// Brings a transport's consumers to layers that came up, and away from those that are gone; and tells
/// the session which layers it gets, and how well.
pub(crate) fn follow_consumers(media: &mut MediaTables, key: TransportKey, now: Instant) {
    for place in 0.. {
        let transport = media.transports.get(key);
        let consumer = transport.and_then(|transport| transport.consumers.get(place).copied());
        let Some(consumer) = consumer else { return };
        key_frames::want_for_layers(media, consumer, now);
        tell_layers(media, consumer);
        tell_consumer_score(media, consumer, now);
    }
}

/// Tells a session how well what it sends comes in: the score of each producer's best stream.
pub(crate) fn tell_producer_scores(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let MediaTables { transports, producers, output, .. } = media;
    let Some(transport) = transports.get(key) else { return };
    for producer_key in &transport.producers {
        let streams = transport.streams.iter().filter(|it| it.producer == *producer_key && !it.is_rtx);
        let Some(score) = streams.map(|stream| stream.score.score(now)).max() else { continue };
        let Some(producer) = producers.live_mut(*producer_key).filter(|it| !it.paused) else { continue };
        if producer.last_notified_score.replace(score) != Some(score) {
            let event = Event::ProducerScore { producer: producer.id, score };
            output.tell(transport.room, Audience::Only(transport.session), event);
        }
    }
}

fn tell_consumer_score(media: &mut MediaTables, key: ConsumerKey, now: Instant) {
    let Some(consumer) = media.consumers.live_mut(key).filter(|it| !it.paused) else { return };
    if consumer.sent.last.is_none() {
        return;
    }
    let score = consumer.score.score(now);
    if consumer.last_notified_score.replace(score) != Some(score) {
        let event = Event::ConsumerScore { consumer: consumer.id, score };
        media.output.tell(consumer.room, Audience::Only(consumer.session), event);
    }
}

fn tell_layers(media: &mut MediaTables, key: ConsumerKey) {
    let Some(consumer) = media.consumers.live_mut(key) else { return };
    let Some(producer) = media.producers.live(consumer.producer) else { return };
    if producer.kind != MediaKind::Video {
        return;
    }
    let layers = consumer.selection.layers(producer);
    if layers == consumer.last_notified_layers {
        return;
    }
    consumer.last_notified_layers = layers;
    let layers = layers.map(ConsumerLayers::from);
    let event = Event::ConsumerLayers { consumer: consumer.id, layers };
    media.output.tell(consumer.room, Audience::Only(consumer.session), event);
}
