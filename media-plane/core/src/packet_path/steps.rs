//! Each step alone, for `bench/steps`. No part of the crate's interface.
//!
//! [`ingest`] opens a burst; the steps after it take that burst as often as they like, until
//! [`forget`]. Indexes repeat under one key then: nothing that is made here may be sent.

use super::consumer::{BurstSent, Consumer};
use super::packet::RtpPacket;
use super::packet_writer::{Outgoing, PacketWriter, Stamp};
use super::policer::Policer;
use super::producer::Producer;
use super::select::LayerDecision;
use super::sequence::SequenceMap;
use super::tables::MediaTables;
use super::{header, rewrite};
use crate::arena::{Arena, ConsumerKey, ProducerKey};
use crate::config::Datagram;
use crate::engine::Engine;
use crate::feedback::sent_history::Purpose;
use crate::feedback::sent_packets::{Sent, SentPackets};
use crate::feedback::transport_cc::TransportCcRecorder;
use crate::feedback_path::resend;
use crate::packet::rtp::HeaderWriter;
use crate::packet::sequence_of;
use railgun_protocol::signal::Source;
use std::time::Instant;

/// How many of the burst's packets are to be forwarded.
pub fn ingest(engine: &mut Engine, burst: &mut [Datagram<'_>], now: Instant) -> usize {
    for (order, datagram) in burst.iter_mut().enumerate() {
        if let Some(key) = engine.media.transports.by_address(datagram.source) {
            _ = super::ingest::ingest(&mut engine.media, key, order, datagram, now);
        }
    }
    engine.media.burst.len()
}

/// Discards the burst and everything written for it.
pub fn forget(engine: &mut Engine) {
    engine.media.burst.clear();
    engine.media.output.sends.clear();
}

/// Keeps the burst once more for those who lose it; how many packets.
pub fn keep(engine: &mut Engine, burst: &[Datagram<'_>], now: Instant) -> usize {
    let MediaTables { burst: opened, producers, .. } = &mut engine.media;
    for packet in opened.iter() {
        if let Some(datagram) = burst.get(packet.order) {
            super::ingest::keep(producers, packet, datagram.bytes, now);
        }
    }
    opened.len()
}

/// Forwards the burst, and forgets it; how many packets went out.
pub fn fan_out(engine: &mut Engine, burst: &mut [Datagram<'_>], now: Instant) -> u64 {
    let before = engine.counters().forwarded_packets;
    super::fan_out::fan_out(&mut engine.media, burst, now, &mut |_| ());
    engine.counters().forwarded_packets - before
}

/// Hands the burst to `step` for each consumer of its producer; the sum of what that returns.
fn for_each_consumer(
    burst: &mut [RtpPacket],
    producers: &Arena<ProducerKey, Producer>,
    consumers: &mut Arena<ConsumerKey, Consumer>,
    mut step: impl FnMut(&Producer, (ConsumerKey, &mut Consumer), &mut [RtpPacket]) -> usize,
) -> usize {
    let Some(producer) = burst.first().and_then(|packet| producers.get(packet.producer)) else { return 0 };
    let mut sum = 0;
    for key in &producer.consumers {
        let Some(consumer) = consumers.get_mut(*key) else { continue };
        sum += step(producer, (*key, consumer), burst);
    }
    sum
}

/// As [`for_each_consumer`], with a writer to the consumer's transport.
fn for_each_writer(
    engine: &mut Engine,
    now: Instant,
    mut step: impl FnMut(
        &Producer,
        (ConsumerKey, &mut Consumer),
        &mut PacketWriter<'_>,
        &mut [RtpPacket],
    ) -> usize,
) -> usize {
    let stamp = Stamp::new(engine.media.clock.ntp(now), now);
    let MediaTables { burst, producers, consumers, transports, output, .. } = &mut engine.media;
    for_each_consumer(burst, producers, consumers, |producer, (key, consumer), packets| {
        let Some(transport) = transports.get_mut(consumer.transport) else { return 0 };
        let extensions = consumer.extensions;
        let writer = PacketWriter::new(transport, &extensions, &mut output.sends, Purpose::Media, stamp);
        writer.map_or(0, |mut writer| step(producer, (key, consumer), &mut writer, packets))
    })
}

/// How many packets consumers are to get.
pub fn select(engine: &mut Engine, now: Instant) -> usize {
    let MediaTables { burst, producers, consumers, .. } = &mut engine.media;
    for_each_consumer(burst, producers, consumers, |producer, (_, consumer), packets| {
        let decisions = packets.iter().map(|packet| consumer.selection.decide(producer, packet, now));
        decisions.filter(|decision| matches!(decision, LayerDecision::Forward { .. })).count()
    })
}

/// Writes every packet for every consumer; how many were written.
pub fn rewrite(engine: &mut Engine, burst: &mut [Datagram<'_>], now: Instant) -> usize {
    for_each_writer(engine, now, |producer, (key, consumer), writer, packets| {
        let (mut sent, mut written) = (BurstSent::default(), 0);
        for packet in packets {
            let Some(source) = burst.get_mut(packet.order) else { continue };
            let marker = packet.header.marker;
            let done =
                rewrite::send(producer, packet, marker, source.bytes, (key, consumer), writer, &mut sent);
            written += usize::from(done);
        }
        written
    })
}

/// Writes header and sealed payload of every packet for every consumer, with the source's numbers.
pub fn packet_writer(engine: &mut Engine, burst: &[Datagram<'_>], now: Instant) -> usize {
    for_each_writer(engine, now, |_, (_, consumer), writer, packets| {
        let mut written = 0;
        for packet in packets.iter() {
            let payload = burst.get(packet.order).and_then(|it| it.bytes.get(packet.payload.clone()));
            let outgoing = Outgoing {
                header: fields(packet.index, consumer.ssrc),
                index: packet.index,
                header_len: packet.header.header_len,
                payload: payload.unwrap_or_default(),
                descriptor: None,
            };
            let put = writer.put(&outgoing, &consumer.extensions, &packet.passed, std::iter::empty);
            written += usize::from(put > 0);
        }
        written
    })
}

/// Writes the header of every packet for every consumer to the start of `out`; how many were written.
pub fn header(engine: &mut Engine, out: &mut [u8]) -> usize {
    let MediaTables { burst, producers, consumers, .. } = &mut engine.media;
    for_each_consumer(burst, producers, consumers, |_, (_, consumer), packets| {
        let own = consumer.extensions.own.at(0x00ab_cdef);
        let mut written = 0;
        for packet in packets.iter() {
            let fields = fields(packet.index, consumer.ssrc);
            let len = header::write(out, &fields, &own, fields.sequence, &packet.passed);
            written += usize::from(std::hint::black_box(len).is_some());
        }
        written
    })
}

fn fields(index: u64, ssrc: u32) -> HeaderWriter {
    let sequence = sequence_of(index);
    HeaderWriter { marker: false, payload_type: 96, sequence, timestamp: u32::from(sequence), ssrc }
}

/// Each of the producer's consumers lost the last `lost` packets it was sent; how many are sent again.
pub fn resend(engine: &mut Engine, lost: u64, now: Instant) -> u64 {
    let media = &mut engine.media;
    let before = media.output.counters.resent_packets;
    let keys: Vec<_> = media.producers.iter().flat_map(|(_, it)| it.consumers.iter().copied()).collect();
    for key in keys {
        let next = media.consumers.get(key).map_or(0, |consumer| consumer.sequence.next());
        let sequences = (next.saturating_sub(lost)..next).map(sequence_of);
        resend::resend(media, key, lost.min(next), sequences, now);
    }
    media.output.counters.resent_packets - before
}

/// A consumer's sequence numbers.
#[derive(Debug)]
pub struct Sequence(SequenceMap);

impl Sequence {
    pub fn new() -> Self {
        Self(SequenceMap::new(1000))
    }

    pub fn map(&mut self, source: u64) -> Option<u64> {
        self.0.map(source)
    }
}

impl Default for Sequence {
    fn default() -> Self {
        Self::new()
    }
}

/// A producer of video whose ceiling nobody reaches.
#[derive(Debug)]
pub struct Policed(Policer);

impl Policed {
    pub fn new(now: Instant) -> Self {
        let rate = u64::from(u32::MAX);
        let mut policer = Policer::new(rate, now);
        policer.set_rate(Source::Camera, rate, now);
        Self(policer)
    }

    pub fn admit(&mut self, payload: usize, now: Instant) -> bool {
        self.0.admit(Source::Camera, payload, now)
    }
}

/// What a consumer was sent.
#[derive(Debug, Default)]
pub struct Remembered(SentPackets);

impl Remembered {
    pub fn put(&mut self, index: u64) {
        self.0.put(Sent { index, source: index, encoding: 0, marker: false, offset: 0 });
    }
}

/// Arrivals of one sender's packets, for its congestion control.
#[derive(Debug, Default)]
pub struct Arrivals(TransportCcRecorder);

impl Arrivals {
    pub fn on_packet(&mut self, sequence: u16, now: Instant) {
        _ = self.0.on_packet(sequence, now);
    }

    /// Writes the message that is due; its length, 0 without one.
    pub fn report(&mut self, now: Instant, out: &mut [u8]) -> usize {
        self.0.next_feedback(now).and_then(|feedback| feedback.write(out, 1, 2).ok()).unwrap_or(0)
    }
}
