//! What the fuzz targets reach of the inside. No part of the crate's interface.

use crate::codec::dependency_descriptor::{Descriptor, StructureCache};
use crate::codec::vp8::rewriter::Vp8Rewriter;
use crate::codec::{FrameInfo, av1, h264, vp8, vp9};
use crate::engine::Engine;
use crate::feedback::congestion_feedback::CongestionFeedbackRecorder;
use crate::feedback::nack_generator::NackGenerator;
use crate::feedback::rtx_budget::RtxBudget;
use crate::feedback::rtx_cache::{Plain, RtxCache};
use crate::feedback::sent_packets::{Sent, SentPackets};
use crate::feedback::transport_cc::TransportCcRecorder;
use crate::feedback_path::key_frames;
use crate::packet::ecn::Ecn;
use crate::packet_path::tables::MediaTables;
use crate::transport::association;
use crate::transport::dtls::SrtpKeyMaterial;
use railgun_protocol::ids::TransportId;
use std::time::{Duration, Instant};

pub use crate::transport::dtls::FuzzedGate as Gate;

/// Keys a transport without a handshake. False if there is none of this id that was connected.
pub fn skip_handshake(
    engine: &mut Engine,
    id: TransportId,
    material: &SrtpKeyMaterial,
    now: Instant,
) -> bool {
    let MediaTables { transports, output, .. } = &mut engine.media;
    let found = transports.iter().find(|(_, transport)| transport.id == id).map(|(key, _)| key);
    let Some(key) = found else { return false };
    let Some((_, dtls)) = transports.get_mut(key).and_then(|it| it.connect.as_mut()) else { return false };
    dtls.skip(now);
    if association::take_keys(transports, output, key, material, now) {
        key_frames::want_for_transport(&mut engine.media, key, now);
    }
    true
}

/// Entries of the engine's tables: transports, producers, consumers, user fragments, addresses.
pub fn table_sizes(engine: &Engine) -> [usize; 5] {
    let MediaTables { transports, producers, consumers, .. } = &engine.media;
    let (ufrags, addresses) = transports.index_sizes();
    [transports.len(), producers.len(), consumers.len(), ufrags, addresses]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub starts_frame: bool,
    pub ends_frame: bool,
    pub starts_key_frame: bool,
    pub inter_picture: bool,
    pub spatial: u8,
    pub temporal: u8,
}

impl From<FrameInfo> for Frame {
    fn from(info: FrameInfo) -> Self {
        let FrameInfo { starts_frame, ends_frame, starts_key_frame, inter_picture, .. } = info;
        let FrameInfo { spatial, temporal, .. } = info;
        Self { starts_frame, ends_frame, starts_key_frame, inter_picture, spatial, temporal }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Vp8,
    Vp9,
    H264,
    Av1,
}

/// What a payload says of its frame; none if it cannot be read.
pub fn frame(codec: Codec, payload: &[u8], marker: bool) -> Option<Frame> {
    let info = match codec {
        Codec::Vp8 => vp8::Descriptor::parse(payload)?.frame_info(marker),
        Codec::Vp9 => vp9::Descriptor::parse(payload)?.frame_info(marker),
        Codec::H264 => h264::Payload::parse(payload, false)?.frame_info(marker),
        Codec::Av1 => av1::Payload::parse(payload)?.frame_info(marker),
    };
    Some(info.into())
}

/// Picture id, TL0PICIDX and KEYIDX of a VP8 payload that can be read.
pub fn vp8_numbers(payload: &[u8]) -> Option<(Option<u16>, Option<u8>, Option<u8>)> {
    let it = vp8::Descriptor::parse(payload)?;
    Some((it.picture_id.map(|id| id.value), it.tl0_pic_idx.map(|it| it.value), it.key_idx.map(|it| it.value)))
}

/// The numbers of one consumer's VP8.
#[derive(Debug, Default)]
pub struct Vp8Numbers(Vp8Rewriter);

impl Vp8Numbers {
    pub fn interrupt(&mut self) {
        self.0.interrupt();
    }

    pub fn drop_frame(&mut self, payload: &[u8]) {
        if let Some(descriptor) = vp8::Descriptor::parse(payload) {
            self.0.drop_frame(&descriptor);
        }
    }

    /// Whether the payload, which now has this consumer's numbers, may be forwarded.
    pub fn rewrite(&mut self, payload: &mut [u8]) -> bool {
        let patch = vp8::Descriptor::parse(payload).and_then(|descriptor| self.0.map(&descriptor));
        patch.inspect(|patch| patch.apply(payload)).is_some()
    }
}

/// What one source said in dependency descriptors.
#[derive(Debug, Default)]
pub struct DependencyDescriptors(StructureCache);

#[derive(Clone, Debug)]
pub struct DependencyDescriptor(Descriptor);

impl DependencyDescriptors {
    pub fn read(&mut self, data: &[u8]) -> Option<DependencyDescriptor> {
        self.0.read(data).ok().map(DependencyDescriptor)
    }

    /// Decode targets and chains of the structure; none before the first.
    pub fn counts(&self) -> Option<(u8, u8)> {
        self.0.structure().map(|structure| (structure.decode_targets(), structure.chains()))
    }

