//! A room's part of a transport's turn, each second.

use super::bitrate_limits::{allowed_bitrate, bitrate_limit};
use super::table::RoomTable;
use super::{accounts, producing};
use crate::arena::TransportKey;
use crate::packet::rtcp;
use crate::packet_path::producer::Producer;
use crate::packet_path::tables::MediaTables;
use crate::transport::webrtc_transport::STREAMS_MAX;
use railgun_protocol::limits::PRODUCERS_PER_SESSION;
use railgun_protocol::media_rpc::Audience;
use railgun_protocol::rtp_parameters::MediaKind;
use railgun_protocol::signal::ProducerCloseReason;
use std::time::Instant;

/// Tells a client by REMB how much video it may send. A producer that goes on sending more than it may has
/// lost packets to its policer, and is closed in the end.
pub(crate) fn limit_bitrates(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    key: TransportKey,
    now: Instant,
) {
    let Some(transport) = media.transports.get(key) else { return };
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
        let Some(&Producer { session, source, kind, account, policer, .. }) = media.producers.live(producer)
        else {
            continue;
        };
        let allowed = allowed_bitrate(rooms, room, session, source);
        total += u64::from(bitrate_limit(rooms, room, session, source));
        let Some(it) = media.producers.live_mut(producer) else { continue };
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
        accounts::set_allowed_bitrate(rooms, media, room, account, source, now);
        let policer = media.policers.live_mut(policer);
        let is_incorrigible = policer.is_some_and(|it| it.is_incorrigible(source, now));
        // One of two that are too much together may be enough.
        if is_incorrigible && !std::mem::replace(&mut is_closed, true) {
            tracing::info!(?source, "a producer that kept sending more than it may is closed");
            producing::remove_producer_because(
                rooms,
                media,
                room,
                producer,
                Audience::Everyone,
                Some(ProducerCloseReason::Bitrate),
            );
        }
    }
    // Opus has its limit in its parameters, and an estimate of audio alone would throttle it.
    let video = video.get(..videos).unwrap_or_default();
    let MediaTables { transports, output, .. } = media;
    let Some(transport) = transports.get_mut(key).filter(|_| !video.is_empty()) else { return };
    let sender_ssrc = transport.local_ssrc;
    transport.send_control(&mut output.sends, |out| rtcp::write_remb(out, sender_ssrc, total, video).ok());
}
