//! What a consumer lost, once more: from the producer's cache, as RTX (RFC 4588), within two budgets.
//!
//! A NACK of 1,400 bytes can ask for 5,900 packets and costs its sender nothing. So a number is looked up
//! only if [`RtxBudget::try_look_up`] allows one more, and a packet is copied only once its bytes are paid
//! for; when either budget is spent, what is left of the NACK is counted as refused, unread.

use crate::arena::ConsumerKey;
use crate::codec::{dependency_descriptor, vp8};
use crate::feedback::rtx_payload;
use crate::feedback::sent_history::Purpose;
use crate::feedback::sent_speech::{Again, SentSpeech};
use crate::output::{Counters, Output};
use crate::packet::rtp::{FIXED_HEADER, HeaderWriter};
use crate::packet::{MAX_DATAGRAM, sequence_of};
use crate::packet_path::consumer::Consumer;
use crate::packet_path::header::PassedElements;
use crate::packet_path::packet_writer::{Outgoing, PacketWriter, Stamp};
use crate::packet_path::payload_types::Codec;
use crate::packet_path::producer::Producer;
use crate::packet_path::rewrite::patch_payload;
use crate::packet_path::tables::MediaTables;
use crate::send_batch::SendBatch;
use crate::transport::webrtc_transport::WebRtcTransport;
use std::time::{Duration, Instant};

/// Header bytes of a retransmission besides our own extensions: those that were passed on.
const HEADER_LEN: usize = FIXED_HEADER + 4 + 255;

/// What became of one number that was asked for.
enum Resent {
    /// Bytes of payload that were sent.
    Bytes(usize),
    /// Never sent, asked for within the round trip, too often, or no longer kept.
    No,
    /// The consumer's budget is spent, or its transport cannot send.
    NoMore,
}

/// Sends again what a consumer asks for, if it was sent to it, is still there, and may be. `asked` is how
/// many `sequences` there are.
pub(crate) fn resend(
    media: &mut MediaTables,
    key: ConsumerKey,
    asked: u64,
    sequences: impl Iterator<Item = u16>,
    now: Instant,
) {
    let stamp = Stamp::new(media.clock.ntp(now), now);
    let MediaTables { consumers, producers, transports, output, .. } = media;
    let Output { sends, counters, .. } = output;
    let Some(consumer) = consumers.live_mut(key) else { return };
    consumer.asked.packets += asked;
    let before = counters.resent_packets;
    if consumer.extensions.is_audio {
        let transport = transports.live_mut(consumer.transport);
        if let Some(transport) = transport.filter(|it| it.change.is_none() && !consumer.paused) {
            resend_speech(consumer, transport, sequences, (&mut *sends, &mut *counters), now);
        }
    } else if !consumer.paused
        && let Some(producer) = producers.live(consumer.producer)
        && let Some(transport) = transports.live_mut(consumer.transport)
    {
        let round_trip = transport.round_trip.mean_or_guess();
        let mut attempt = Attempt { consumer, producer, transport, sends, counters, stamp, round_trip };
        let mut buffer = [0; MAX_DATAGRAM];
        for sequence in sequences {
            match attempt.resend(sequence, &mut buffer) {
                Resent::Bytes(len) => {
                    attempt.counters.resent_packets += 1;
                    attempt.consumer.asked.resent.count(len);
                }
                Resent::No => {}
                Resent::NoMore => break,
            }
        }
    }
    counters.refused_resends += asked.saturating_sub(counters.resent_packets - before);
}

