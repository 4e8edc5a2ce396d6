//! RTCP to clients: reports each second, key-frame requests when they are due.

use crate::arena::{ProducerKey, TransportKey};
use crate::engine::Engine;
use crate::packet::rtcp::{self, Pli, ReportBlock, SenderInfo};
use crate::room::consumer::Consumer;
use railgun_shared::rtp_parameters::MediaKind;
use std::time::{Duration, Instant};

/// Between two rounds of reports on a transport.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// A sender report without blocks and the longest description after it take 300 bytes.
const SENDER_PARTS_MAX: usize = 4;

impl Engine {
    /// Somebody cannot go on without a key frame of this producer.
    pub(crate) fn want_key_frame(&mut self, key: ProducerKey, now: Instant) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        if producer.kind != MediaKind::Video || producer.paused {
            return;
        }
        producer.key_frames.want(now);
        let transport = producer.transport;
        self.request_key_frames(transport, now);
        self.schedule(transport);
    }

    /// Sends the key-frame requests that are due on a transport.
    pub(crate) fn request_key_frames(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get(key) else { return };
        let (producers, sender_ssrc) = (transport.producers.clone(), transport.local_ssrc);
        for producer in producers {
            let Some(producer) = self.producers.get_mut(producer) else { continue };
            if !producer.key_frames.take(now) {
                continue;
            }
            for media_ssrc in producer.encodings.iter().filter_map(|encoding| encoding.ssrc) {
                let pli = Pli { sender_ssrc, media_ssrc };
                let Some(transport) = self.transports.get_mut(key) else { return };
                transport.send_control(&mut self.sends, |out| rtcp::write_pli(out, pli).ok());
                self.counters.key_frame_requests += 1;
            }
        }
    }

    /// Reports on what a client sends and on what it is sent.
    pub(crate) fn send_reports(&mut self, key: TransportKey, now: Instant) {
        self.send_receiver_report(key, now);
        self.send_sender_reports(key, now);
    }

    fn send_receiver_report(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let mut blocks: Vec<ReportBlock> = Vec::with_capacity(transport.streams.len());
        blocks.extend(
            transport.streams.iter_mut().filter_map(|stream| stream.reception.report(stream.ssrc, now)),
        );
        if blocks.is_empty() {
            return;
        }
        let ssrc = transport.local_ssrc;
        let cname = transport.local_cname.clone();
        transport.send_control(&mut self.sends, |out| {
            let len = rtcp::write_receiver_report(out, ssrc, &blocks).ok()?;
            Some(len + rtcp::write_sdes_cname(out.get_mut(len..)?, ssrc, cname.as_bytes()).ok()?)
        });
    }

    fn send_sender_reports(&mut self, key: TransportKey, now: Instant) {
        let ntp = self.ntp(now);
        let Some(transport) = self.transports.get_mut(key) else { return };
        let consumers = transport.consumers.iter().filter_map(|key| self.consumers.get(*key));
        let reports = consumers.filter_map(|it| Some((sender_info(it, ntp, now)?, it.cname.clone())));
        let reports: Vec<(SenderInfo, String)> = reports.collect();
        for part in reports.chunks(SENDER_PARTS_MAX) {
            transport.send_control(&mut self.sends, |out| {
                let mut len = 0;
                for (info, cname) in part {
                    len += rtcp::write_sender_report(out.get_mut(len..)?, info, &[]).ok()?;
                    let cname = cname.as_bytes();
                    len += rtcp::write_sdes_cname(out.get_mut(len..)?, info.ssrc, cname).ok()?;
                }
                Some(len)
            });
        }
    }
}

/// None before the first packet.
fn sender_info(consumer: &Consumer, ntp: u64, now: Instant) -> Option<SenderInfo> {
    let (timestamp, at) = consumer.sent.last?;
    let since = now.saturating_duration_since(at).as_micros() * u128::from(consumer.clock_rate) / 1_000_000;
    let since = u32::try_from(since & 0xffff_ffff).unwrap_or_default();
    Some(SenderInfo {
        ssrc: consumer.ssrc,
        ntp,
        rtp_time: timestamp.wrapping_add(since),
        packets: consumer.sent.packets,
        octets: consumer.sent.octets,
    })
}