    /// The best target within these layers, its layers, and what a receiver of it can decode.
    pub fn best_target(&self, spatial: u8, temporal: u8) -> Option<(u8, (u8, u8), u32)> {
        let structure = self.0.structure()?;
        let best = structure.best_target(spatial, temporal, self.0.active_decode_targets())?;
        let target = structure.decode_target(best)?;
        Some((best, (target.spatial, target.temporal), structure.included_targets(best)))
    }
}

impl DependencyDescriptor {
    pub fn frame(&self) -> Frame {
        self.0.frame_info().into()
    }

    pub fn active_targets(&self) -> Option<u32> {
        self.0.active_decode_targets
    }

    pub fn frame_diffs(&self) -> &[u16] {
        self.0.frame_diffs()
    }

    /// Whether all but the active targets is the same.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let chains = |it: &Self| (0..32).map(|chain| it.0.chain_diff(chain)).collect::<Vec<_>>();
        let targets = |it: &Self| (0..32).map(|target| it.0.indication(target)).collect::<Vec<_>>();
        self.frame() == other.frame()
            && self.0.frame_number == other.0.frame_number
            && self.0.has_structure == other.0.has_structure
            && self.frame_diffs() == other.frame_diffs()
            && chains(self) == chains(other)
            && targets(self) == targets(other)
    }

    /// The descriptor `source` with other active targets, at the start of `out`.
    pub fn rewrite(&self, source: &[u8], active: u32, out: &mut [u8]) -> Option<usize> {
        self.0.write_with_active_targets(source, active, out).ok()
    }
}

/// Packets kept for those who lose them.
#[derive(Debug, Default)]
pub struct Kept(RtxCache);

impl Kept {
    pub fn put(&mut self, index: u64, elements: &[(u8, &[u8])], payload: &[u8], now: Instant) {
        let plain = Plain { index, timestamp: 0, marker: false, payload_type: 96 };
        self.0.put(plain, elements.iter().copied(), payload, now);
    }

    /// Elements and payload.
    pub fn get(&self, index: u64, now: Instant) -> Option<(Vec<(u8, &[u8])>, &[u8])> {
        let cached = self.0.get(index, now).filter(|cached| cached.plain.index == index)?;
        Some((cached.elements().collect(), cached.payload))
    }
}

/// What a consumer was sent, and its budget for having it again.
#[derive(Debug)]
pub struct Resending {
    sent: SentPackets,
    budget: RtxBudget,
}

impl Resending {
    pub fn new(now: Instant) -> Self {
        Self { sent: SentPackets::default(), budget: RtxBudget::new(now) }
    }

    pub fn on_sent(&mut self, index: u64, source: u64, bytes: usize, now: Instant) {
        self.sent.put(Sent { index, source, encoding: 0, marker: false, offset: 0 });
        self.budget.on_sent(bytes, now);
    }

    /// The consumer's and the source's index of what is sent again, if anything is.
    pub fn resend(
        &mut self,
        sequence: u16,
        bytes: usize,
        now: Instant,
        round_trip: Duration,
    ) -> Option<(u64, u64)> {
        let sent = self.sent.resendable(sequence, now, round_trip)?;
        self.budget.try_spend(bytes, now).then(|| {
            self.sent.on_resent(sent.index, now);
            (sent.index, sent.source)
        })
    }
}

/// What is missing of a publisher's video.
#[derive(Debug)]
pub struct Missing(NackGenerator);

impl Missing {
    pub fn video() -> Self {
        Self(NackGenerator::video())
    }

    /// False if so much is missing that it was given up.
    pub fn on_packet(&mut self, index: u64, now: Instant) -> bool {
        self.0.on_packet(index, now).is_ok()
    }

    pub fn due(&self) -> Option<Instant> {
        self.0.due()
    }

    pub fn take<'a>(&mut self, now: Instant, round_trip: Duration, out: &'a mut [u16]) -> &'a [u16] {
        self.0.take(now, None, round_trip, out)
    }
}

/// Arrivals of one transport's packets.
#[derive(Debug, Default)]
pub struct Arrivals(TransportCcRecorder);

impl Arrivals {
    pub fn on_packet(&mut self, sequence: u16, now: Instant) {
        self.0.on_packet(sequence, now);
    }

    pub fn due(&self) -> Option<Instant> {
        self.0.due()
    }

    /// The length of the next message, if one is due and can be written.
    pub fn feedback(
        &mut self,
        now: Instant,
        out: &mut [u8],
    ) -> Option<Result<usize, crate::packet::WriteError>> {
        self.0.next_feedback(now).map(|feedback| feedback.write(out, 1, 2))
    }
}

/// Arrivals of one transport's packets by stream, with their ECN marks.
#[derive(Debug, Default)]
pub struct MarkedArrivals(CongestionFeedbackRecorder);

impl MarkedArrivals {
    pub fn on_packet(&mut self, ssrc: u32, index: u64, ecn: Ecn, now: Instant) {
        self.0.on_packet(ssrc, index, ecn, now);
    }

    pub fn forget(&mut self, ssrc: u32) {
        self.0.forget(ssrc);
    }

    pub fn due(&self) -> Option<Instant> {
        self.0.due()
    }

    /// The length of the next message, if one is due and can be written.
    pub fn feedback(
        &mut self,
        now: Instant,
        out: &mut [u8],
    ) -> Option<Result<usize, crate::packet::WriteError>> {
        self.0.next_message(now, out, 1, 2)
    }
}
