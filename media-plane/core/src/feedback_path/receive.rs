//! RTCP from clients. What it says about an SSRC counts only if that SSRC is the sender's own
//! stream, or a consumer on the transport it came over.

use super::{address_proof_requests, allocation, key_frames, resend};
use crate::arena::{ConsumerKey, TransportKey};
use crate::config::Datagram;
use crate::output::DropReason;
use crate::packet::middle_of_ntp;
use crate::packet::rtcp::{LastReference, ReportBlock, RtcpPacket, SenderInfo, parse_compound};
use crate::packet_path::tables::MediaTables;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// In 65536ths of a second: ten seconds. A longer one is of a report about nothing that was sent.
/// A key frame that was sent to a receiver with a full queue may still come for so long.
const KEY_FRAME_UNDER_WAY: Duration = Duration::from_millis(1_200);
const ROUND_TRIP_MAX: u32 = 10 << 16;

/// Takes an RTCP compound packet from a transport's client.
pub(crate) fn receive(media: &mut MediaTables, key: TransportKey, datagram: &mut Datagram<'_>, now: Instant) {
    let MediaTables { transports, output, .. } = media;
    let Some(transport) = transports.live_mut(key) else { return };
    let Some(keys) = &mut transport.keys else { return };
    let Ok(len) = keys.inbound_control.open_rtcp(datagram.bytes) else {
        return output.counters.drop(DropReason::Unauthentic, Some(key), None);
    };
    let source = datagram.source;
    transport.on_heard(source, datagram.bytes.len(), now);
    transport.received.count(datagram.bytes.len());
    let Ok(compound) = parse_compound(datagram.bytes.get(..len).unwrap_or_default()) else {
        return output.counters.drop(DropReason::Malformed, Some(key), None);
    };
    for packet in compound {
        match packet {
            RtcpPacket::SenderReport(report) => {
                on_sender_report(media, key, report.info, now);
                report.report_blocks().for_each(|block| on_report_block(media, key, &block, source, now));
            }
            RtcpPacket::ReceiverReport(report) => {
                report.report_blocks().for_each(|block| on_report_block(media, key, &block, source, now));
            }
            RtcpPacket::Remb(remb) => on_estimate(media, key, remb.bitrate, now),
            RtcpPacket::Pli(pli) => on_key_frame_request(media, key, pli.media_ssrc, now),
            RtcpPacket::Nack(nack) => {
                if let Some(consumer) = consumer_by_ssrc(media, key, nack.media_ssrc) {
                    resend::resend(media, consumer, nack.count(), nack.lost(), now);
                }
            }
            RtcpPacket::Fir(fir) => {
                fir.entries().for_each(|entry| on_key_frame_request(media, key, entry.ssrc, now));
            }
            RtcpPacket::TransportCc(feedback) => {
                address_proof_requests::on_transport_cc(media, key, &feedback, source, now);
                allocation::on_transport_cc(media, key, &feedback, now);
            }
            RtcpPacket::CongestionFeedback(feedback) => {
                allocation::on_congestion_feedback(media, key, &feedback, now);
            }
            RtcpPacket::Extended(report) => {
                let echoes = report.last_references();
                echoes.for_each(|echo| on_last_reference(media, key, &echo, source, now));
            }
            _ => {}
        }
    }
}

fn on_sender_report(media: &mut MediaTables, key: TransportKey, info: SenderInfo, now: Instant) {
    let Some(transport) = media.transports.live_mut(key) else { return };
    let Some(stream) = transport.stream_mut(info.ssrc).filter(|stream| !stream.is_rtx) else { return };
    let clock_rate = stream.clock_rate();
    stream.reception.on_sender_report(info.ntp, info.rtp_time, clock_rate, now);
    let (producer, encoding) = (stream.producer, stream.encoding);
    let encoding = media.producers.live_mut(producer).and_then(|it| it.encoding_mut(encoding));
    if let Some(encoding) = encoding {
        encoding.sender_report = Some((info.ntp, info.rtp_time));
    }
}

fn on_last_reference(
    media: &mut MediaTables,
    key: TransportKey,
    echo: &LastReference,
    source: SocketAddr,
    now: Instant,
) {
    if media.transports.live(key).is_some_and(|transport| transport.local_ssrc == echo.ssrc) {
        address_proof_requests::on_time_echo(media, key, echo.time, source, now);
    }
}

fn on_report_block(
    media: &mut MediaTables,
    key: TransportKey,
    block: &ReportBlock,
    source: SocketAddr,
    now: Instant,
) {
    let now_middle = middle_of_ntp(media.clock.ntp(now));
    let Some(consumer) = consumer_by_ssrc(media, key, block.ssrc) else { return };
    let Some(consumer) = media.consumers.live_mut(consumer) else { return };
    let Some(transport) = media.transports.live_mut(key) else { return };
    consumer.score.on_report(block, consumer.clock_rate);
    consumer.last_report = Some(*block);
    consumer.delivery.on_report(block, consumer.skipped_packets(), consumer.repeated_packets(), now);
    if block.last_sr == 0 {
        return;
    }
    // RFC 3550 section 6.4.1: in 65536ths of a second.
    let sent = block.last_sr.wrapping_sub(transport.sent_times.shift_of(block.last_sr).into());
    let round_trip = now_middle.wrapping_sub(sent).wrapping_sub(block.delay_since_last_sr);
    if round_trip < ROUND_TRIP_MAX {
        let round_trip = Duration::from_micros(u64::from(round_trip) * 1_000_000 / 65_536);
        transport.round_trip.measured(round_trip, now);
    }
    address_proof_requests::on_time_echo(media, key, block.last_sr, source, now);
}

fn on_estimate(media: &mut MediaTables, key: TransportKey, bitrate: u64, now: Instant) {
    if let Some(transport) = media.transports.live_mut(key) {
        transport.estimated = Some((bitrate, now));
    }
}

fn on_key_frame_request(media: &mut MediaTables, key: TransportKey, ssrc: u32, now: Instant) {
    if let Some(consumer) = consumer_by_ssrc(media, key, ssrc) {
        if let Some(consumer) = media.consumers.live_mut(consumer) {
            consumer.asked.key_frames += 1;
            let is_new = |at: Instant| now.saturating_duration_since(at) < KEY_FRAME_UNDER_WAY;
            let transport = media.transports.live(key);
            let is_full = transport.and_then(|it| it.receiver_link.as_ref()).is_some_and(|it| it.is_full());
            // It is on its way, behind a queue that one more would only make longer.
            if is_full && consumer.key_frame_at.is_some_and(is_new) {
                return;
            }
        }
        key_frames::want_for_consumer(media, consumer, now);
    }
}

fn consumer_by_ssrc(media: &MediaTables, key: TransportKey, ssrc: u32) -> Option<ConsumerKey> {
    let transport = media.transports.live(key)?;
    let is_it = |key: &&ConsumerKey| media.consumers.live(**key).is_some_and(|it| it.ssrc == ssrc);
    transport.consumers.iter().find(is_it).copied()
}
