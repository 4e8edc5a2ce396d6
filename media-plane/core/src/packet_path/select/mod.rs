//! Step 5, first part: which of a producer's layers this consumer gets, and when that may change.
//!
//! Video begins with a key frame. Simulcast layers change only on a key frame of the layer that is
//! gone to; the layers inside one encoding by their own rules (`layers`). Audio is always forwarded.

mod layers;
mod timeline;

use super::encoding::Encoding;
use super::packet::RtpPacket;
use super::producer::Producer;
use crate::codec::dependency_descriptor::Descriptor;
use layers::LayerFilter;
use railgun_protocol::rtp_parameters::StreamType;
use std::time::Instant;
use timeline::Timeline;

pub(crate) use layers::Layers;

/// What is forwarded now, and how its timestamps become the consumer's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection {
    is_video: bool,
    /// The encoding that is being forwarded; none before the first key frame.
    current: Option<u8>,
    preferred: Layers,
    /// The highest layers that the receiver's link takes; none: no video at all.
    allowed: Option<Layers>,
    /// That was decided, and is not what everybody begins with.
    is_allocated: bool,
    /// Nothing is known of the link yet: more may be had soon, and is wanted.
    is_provisional: bool,
    /// Drops the spatial and temporal layers of the encoding above those allocated.
    filter: LayerFilter,
    timeline: Timeline,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LayerDecision {
    /// With this RTP marker.
    Forward { marker: bool },
    /// Forward as the first of its stretch: another encoding, or the first packet after a pause.
    Begin { marker: bool },
    /// The packet is of the encoding that is forwarded, but of a layer that is not: it leaves no gap.
    Drop,
    /// The packet is of another encoding.
    Ignore,
}

impl Selection {
    pub(crate) fn new(is_video: bool) -> Self {
        Self {
            is_video,
            current: None,
            preferred: Layers::ALL,
            allowed: Some(Layers::ALL),
            is_allocated: false,
            is_provisional: false,
            filter: LayerFilter::default(),
            timeline: Timeline::default(),
        }
    }

    /// Forwarding stops; video goes on with a key frame.
    pub(crate) fn interrupt(&mut self) {
        self.current = None;
    }

    /// The highest layers the consumer wants.
    pub(crate) fn prefer(&mut self, layers: Layers) {
        self.preferred = layers;
    }

    /// The receiver's link takes no higher layers, or nothing; whether that is new.
    pub(crate) fn allow(&mut self, layers: Option<Layers>, is_provisional: bool) -> bool {
        self.is_allocated = true;
        let was_provisional = std::mem::replace(&mut self.is_provisional, is_provisional);
        std::mem::replace(&mut self.allowed, layers) != layers || was_provisional != is_provisional
    }

    pub(crate) fn allowed(&self) -> Option<Layers> {
        self.allowed
    }

    /// Whether the link was ever asked what it takes of this.
    pub(crate) fn is_allocated(&self) -> bool {
        self.is_allocated
    }

    pub(crate) fn is_provisional(&self) -> bool {
        self.is_provisional
    }

    pub(crate) fn is_video(&self) -> bool {
        self.is_video
    }

    pub(crate) fn preferred(&self) -> Layers {
        self.preferred
    }

    /// The highest spatial layer to be at.
    fn ceiling(&self) -> u8 {
        self.preferred.spatial.min(self.allowed.map_or(0, |it| it.spatial))
    }

    /// Whether a higher simulcast encoding than this one is being forwarded.
    pub(crate) fn is_above(&self, encoding: u8) -> bool {
        self.current.is_some_and(|current| current > encoding)
    }

    /// What is being forwarded; none before the first key frame.
    pub(crate) fn layers(&self, producer: &Producer) -> Option<Layers> {
        let current = self.current?;
        let inside = self.filter.layers();
        let spatial = if producer.stream_type == StreamType::Svc { inside.spatial } else { current };
        let highest = producer.encoding(current)?.highest_temporal;
        Some(Layers { spatial, temporal: inside.temporal.min(highest) })
    }

    /// The highest spatial layer that it asks for, whether or not that is being sent.
    pub(crate) fn asked_spatial(&self, producer: &Producer) -> u8 {
        self.preferred.spatial.min(producer.spatial_layers().saturating_sub(1))
    }

    /// The highest that it gets, or would take.
    pub(crate) fn wanted_spatial(&self, producer: &Producer) -> Option<u8> {
        if self.is_provisional {
            return Some(self.asked_spatial(producer));
        }
        let taken = self.allowed.map(|allowed| self.asked_spatial(producer).min(allowed.spatial));
        taken.max(self.layers(producer).map(|layers| layers.spatial))
    }

