//! Bitrates of what goes through a transport.

use crate::arena::TransportKey;
use crate::packet_path::tables::MediaTables;
use std::time::Instant;

/// To be called about once a second: each bitrate is that since the last call.
pub(crate) fn measure(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let MediaTables { transports, consumers, .. } = media;
    let Some(transport) = transports.get_mut(key) else { return };
    transport.received.measure(now);
    transport.sent.measure(now);
    transport.streams.iter_mut().for_each(|stream| stream.received.measure(now));
    for consumer in &transport.consumers {
        if let Some(consumer) = consumers.live_mut(*consumer) {
            consumer.sent.traffic.measure(now);
        }
    }
}
