//! RTCP to clients: sender and receiver reports each second (RFC 3550 section 6.4); NACKs (RFC 4585) and
//! arrival times (transport-wide congestion control, or RFC 8888) when they are due.
//!
//! With `EngineConfig::speech_fec`, `fraction lost` of a microphone is what its receivers lost, if that is more than its
//! uplink did (`feedback::speech_loss`). All else that a block says is of the uplink.

use crate::arena::TransportKey;
use crate::feedback::nack_generator::ASKED_PER_MESSAGE;
use crate::feedback::speech_loss;
use crate::feedback::{congestion_feedback, transport_cc};
use crate::output::Output;
use crate::packet::middle_of_ntp;
use crate::packet::rtcp::{self, ReportBlock, SenderInfo};
use crate::packet_path::consumer::Consumer;
use crate::packet_path::producer::Producer;
use crate::packet_path::tables::MediaTables;
use crate::transport::webrtc_transport::{STREAMS_MAX, WebRtcTransport};
use railgun_protocol::signal::Source;
use std::time::Instant;

/// A sender report without blocks and the longest description after it take 300 bytes.
const SENDER_PARTS_MAX: usize = 4;

/// Reports on what a client sends and on what it is sent.
pub(crate) fn send_reports(media: &mut MediaTables, key: TransportKey, now: Instant) {
    send_receiver_report(media, key, now);
    send_sender_reports(media, key, now);
}

/// Asks a client for what is missing of its streams, and tells it when its packets arrived.
pub(crate) fn send_feedback(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let MediaTables { transports, output, clock, .. } = media;
    let Some(transport) = transports.get_mut(key) else { return };
    let (ssrc, round_trip) = (transport.local_ssrc, transport.round_trip);
    let mut asked = [0; ASKED_PER_MESSAGE];
    for place in 0..transport.streams.len() {
        let Some(stream) = transport.streams.get_mut(place) else { continue };
        let media_ssrc = stream.ssrc;
        let Some(nacks) = &mut stream.nacks else { continue };
        let missing = nacks.take(now, round_trip.mean(), round_trip.patience(), &mut asked);
        if !missing.is_empty() {
            let asked = u64::try_from(missing.len()).unwrap_or_default();
            stream.nacked += asked;
            output.counters.asked_packets += asked;
            transport
                .send_control(&mut output.sends, |out| rtcp::write_nack(out, ssrc, media_ssrc, missing).ok());
        }
    }
    if let Some(feedback) = &mut transport.congestion_feedback {
        let mut message = [0; congestion_feedback::MESSAGE_MAX];
        let written = feedback.next_message(now, &mut message, ssrc, middle_of_ntp(clock.ntp(now)));
        if let Some(Ok(len)) = written {
            send_message(transport, output, message.get(..len).unwrap_or_default());
        }
        return;
    }
    let media_ssrc = transport.streams.first().map_or(0, |stream| stream.ssrc);
    let mut message = [0; transport_cc::MESSAGE_MAX];
    while let Some(feedback) = transport.arrivals.next_feedback(now) {
        let Ok(len) = feedback.write(&mut message, ssrc, media_ssrc) else { return };
        send_message(transport, output, message.get(..len).unwrap_or_default());
    }
}

fn send_message(transport: &mut WebRtcTransport, output: &mut Output, message: &[u8]) {
    transport.send_control(&mut output.sends, |out| {
        out.get_mut(..message.len())?.copy_from_slice(message);
        Some(message.len())
    });
}

