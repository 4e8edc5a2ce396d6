//! RTCP to clients: reports each second; key-frame requests, NACKs and arrival times when due.

use crate::arena::{ConsumerKey, ProducerKey, TransportKey};
use crate::engine::Engine;
use crate::feedback::nack_generator::ASKED_PER_MESSAGE;
use crate::feedback::transport_cc::MESSAGE_MAX;
use crate::packet::rtcp::{self, Pli, ReportBlock, SenderInfo};
use crate::room::consumer::Consumer;
use crate::transport::webrtc_transport::STREAMS_MAX;
use railgun_shared::media_rpc::{Audience, Event};
use railgun_shared::rtp_parameters::MediaKind;
use railgun_shared::signal::ConsumerLayers;
use std::time::{Duration, Instant};

/// Between two rounds of reports on a transport.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// A sender report without blocks and the longest description after it take 300 bytes.
const SENDER_PARTS_MAX: usize = 4;

impl Engine {
    /// Somebody cannot go on without a key frame of this encoding.
    pub(crate) fn want_key_frame(&mut self, key: ProducerKey, encoding: u8, now: Instant) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        if producer.kind != MediaKind::Video || producer.paused {
            return;
        }
        let Some(encoding) = producer.encoding_mut(encoding) else { return };
        // A layer that was never seen cannot be asked; and a wish that nothing fulfils stays due.
        if encoding.ssrc.is_none() {
            return;
        }
        encoding.key_frames.want(now);
        let transport = producer.transport;
        self.request_key_frames(transport, now);
        self.schedule(transport);
    }

    /// This consumer cannot go on without a key frame.
    pub(crate) fn want_key_frame_for(&mut self, key: ConsumerKey, now: Instant) {
        let Some(consumer) = self.consumers.get(key).filter(|consumer| !consumer.paused) else { return };
        let Some(producer) = self.producers.get(consumer.producer) else { return };
        let (key, encoding) = (consumer.producer, consumer.selection.target(producer, now));
        self.want_key_frame(key, encoding, now);
    }

    /// Whoever gets this producer begins anew.
    pub(crate) fn want_key_frames_of_all(&mut self, key: ProducerKey, now: Instant) {
        let Some(producer) = self.producers.get(key) else { return };
        for consumer in producer.consumers.clone() {
            self.want_key_frame_for(consumer, now);
        }
    }

    /// Asks for the key frame that a consumer needs to get to its layers, if it needs one.
    pub(crate) fn follow_layers_of(&mut self, key: ConsumerKey, now: Instant) {
        let Some(consumer) = self.consumers.get(key).filter(|consumer| !consumer.paused) else { return };
        let Some(producer) = self.producers.get(consumer.producer) else { return };
        let (key, wanted) = (consumer.producer, consumer.selection.wants_key_frame_of(producer, now));
        if let Some(encoding) = wanted {
            self.want_key_frame(key, encoding, now);
        }
    }

    /// Brings consumers to layers that came up, and away from those that are gone; and tells each
    /// session which layers it gets.
    fn follow_layers(&mut self, key: TransportKey, now: Instant) {
        for place in 0.. {
            let transport = self.transports.get(key);
            let consumer = transport.and_then(|transport| transport.consumers.get(place).copied());
            let Some(consumer) = consumer else { return };
            self.follow_layers_of(consumer, now);
            self.tell_layers(consumer);
            self.tell_consumer_score(consumer, now);
        }
    }

    /// Tells a session how well what it sends comes in, if that changed: its best stream's score.
    fn tell_producer_scores(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get(key) else { return };
        let (room, session) = (transport.room, transport.session);
        for place in 0..transport.producers.len() {
            let Some(transport) = self.transports.get(key) else { return };
            let Some(producer_key) = transport.producers.get(place).copied() else { return };
            let streams = transport.streams.iter().filter(|it| it.producer == producer_key && !it.is_rtx);
            let Some(score) = streams.map(|stream| stream.score.score(now)).max() else { continue };
            let Some(producer) = self.producers.get_mut(producer_key).filter(|it| !it.paused) else {
                continue;
            };
            if producer.told_score.replace(score) != Some(score) {
                let producer = producer.id;
                self.tell(room, Audience::Only(session), Event::ProducerScore { producer, score });
            }
        }
    }

    fn tell_consumer_score(&mut self, key: ConsumerKey, now: Instant) {
        let Some(consumer) = self.consumers.get_mut(key).filter(|it| !it.paused) else { return };
        if consumer.sent.last.is_none() {
            return;
        }
        let score = consumer.score.score(now);
        if consumer.told_score.replace(score) != Some(score) {
            let (room, session, consumer) = (consumer.room, consumer.session, consumer.id);
            self.tell(room, Audience::Only(session), Event::ConsumerScore { consumer, score });
        }
    }

    fn tell_layers(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let Some(producer) = self.producers.get(consumer.producer) else { return };
        if producer.kind != MediaKind::Video {
            return;
        }
        let layers = consumer.selection.layers(producer);
        if layers == consumer.told_layers {
            return;
        }
        consumer.told_layers = layers;
        let layers = layers.map(ConsumerLayers::from);
        let (room, session, consumer) = (consumer.room, consumer.session, consumer.id);
        self.tell(room, Audience::Only(session), Event::ConsumerLayers { consumer, layers });
    }

    /// Sends the key-frame requests that are due on a transport.
    pub(crate) fn request_key_frames(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let sender_ssrc = transport.local_ssrc;
        for producer in 0..transport.producers.len() {
            let producer = transport.producers.get(producer).and_then(|key| self.producers.get_mut(*key));
            let Some(producer) = producer else { continue };
            for encoding in &mut producer.encodings {
                // A layer that was never seen cannot be asked.
                let Some(media_ssrc) = encoding.ssrc else { continue };
                if encoding.key_frames.take(now) {
                    let pli = Pli { sender_ssrc, media_ssrc };
                    transport.send_control(&mut self.sends, |out| rtcp::write_pli(out, pli).ok());
                    self.counters.key_frame_requests += 1;
                }
            }
        }
    }

    /// Asks a client for what is missing of its streams, and tells it when its packets arrived.
    pub(crate) fn send_feedback(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let (ssrc, round_trip) = (transport.local_ssrc, transport.round_trip.patience());
        let mut asked = [0; ASKED_PER_MESSAGE];
        for place in 0..transport.streams.len() {
            let Some(stream) = transport.streams.get_mut(place) else { continue };
            let media_ssrc = stream.ssrc;
            let Some(nacks) = &mut stream.nacks else { continue };
            let missing = nacks.take(now, round_trip, &mut asked);
            if !missing.is_empty() {
                let asked = u64::try_from(missing.len()).unwrap_or_default();
                stream.nacked += asked;
                self.counters.asked_packets += asked;
                transport.send_control(&mut self.sends, |out| {
                    rtcp::write_nack(out, ssrc, media_ssrc, missing).ok()
                });
            }
        }
        let media_ssrc = transport.streams.first().map_or(0, |stream| stream.ssrc);
        let mut message = [0; MESSAGE_MAX];
        while let Some(feedback) = transport.arrivals.next_feedback(now) {
            let Ok(len) = feedback.write(&mut message, ssrc, media_ssrc) else { return };
            transport.send_control(&mut self.sends, |out| {
                out.get_mut(..len)?.copy_from_slice(message.get(..len)?);
                Some(len)
            });
        }
    }

    /// Reports on what a client sends and on what it is sent.
    pub(crate) fn send_reports(&mut self, key: TransportKey, now: Instant) {
        self.send_receiver_report(key, now);
        self.send_sender_reports(key, now);
        self.follow_layers(key, now);
        self.tell_producer_scores(key, now);
        self.follow_demands(key, now);
        self.police_producers(key, now);
        self.measure_traffic(key, now);
        self.follow_link(key, now);
    }

    fn measure_traffic(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.received.measure(now);
        transport.sent.measure(now);
        transport.streams.iter_mut().for_each(|stream| stream.received.measure(now));
        for producer in &transport.producers {
            if let Some(producer) = self.producers.get_mut(*producer) {
                producer.encodings.iter_mut().for_each(|encoding| encoding.measure(now));
            }
        }
        for consumer in &transport.consumers {
            if let Some(consumer) = self.consumers.get_mut(*consumer) {
                consumer.sent.traffic.measure(now);
            }
        }
    }

    fn send_receiver_report(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let mut blocks = [ReportBlock::default(); STREAMS_MAX];
        let mut places = blocks.iter_mut();
        let streams = transport.streams.iter_mut().filter(|stream| !stream.is_rtx);
        for (block, place) in streams.filter_map(|stream| stream.report(now)).zip(&mut places) {
            *place = block;
        }
        let count = STREAMS_MAX - places.len();
        let blocks = blocks.get(..count).unwrap_or_default();
        if blocks.is_empty() {
            return;
        }
        let ssrc = transport.local_ssrc;
        let cname = std::mem::take(&mut transport.local_cname);
        transport.send_control(&mut self.sends, |out| {
            let len = rtcp::write_receiver_report(out, ssrc, blocks).ok()?;
            Some(len + rtcp::write_sdes_cname(out.get_mut(len..)?, ssrc, cname.as_bytes()).ok()?)
        });
        transport.local_cname = cname;
    }

    fn send_sender_reports(&mut self, key: TransportKey, now: Instant) {
        let ntp = self.ntp(now);
        let Some(transport) = self.transports.get_mut(key) else { return };
        // An address that is not proved gets its own, of which the client is to echo the latest.
        if transport.change.is_some() {
            return;
        }
        let keys = std::mem::take(&mut transport.consumers);
        for part in keys.chunks(SENDER_PARTS_MAX) {
            let consumers = || part.iter().filter_map(|key| self.consumers.get(*key));
            let reports = || consumers().filter_map(|it| Some((sender_info(it, ntp, now)?, &it.cname)));
            if reports().next().is_none() {
                continue;
            }
            transport.send_control(&mut self.sends, |out| {
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
}

/// None before the first packet.
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
