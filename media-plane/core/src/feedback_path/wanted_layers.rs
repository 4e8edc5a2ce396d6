//! `voice:producerLayers`: how much of a video anybody wants, so that its sender can save the rest.

use crate::arena::{ProducerKey, TransportKey};
use crate::packet_path::tables::MediaTables;
use railgun_protocol::media_rpc::{Audience, Event};
use railgun_protocol::rtp_parameters::MediaKind;
use std::time::Instant;

/// The highest spatial layer of a video that anyone receives or wants; none: nobody, or no video.
pub(crate) fn highest_wanted(media: &MediaTables, key: ProducerKey) -> Option<u8> {
    let producer = media.producers.live(key).filter(|it| it.kind == MediaKind::Video)?;
    let consumers = producer.consumers.iter().filter_map(|key| media.consumers.live(*key));
    let wanted = consumers.filter(|it| !it.paused).filter_map(|it| it.selection.wanted_spatial(producer));
    wanted.max()
}

/// Sends `voice:producerLayers` to a producer's owner if the highest wanted layer changed.
pub(crate) fn follow(media: &mut MediaTables, key: ProducerKey, now: Instant) {
    let wanted = highest_wanted(media, key);
    let MediaTables { transports, producers, output, .. } = media;
    let Some(producer) = producers.live_mut(key).filter(|it| it.kind == MediaKind::Video) else { return };
    if !producer.wanted_layers.follow(wanted, now) {
        return;
    }
    let Some(transport) = transports.live(producer.transport) else { return };
    let event = Event::ProducerLayers { producer: producer.id, max_spatial: wanted };
    output.tell(transport.room, Audience::Only(producer.session), event);
}

/// [`follow`] for each producer of a transport.
pub(crate) fn follow_transport(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let producer_at = |media: &MediaTables, place| media.transports.get(key)?.producers.get(place).copied();
    let mut place = 0;
    while let Some(producer) = producer_at(media, place) {
        follow(media, producer, now);
        place += 1;
    }
}
