//! What a session's grant lets it send, in bits a second: told to its client, and enforced.

use crate::arena::{RoomKey, TransportKey};
use crate::engine::Engine;
use crate::packet::rtcp;
use crate::room::producer::Producer;
use crate::transport::webrtc_transport::STREAMS_MAX;
use railgun_shared::ids::SessionId;
use railgun_shared::limits::PRODUCERS_PER_SESSION;
use railgun_shared::media_rpc::Audience;
use railgun_shared::rtp_parameters::MediaKind;
use railgun_shared::signal::Source;
use std::time::Instant;

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
    pub(crate) fn police_producers(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get(key) else { return };
        let room = transport.room;
        let mut producers = [None; PRODUCERS_PER_SESSION];
        for (place, producer) in producers.iter_mut().zip(&transport.producers) {
            *place = Some(*producer);
        }
        let mut total = 0;
        let mut video = [0; STREAMS_MAX];
        let mut videos = 0;
        let mut is_closed = false;
        for producer in producers.into_iter().flatten() {
            let Some(&Producer { session, source, kind, account, .. }) = self.producers.get(producer) else {
                continue;
            };
            let allowed = self.allowed_bitrate(room, session, source);
            total += u64::from(self.bitrate_ceiling(room, session, source));
            let Some(it) = self.producers.get_mut(producer) else { continue };
            // A microphone that is on keeps what it began with: losing Pro ends video, and leaves no gap in a
            // voice.
            it.allowed = if kind == MediaKind::Video { allowed } else { allowed.max(it.allowed) };
            if kind == MediaKind::Video && !it.paused {
                let ssrcs = it.encodings.iter().filter_map(|encoding| encoding.ssrc);
                for (ssrc, place) in ssrcs.zip(video.iter_mut().skip(videos)) {
                    *place = ssrc;
                    videos += 1;
                }
            }
            self.set_allowed_bitrate(room, account, source, now);
            let account = self.accounts.get_mut(account);
            let is_incorrigible = account.is_some_and(|it| it.police.is_incorrigible(source, now));
            // One of two that are too much together may be enough.
            if is_incorrigible && !std::mem::replace(&mut is_closed, true) {
                tracing::info!(?source, "a producer that kept sending more than it may is closed");
                self.remove_producer_because(room, producer, Audience::Everyone, Some(BITRATE));
            }
        }
        // Opus has its ceiling in its parameters, and an estimate of audio alone would throttle it.
        let video = video.get(..videos).unwrap_or_default();
        let Some(transport) = self.transports.get_mut(key).filter(|_| !video.is_empty()) else { return };
        let sender_ssrc = transport.local_ssrc;
        transport.send_control(&mut self.sends, |out| rtcp::write_remb(out, sender_ssrc, total, video).ok());
    }
}