    /// The encoding to be at: the highest that is wanted and being sent.
    pub(crate) fn target(&self, producer: &Producer, now: Instant) -> u8 {
        if producer.stream_type == StreamType::Svc {
            return 0;
        }
        producer.highest_alive(now).map_or(0, |highest| highest.min(self.ceiling()))
    }

    /// The layers to be at inside an encoding.
    fn target_inside(&self, producer: &Producer, encoding: u8, now: Instant) -> Layers {
        let highest = producer.encoding(encoding).map_or(0, |it| it.highest_spatial(now));
        let wanted = if producer.stream_type == StreamType::Svc { self.ceiling() } else { u8::MAX };
        let is_left = producer.stream_type != StreamType::Svc && encoding > self.ceiling();
        // What is too much goes on, until the key frame of the lower layer came, with as little as decodes.
        let allowed = if is_left { 0 } else { self.allowed.map_or(0, |it| it.temporal) };
        Layers { spatial: highest.min(wanted), temporal: self.preferred.temporal.min(allowed) }
    }

    /// The encoding whose key frame would help.
    pub(crate) fn wants_key_frame_of(&self, producer: &Producer, now: Instant) -> Option<u8> {
        let target = self.target(producer, now);
        let inside = self.target_inside(producer, target, now);
        let waits = || {
            let prediction = producer.encoding(target).map(|it| it.prediction);
            prediction.is_some_and(|prediction| self.filter.waits_for_key_frame(inside, prediction))
        };
        (self.is_video && self.allowed.is_some() && (self.current != Some(target) || waits()))
            .then_some(target)
    }

    #[inline]
    pub(crate) fn decide(&mut self, producer: &Producer, packet: &RtpPacket, now: Instant) -> LayerDecision {
        let marker = packet.header.marker;
        if !self.is_video {
            return if self.current.is_some() {
                LayerDecision::Forward { marker }
            } else {
                LayerDecision::Begin { marker }
            };
        }
        let is_current = self.current == Some(packet.encoding);
        if self.allowed.is_none() {
            return LayerDecision::Ignore;
        }
        if !is_current {
            if !packet.frame.starts_key_frame {
                return LayerDecision::Ignore;
            }
            let target = self.target(producer, now);
            // A consumer with no current layer may start on any key frame at or below its target.
            if packet.encoding != target && !(self.current.is_none() && packet.encoding < target) {
                return LayerDecision::Ignore;
            }
        }
        let Some(encoding) = producer.encoding(packet.encoding) else { return LayerDecision::Ignore };
        if !encoding.is_layered {
            if is_current {
                return LayerDecision::Forward { marker };
            }
            self.filter.start(Layers { spatial: 0, ..self.preferred });
            return LayerDecision::Begin { marker };
        }
        let target = self.target_inside(producer, packet.encoding, now);
        match (self.filter.decide(packet, encoding, target), is_current) {
            (Some(marker), true) => LayerDecision::Forward { marker },
            (Some(marker), false) => LayerDecision::Begin { marker },
            (None, _) => LayerDecision::Drop,
        }
    }

    /// The packet begins a stretch: its encoding is forwarded from here.
    pub(crate) fn begin(&mut self, producer: &Producer, packet: &RtpPacket, now: Instant) {
        let from = self.timeline.encoding.and_then(|place| producer.encoding(place));
        let to = producer.encoding(packet.encoding);
        let reports = from.and_then(|it| it.sender_report).zip(to.and_then(|it| it.sender_report));
        self.timeline.begin(packet, reports, now);
        self.current = Some(packet.encoding);
    }

    /// A packet's dependency descriptor, `data`, as this consumer is to get it; none if there is no room.
    pub(crate) fn describe<'a>(
        &self,
        encoding: &Encoding,
        descriptor: &Descriptor,
        data: &[u8],
        out: &'a mut [u8],
    ) -> Option<&'a [u8]> {
        let active = self.filter.active_targets(encoding);
        let len = descriptor.write_with_active_targets(data, active, out).ok()?;
        out.get(..len)
    }

    /// The consumer's timestamp for the source's, and by how much it is later.
    #[inline]
    pub(crate) fn timestamp(&self, source: u32) -> (u32, u32) {
        (source.wrapping_add(self.timeline.offset), self.timeline.offset)
    }

    /// A packet with this timestamp, the consumer's, went out.
    #[inline]
    pub(crate) fn on_sent(&mut self, timestamp: u32, now: Instant) {
        self.timeline.on_sent(timestamp, now);
    }
}