/// Sends speech again as it left. The first NACK only leads to its being kept.
fn resend_speech(
    consumer: &mut Consumer,
    transport: &mut WebRtcTransport,
    sequences: impl Iterator<Item = u16>,
    (sends, counters): (&mut SendBatch, &mut Counters),
    now: Instant,
) {
    let round_trip = transport.round_trip.mean_or_guess();
    let Some(to) = transport.selected.filter(|_| SentSpeech::is_in_time(round_trip)) else { return };
    let speech = consumer.sent_speech.get_or_insert_with(|| Box::new(SentSpeech::new(now)));
    speech.on_asked(now);
    for sequence in sequences {
        let len = match speech.again(sequence, round_trip, now) {
            Again::Datagram(datagram) => sends.copy(datagram, to),
            Again::No => continue,
            Again::NoMore => break,
        };
        if len == 0 {
            break;
        }
        counters.resent_packets += 1;
        transport.sent.count(len);
        consumer.asked.resent.count(len);
    }
}

/// One NACK being answered.
struct Attempt<'a> {
    consumer: &'a mut Consumer,
    producer: &'a Producer,
    transport: &'a mut WebRtcTransport,
    sends: &'a mut SendBatch,
    counters: &'a mut Counters,
    stamp: Stamp,
    round_trip: Duration,
}

impl Attempt<'_> {
    fn resend(&mut self, sequence: u16, buffer: &mut [u8; MAX_DATAGRAM]) -> Resent {
        let Self { consumer, producer, stamp, .. } = self;
        let Some(rtx) = consumer.rtx.as_mut() else { return Resent::NoMore };
        if !rtx.budget.try_look_up(stamp.at) {
            return Resent::NoMore;
        }
        self.counters.resend_lookups += 1;
        let Some(sent) = rtx.sent.resendable(sequence, stamp.at, self.round_trip) else { return Resent::No };
        let Some(encoding) = producer.encoding(sent.encoding) else { return Resent::No };
        let Some(cached) = encoding.cache.get(sent.source, stamp.at) else { return Resent::No };
        if !rtx.budget.try_spend(rtx_payload::OSN_LEN + cached.payload.len(), stamp.at) {
            return Resent::NoMore;
        }
        self.counters.resend_copies += 1;
        let len = rtx_payload::write(buffer, sequence_of(sent.index), cached.payload);
        let Some(payload) = len.and_then(|len| buffer.get_mut(..len)) else { return Resent::No };
        let len = payload.len();
        let is_vp8 = producer.payload_types.codec_of_router(cached.plain.payload_type) == Some(Codec::Vp8);
        let descriptor =
            if is_vp8 { payload.get(rtx_payload::OSN_LEN..).and_then(vp8::Descriptor::parse) } else { None };
        if !patch_payload(descriptor.as_ref(), payload, rtx_payload::OSN_LEN, consumer) {
            return Resent::No;
        }
        let mut described: Option<[u8; dependency_descriptor::MAX_LEN]> = None;
        let descriptor = consumer.extensions.dependency_descriptor.and_then(|id| {
            let (_, data) = cached.elements().find(|(element, _)| *element == id)?;
            let parsed = encoding.structure.read_again(data).ok()?;
            consumer.selection.describe(
                encoding,
                &parsed,
                data,
                described.insert([0; dependency_descriptor::MAX_LEN]),
            )
        });
        let Some(rtx) = consumer.rtx.as_mut() else { return Resent::NoMore };
        let index = rtx.next;
        let outgoing = Outgoing {
            header: HeaderWriter {
                marker: sent.marker,
                payload_type: rtx.payload_type,
                sequence: sequence_of(index),
                timestamp: cached.plain.timestamp.wrapping_add(sent.offset),
                ssrc: rtx.ssrc,
            },
            index,
            header_len: HEADER_LEN,
            payload,
            descriptor,
        };
        let extensions = &consumer.extensions;
        let passed = PassedElements::new(extensions.passed, cached.elements());
        let writer =
            PacketWriter::new(self.transport, extensions, self.sends, Purpose::Retransmission, *stamp);
        let Some(mut writer) = writer else { return Resent::NoMore };
        if writer.put(&outgoing, extensions, &passed, || cached.elements()) == 0 {
            return Resent::NoMore;
        }
        rtx.next += 1;
        rtx.sent.on_resent(sent.index, stamp.at);
        Resent::Bytes(len)
    }
}
