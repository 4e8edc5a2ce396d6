//! One producer as forwarded to one session.

use super::consumer_extensions::ConsumerExtensions;
use super::packet::RtpPacket;
use super::producer::Producer;
use super::select::{Layers, Selection};
use super::sequence::{SequenceMap, first_index};
use crate::arena::{ProducerKey, RoomKey, TransportKey};
use crate::codec::vp8::rewriter::Vp8Rewriter;
use crate::congestion::pacer::TakenBack;
use crate::feedback::delivery::Delivery;
use crate::feedback::rtx_budget::RtxBudget;
use crate::feedback::score::StreamScore;
use crate::feedback::sent_packets::SentPackets;
use crate::feedback::sent_speech::SentSpeech;
use crate::feedback::traffic::Traffic;
use crate::packet::rtcp::ReportBlock;
use railgun_protocol::ids::{ConsumerId, SessionId};
use railgun_protocol::rtp_parameters::RtpParameters;
use railgun_protocol::signal::ConsumerLayers;
use std::num::NonZeroU8;
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) id: ConsumerId,
    pub(crate) room: RoomKey,
    pub(crate) session: SessionId,
    pub(crate) transport: TransportKey,
    pub(crate) producer: ProducerKey,
    pub(crate) paused: bool,
    /// Who comes first when the receiver's link does not take all.
    pub(crate) priority: NonZeroU8,
    pub(crate) preferred_layers: Option<ConsumerLayers>,
    pub(crate) asked: Asked,
    /// The receiver's.
    pub(crate) last_report: Option<ReportBlock>,
    pub(crate) delivery: Delivery,
    pub(crate) score: StreamScore,
    pub(crate) last_notified_score: Option<u8>,
    /// The layers that its session was last told of.
    pub(crate) last_notified_layers: Option<Layers>,
    pub(crate) ssrc: u32,
    pub(crate) cname: String,
    pub(crate) clock_rate: u32,
    pub(crate) extensions: ConsumerExtensions,
    pub(crate) selection: Selection,
    pub(crate) sequence: SequenceMap,
    pub(crate) vp8: Vp8Rewriter,
    /// None if the receiver takes no retransmissions.
    pub(crate) rtx: Option<RtxStream>,
    /// Of audio, once the receiver asked for some of it.
    pub(crate) sent_speech: Option<Box<SentSpeech>>,
    pub(crate) sent: Sent,
    /// When the last key frame began to go out.
    pub(crate) key_frame_at: Option<Instant>,
}

impl Consumer {
    /// This packet is the first of a stretch: after a pause, or of another encoding.
    pub(crate) fn begin(&mut self, producer: &Producer, packet: &RtpPacket, now: Instant) {
        self.sequence.interrupt();
        self.vp8.interrupt();
        self.selection.begin(producer, packet, now);
    }

    /// Packets that waited for their turn are not sent after all. None was sealed, so what follows gets their
    /// sequence numbers, and the receiver misses none.
    #[cold]
    pub(crate) fn take_back(&mut self, taken: TakenBack) {
        self.sequence.take_back();
        if let Some(rtx) = &mut self.rtx {
            rtx.sent.take_back(self.sequence.unsealed());
        }
        self.sent.traffic.take_back(taken.packets, taken.octets);
    }

    /// A packet of a layer that is not forwarded: its numbers leave no gap.
    pub(crate) fn leave_out(&mut self, packet: &RtpPacket) {
        self.sequence.leave_out(packet.index);
        if let Some(descriptor) = &packet.vp8 {
            self.vp8.drop_frame(descriptor);
        }
    }

    /// Counts what a burst brought; once for all its packets, which share their moment.
    pub(crate) fn on_sent(&mut self, burst: &BurstSent, now: Instant) {
        self.sent.traffic.count_many(burst.packets.into(), burst.octets.into());
        self.sent.last = Some((burst.timestamp, now));
        self.score.on_packet(now);
        if let Some(rtx) = &mut self.rtx {
            rtx.budget.on_sent(burst.bytes, now);
        }
    }

    /// Numbers that were passed over so far, because no packet for them came from the publisher.
    pub(crate) fn skipped_packets(&self) -> u64 {
        self.sequence.numbers().saturating_sub(self.sent.traffic.packets())
    }

    /// Packets sent again under their own numbers, which reports count as received. Video is sent again by RTX, a stream of its own.
    pub(crate) fn repeated_packets(&self) -> u64 {
        if self.extensions.is_audio { self.asked.resent.packets() } else { 0 }
    }

    /// Forwarding stops for now; video goes on with the next key frame.
    pub(crate) fn interrupt(&mut self) {
        self.selection.interrupt();
        self.sequence.interrupt();
        self.vp8.interrupt();
    }
}

/// The consumer's retransmissions (RFC 4588): a stream of its own.
#[derive(Debug)]
pub(crate) struct RtxStream {
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    /// Roll-over counter and sequence number of the next one.
    pub(crate) next: u64,
    pub(crate) sent: SentPackets,
    pub(crate) budget: RtxBudget,
}

impl RtxStream {
    /// None if the parameters have no codec for it.
    pub(crate) fn new(parameters: &RtpParameters, ssrc: u32, random: u16, now: Instant) -> Option<Self> {
        let is_rtx = |mime_type: &str| mime_type.eq_ignore_ascii_case("video/rtx");
        let codec = parameters.codecs.iter().find(|codec| is_rtx(&codec.mime_type))?;
        Some(Self {
            ssrc,
            payload_type: codec.payload_type,
            next: u64::from(first_index(random)),
            sent: SentPackets::default(),
            budget: RtxBudget::new(now),
        })
    }
}

/// Media, without what was sent again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    /// Payloads, as sender reports count them (RFC 3550 section 6.4.1).
    pub(crate) traffic: Traffic,
    /// The last packet's timestamp, and when it went out.
    pub(crate) last: Option<(u32, Instant)>,
}

/// What of one burst was put into the send batch for a consumer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BurstSent {
    pub(crate) packets: u32,
    /// Bytes of payload sent.
    pub(crate) octets: u32,
    /// Sealed, with headers.
    pub(crate) bytes: usize,
    /// The last packet's.
    pub(crate) timestamp: u32,
    /// Some of them wait for their turn.
    pub(crate) waits: bool,
}

impl BurstSent {
    #[inline]
    pub(crate) fn count(&mut self, payload: usize, sealed: usize, timestamp: u32) {
        self.packets += 1;
        self.octets = self.octets.wrapping_add(u32::try_from(payload).unwrap_or(u32::MAX));
        self.bytes += sealed;
        self.timestamp = timestamp;
    }
}

/// What the receiver asked for besides media.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) key_frames: u64,
    /// Each time counted.
    pub(crate) packets: u64,
    pub(crate) resent: Traffic,
}