fn send_receiver_report(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let Some(transport) = media.transports.get_mut(key) else { return };
    let mut blocks = [ReportBlock::default(); STREAMS_MAX];
    let mut places = blocks.iter_mut();
    let streams = transport.streams.iter_mut().filter(|stream| !stream.is_rtx);
    for (block, place) in streams.filter_map(|stream| stream.report(now)).zip(&mut places) {
        *place = block;
    }
    let count = STREAMS_MAX - places.len();
    let blocks = blocks.get_mut(..count).unwrap_or_default();
    if blocks.is_empty() {
        return;
    }
    if media.speech_fec {
        blocks.iter_mut().for_each(|block| tell_speech_loss(media, key, block, now));
    }
    let MediaTables { transports, output, .. } = media;
    let Some(transport) = transports.get_mut(key) else { return };
    let ssrc = transport.local_ssrc;
    let cname = std::mem::take(&mut transport.local_cname);
    transport.send_control(&mut output.sends, |out| {
        let len = rtcp::write_receiver_report(out, ssrc, blocks).ok()?;
        Some(len + rtcp::write_sdes_cname(out.get_mut(len..)?, ssrc, cname.as_bytes()).ok()?)
    });
    transport.local_cname = cname;
}

/// What a microphone's receivers lost goes into its block.
fn tell_speech_loss(media: &MediaTables, key: TransportKey, block: &mut ReportBlock, now: Instant) {
    let stream = media.transports.get(key).and_then(|transport| transport.stream(block.ssrc));
    let producer = stream.and_then(|stream| media.producers.get(stream.producer));
    let is_mic = |it: &&Producer| it.source == Source::Mic && !it.paused;
    let Some(producer) = producer.filter(is_mic) else { return };
    let claimed = producer.consumers.iter().filter_map(|key| {
        let consumer = media.consumers.get(*key).filter(|it| !it.paused)?;
        let link = media.transports.get(consumer.transport)?.receiver_link.as_deref();
        let confirmed = link.map_or(0, |link| link.loss.fraction_lost(now));
        Some((consumer.delivery.fraction_lost(now), confirmed))
    });
    block.fraction_lost = speech_loss::told(block.fraction_lost, claimed);
}

fn send_sender_reports(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let ntp = media.clock.ntp(now);
    let MediaTables { transports, consumers, output, .. } = media;
    let Some(transport) = transports.get_mut(key) else { return };
    // An address that is not proved gets its own, of which the client is to echo the latest.
    if transport.change.is_some() {
        return;
    }
    let keys = std::mem::take(&mut transport.consumers);
    for part in keys.chunks(SENDER_PARTS_MAX) {
        let sending = || part.iter().filter_map(|key| consumers.live(*key));
        let reports = || sending().filter_map(|it| Some((sender_info(it, ntp, now)?, &it.cname)));
        if reports().next().is_none() {
            continue;
        }
        transport.send_control(&mut output.sends, |out| {
            let mut len = 0;
            for (info, cname) in reports() {
                len += rtcp::write_sender_report(out.get_mut(len..)?, &info, &[]).ok()?;
                let cname = cname.as_bytes();
                len += rtcp::write_sdes_cname(out.get_mut(len..)?, info.ssrc, cname).ok()?;
            }
            Some(len)
        });
    }
    transport.consumers = keys;
}

/// The sender part of a report on a consumer for the moment `now`, which is `ntp` on the wall clock. None
/// before the first packet.
#[allow(clippy::cast_possible_truncation, reason = "masked")]
pub(crate) fn sender_info(consumer: &Consumer, ntp: u64, now: Instant) -> Option<SenderInfo> {
    let (timestamp, at) = consumer.sent.last?;
    let since = now.saturating_duration_since(at).as_micros() * u128::from(consumer.clock_rate) / 1_000_000;
    let since = u32::try_from(since & 0xffff_ffff).unwrap_or_default();
    Some(SenderInfo {
        ssrc: consumer.ssrc,
        ntp,
        rtp_time: timestamp.wrapping_add(since),
        // Both wrap (RFC 3550 section 6.4.1).
        packets: (consumer.sent.traffic.packets() & 0xffff_ffff) as u32,
        octets: (consumer.sent.traffic.bytes() & 0xffff_ffff) as u32,
    })
}
