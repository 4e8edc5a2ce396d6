//! RTCP from clients. What it says about an SSRC counts only if that SSRC is the sender's own
//! stream, or a consumer on the transport it came over.

use crate::arena::{ConsumerKey, TransportKey};
use crate::engine::{Datagram, Engine};
use crate::packet::middle_of_ntp;
use crate::packet::rtcp::{LastReference, ReportBlock, RtcpPacket, SenderInfo, parse_compound};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Ten seconds; what is longer is a report about nothing that was sent.
const ROUND_TRIP_MAX: u32 = 10 << 16;

impl Engine {
    pub(crate) fn receive_feedback(&mut self, datagram: &mut Datagram<'_>, now: Instant) {
        let Some(key) = self.by_address.get(&datagram.source).copied() else {
            self.counters.unknown_addresses += 1;
            return;
        };
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(keys) = &mut transport.keys else { return };
        let Ok(len) = keys.inbound_control.open_rtcp(datagram.bytes) else {
            self.counters.unauthentic_packets += 1;
            return;
        };
        let source = datagram.source;
        transport.on_heard(source, datagram.bytes.len(), now);
        transport.received.count(datagram.bytes.len());
        let Ok(compound) = parse_compound(datagram.bytes.get(..len).unwrap_or_default()) else {
            self.counters.malformed_packets += 1;
            return;
        };
        for packet in compound {
            match packet {
                RtcpPacket::SenderReport(report) => {
                    self.on_sender_report(key, report.info, now);
                    report.report_blocks().for_each(|block| self.on_report_block(key, &block, source, now));
                }
                RtcpPacket::ReceiverReport(report) => {
                    report.report_blocks().for_each(|block| self.on_report_block(key, &block, source, now));
                }
                RtcpPacket::Remb(remb) => self.on_estimate(key, remb.bitrate, now),
                RtcpPacket::Pli(pli) => self.on_key_frame_request(key, pli.media_ssrc, now),
                RtcpPacket::Nack(nack) => {
                    if let Some(consumer) = self.consumer_by_ssrc(key, nack.media_ssrc) {
                        self.resend(consumer, nack.count(), nack.lost(), now);
                    }
                }
                RtcpPacket::Fir(fir) => {
                    fir.entries().for_each(|entry| self.on_key_frame_request(key, entry.ssrc, now));
                }
                RtcpPacket::TransportCc(feedback) => self.on_arrivals(key, &feedback, source, now),
                RtcpPacket::Extended(report) => {
                    report.last_references().for_each(|echo| self.on_last_reference(key, &echo, source, now));
                }
                _ => {}
            }
        }
    }

    fn on_sender_report(&mut self, transport: TransportKey, info: SenderInfo, now: Instant) {
        let Some(transport) = self.transports.get_mut(transport) else { return };
        let Some(stream) = transport.stream_mut(info.ssrc).filter(|stream| !stream.is_rtx) else { return };
        stream.reception.on_sender_report(info.ntp, now);
        let (producer, encoding) = (stream.producer, stream.encoding);
        let encoding = self.producers.get_mut(producer).and_then(|it| it.encoding_mut(encoding));
        if let Some(encoding) = encoding {
            encoding.sender_report = Some((info.ntp, info.rtp_time));
        }
    }

    fn on_last_reference(
        &mut self,
        key: TransportKey,
        echo: &LastReference,
        source: SocketAddr,
        now: Instant,
    ) {
        if self.transports.get(key).is_some_and(|transport| transport.local_ssrc == echo.ssrc) {
            self.on_time_echo(key, echo.time, source, now);
        }
    }

    fn on_report_block(&mut self, key: TransportKey, block: &ReportBlock, source: SocketAddr, now: Instant) {
        let now_middle = middle_of_ntp(self.ntp(now));
        let Some(consumer) = self.consumer_by_ssrc(key, block.ssrc) else { return };
        let Some(consumer) = self.consumers.get_mut(consumer) else { return };
        let Some(transport) = self.transports.get_mut(key) else { return };
        consumer.score.on_report(block, consumer.clock_rate);
        consumer.last_report = Some(*block);
        consumer.delivery.on_report(block, now);
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
        self.on_time_echo(key, block.last_sr, source, now);
    }

    fn on_estimate(&mut self, key: TransportKey, bitrate: u64, now: Instant) {
        if let Some(transport) = self.transports.get_mut(key) {
            transport.estimated = Some((bitrate, now));
        }
    }

    fn on_key_frame_request(&mut self, key: TransportKey, ssrc: u32, now: Instant) {
        if let Some(consumer) = self.consumer_by_ssrc(key, ssrc) {
            if let Some(consumer) = self.consumers.get_mut(consumer) {
                consumer.asked.key_frames += 1;
            }
            self.want_key_frame_for(consumer, now);
        }
    }

    fn consumer_by_ssrc(&self, transport: TransportKey, ssrc: u32) -> Option<ConsumerKey> {
        let transport = self.transports.get(transport)?;
        let is_it = |key: &&ConsumerKey| self.consumers.get(**key).is_some_and(|it| it.ssrc == ssrc);
        transport.consumers.iter().find(is_it).copied()
    }
}
