//! RTCP from clients. What it says about an SSRC counts only if that SSRC is the sender's own
//! stream, or a consumer on the transport it came over.

use crate::arena::{ConsumerKey, TransportKey};
use crate::engine::{Datagram, Engine};
use crate::packet::rtcp::{ReportBlock, RtcpPacket, parse_compound};
use std::time::Instant;

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
        let from_selected = transport.selected == Some(datagram.source);
        let Ok(compound) = parse_compound(datagram.bytes.get(..len).unwrap_or_default()) else {
            self.counters.malformed_packets += 1;
            return;
        };
        for packet in compound {
            match packet {
                RtcpPacket::SenderReport(report) => {
                    self.on_sender_report(key, report.info.ssrc, report.info.ntp, now);
                    report.report_blocks().for_each(|block| self.on_report_block(key, &block, from_selected));
                }
                RtcpPacket::ReceiverReport(report) => {
                    report.report_blocks().for_each(|block| self.on_report_block(key, &block, from_selected));
                }
                RtcpPacket::Pli(pli) => self.on_key_frame_request(key, pli.media_ssrc, now),
                RtcpPacket::Fir(fir) => {
                    fir.entries().for_each(|entry| self.on_key_frame_request(key, entry.ssrc, now));
                }
                _ => {}
            }
        }
    }

    fn on_sender_report(&mut self, transport: TransportKey, ssrc: u32, ntp: u64, now: Instant) {
        let Some(transport) = self.transports.get_mut(transport) else { return };
        if let Some(stream) = transport.stream_mut(ssrc) {
            stream.reception.on_sender_report(ntp, now);
        }
    }

    /// Feedback about packets that went to the present address proves that address.
    fn on_report_block(&mut self, key: TransportKey, block: &ReportBlock, from_selected: bool) {
        let Some(consumer) = self.consumer_by_ssrc(key, block.ssrc) else { return };
        let Some(consumer) = self.consumers.get(consumer) else { return };
        let Some(transport) = self.transports.get_mut(key) else { return };
        let highest = u64::from(block.highest_sequence);
        let acknowledges = consumer.sequence.next() > consumer.unproved_from
            && highest >= consumer.unproved_from & 0xffff_ffff;
        if from_selected && acknowledges {
            transport.prove();
        }
    }

    fn on_key_frame_request(&mut self, key: TransportKey, ssrc: u32, now: Instant) {
        let Some(consumer) = self.consumer_by_ssrc(key, ssrc) else { return };
        let producer = self.consumers.get(consumer).filter(|it| !it.paused).map(|it| it.producer);
        if let Some(producer) = producer {
            self.want_key_frame(producer, now);
        }
    }

    fn consumer_by_ssrc(&self, transport: TransportKey, ssrc: u32) -> Option<ConsumerKey> {
        let transport = self.transports.get(transport)?;
        let is_it = |key: &&ConsumerKey| self.consumers.get(**key).is_some_and(|it| it.ssrc == ssrc);
        transport.consumers.iter().find(is_it).copied()
    }
}
