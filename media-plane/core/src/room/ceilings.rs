//! What a session's grant lets it send, in bits a second: told to its client, and enforced.

use crate::arena::{ProducerKey, RoomKey, TransportKey};
use crate::engine::Engine;
use crate::packet::rtcp;
use crate::room::producer::Producer;
use railgun_shared::ids::SessionId;
use railgun_shared::media_rpc::Audience;
use railgun_shared::rtp_parameters::MediaKind;
use railgun_shared::signal::Source;

/// Why a producer was closed that kept sending more than it may.
const BITRATE: &str = "bitrate";

impl Engine {
    fn bitrate_ceiling(&self, room: RoomKey, session: SessionId, source: Source) -> u32 {
        self.session(room, session).map_or(0, |seat| seat.grant.permissions.bitrate_ceiling(source))
    }

    /// The ceiling with its headroom.
    pub(super) fn allowed_bitrate(&self, room: RoomKey, session: SessionId, source: Source) -> u64 {
        let ceiling = self.bitrate_ceiling(room, session, source);
        u64::from(ceiling) * u64::from(self.config.bitrate_headroom_percent) / 100
    }

    /// Each second: a client hears how much it may send; whoever does not listen loses packets, and in
    /// the end the producer.
    pub(crate) fn police_producers(&mut self, key: TransportKey) {
        let Some(transport) = self.transports.get(key) else { return };
        let room = transport.room;
        let producers: Vec<ProducerKey> = transport.producers.clone();
        let mut total = 0;
        let mut video = Vec::new();
        for producer in producers {
            let Some(&Producer { session, source, kind, .. }) = self.producers.get(producer) else {
                continue;
            };
            let allowed = self.allowed_bitrate(room, session, source);
            total += u64::from(self.bitrate_ceiling(room, session, source));
            let Some(it) = self.producers.get_mut(producer) else { continue };
            it.police.set_rate(allowed);
            if kind == MediaKind::Video && !it.paused {
                video.extend(it.encodings.iter().filter_map(|encoding| encoding.ssrc));
            }
            if it.police.is_incorrigible() {
                tracing::info!(?source, "a producer that kept sending more than it may is closed");
                self.remove_producer_because(room, producer, Audience::Everyone, Some(BITRATE));
            }
        }
        // Opus has its ceiling in its parameters, and an estimate of audio alone would throttle it.
        let Some(transport) = self.transports.get_mut(key).filter(|_| !video.is_empty()) else { return };
        let sender_ssrc = transport.local_ssrc;
        transport.send_control(&mut self.sends, |out| rtcp::write_remb(out, sender_ssrc, total, &video).ok());
    }
}
