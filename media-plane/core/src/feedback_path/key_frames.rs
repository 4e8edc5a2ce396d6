//! Key frames: who needs one of which encoding, and the requests (PLI, RFC 4585 section 6.3.1) that go to
//! its sender.

use crate::arena::{ConsumerKey, ProducerKey, TransportKey};
use crate::packet::rtcp::{self, Pli};
use crate::packet_path::tables::MediaTables;
use railgun_protocol::rtp_parameters::MediaKind;
use std::time::Instant;

/// A receiver cannot go on without a key frame of this encoding.
pub(crate) fn want(media: &mut MediaTables, key: ProducerKey, encoding: u8, now: Instant) {
    let Some(producer) = media.producers.live_mut(key) else { return };
    if producer.kind != MediaKind::Video || producer.paused {
        return;
    }
    let Some(encoding) = producer.encoding_mut(encoding) else { return };
    // A request names an SSRC, and a layer that was never seen has none; noted, it would stay due.
    if encoding.ssrc.is_none() {
        return;
    }
    encoding.key_frames.want(now);
    let transport = producer.transport;
    send_due(media, transport, now);
    if let Some(due) = next_due(media, transport) {
        media.transports.wake_by(transport, due);
    }
}

/// This consumer cannot go on without a key frame.
pub(crate) fn want_for_consumer(media: &mut MediaTables, key: ConsumerKey, now: Instant) {
    let Some(consumer) = media.consumers.live(key).filter(|consumer| !consumer.paused) else { return };
    let Some(producer) = media.producers.live(consumer.producer) else { return };
    let (key, encoding) = (consumer.producer, consumer.selection.target(producer, now));
    want(media, key, encoding, now);
}

/// Each consumer on this transport begins: media can flow.
pub(crate) fn want_for_transport(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let Some(transport) = media.transports.live(key) else { return };
    for consumer in transport.consumers.clone() {
        want_for_consumer(media, consumer, now);
    }
}

/// Each consumer of this producer begins anew.
pub(crate) fn want_for_producer(media: &mut MediaTables, key: ProducerKey, now: Instant) {
    let Some(producer) = media.producers.live(key) else { return };
    for consumer in producer.consumers.clone() {
        want_for_consumer(media, consumer, now);
    }
}

/// Asks for the key frame that a consumer needs to get to its layers, if it needs one.
pub(crate) fn want_for_layers(media: &mut MediaTables, key: ConsumerKey, now: Instant) {
    let Some(consumer) = media.consumers.live(key).filter(|consumer| !consumer.paused) else { return };
    let Some(producer) = media.producers.live(consumer.producer) else { return };
    let (key, wanted) = (consumer.producer, consumer.selection.wants_key_frame_of(producer, now));
    if let Some(encoding) = wanted {
        want(media, key, encoding, now);
    }
}

/// When a request of this transport's producers is due.
pub(crate) fn next_due(media: &MediaTables, key: TransportKey) -> Option<Instant> {
    let transport = media.transports.get(key)?;
    let producers = transport.producers.iter().filter_map(|key| media.producers.live(*key));
    producers.flat_map(|it| &it.encodings).filter_map(|it| it.key_frames.due()).min()
}

/// Sends the requests that are due on a transport.
pub(crate) fn send_due(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let MediaTables { transports, producers, output, .. } = media;
    let Some(transport) = transports.get_mut(key) else { return };
    let sender_ssrc = transport.local_ssrc;
    for producer in 0..transport.producers.len() {
        let producer = transport.producers.get(producer).and_then(|key| producers.live_mut(*key));
        let Some(producer) = producer else { continue };
        for encoding in &mut producer.encodings {
            let Some(media_ssrc) = encoding.ssrc else { continue };
            if encoding.key_frames.take(now) {
                let pli = Pli { sender_ssrc, media_ssrc };
                transport.send_control(&mut output.sends, |out| rtcp::write_pli(out, pli).ok());
                output.counters.key_frame_requests += 1;
            }
        }
    }
}
