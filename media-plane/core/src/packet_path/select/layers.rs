//! Layers inside one encoding: temporal layers of VP8, VP9 and AV1, spatial ones of VP9 and AV1.

use crate::codec::dependency_descriptor::{self, Indication};
use crate::codec::vp9::{self, SpatialPrediction};
use crate::codec::{FrameInfo, TemporalSwitch};
use crate::packet_path::encoding::Encoding;
use crate::packet_path::packet::RtpPacket;
use railgun_protocol::signal::ConsumerLayers;

/// Spatial and temporal layer, the lowest 0. With simulcast the spatial layer is the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layers {
    pub(crate) spatial: u8,
    pub(crate) temporal: u8,
}

impl Layers {
    pub(crate) const ALL: Self = Self { spatial: u8::MAX, temporal: u8::MAX };
}

impl From<Layers> for ConsumerLayers {
    fn from(layers: Layers) -> Self {
        Self { spatial_layer: layers.spatial, temporal_layer: Some(layers.temporal) }
    }
}

/// The layers that a consumer gets of its encoding.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LayerFilter {
    spatial: u8,
    temporal: u8,
    /// The next picture may use any temporal layer.
    may_go_up: bool,
    /// Decode target of a dependency descriptor.
    decode_target: Option<u8>,
}

impl LayerFilter {
    pub(super) fn layers(&self) -> Layers {
        Layers { spatial: self.spatial, temporal: self.temporal }
    }

    /// The decode targets that can be made of what is forwarded, bit by bit (A.4 of the AV1 RTP
    /// specification).
    pub(super) fn active_targets(&self, encoding: &Encoding) -> u32 {
        let active = encoding.structure.active_decode_targets();
        let included = self.decode_target.zip(encoding.structure.structure());
        included.map_or(active, |(target, structure)| active & structure.included_targets(target))
    }

    /// A key frame: any layer may follow it.
    pub(super) fn start(&mut self, at: Layers) {
        *self = Self { spatial: at.spatial, temporal: at.temporal, ..Self::default() };
    }

    /// Whether only a key frame leads to `target`.
    pub(super) fn waits_for_key_frame(&self, target: Layers, prediction: SpatialPrediction) -> bool {
        match prediction {
            SpatialPrediction::EveryPicture => target.spatial > self.spatial,
            SpatialPrediction::KeyPictures => target.spatial != self.spatial,
        }
    }

    /// The RTP marker to forward the packet with; none if it is not forwarded.
    #[inline]
    pub(super) fn decide(&mut self, packet: &RtpPacket, encoding: &Encoding, target: Layers) -> Option<bool> {
        let frame = &packet.frame;
        let needed = match &packet.descriptor {
            Some(descriptor) => self.follow_descriptor(descriptor, frame, encoding, target)?,
            None => self.follow_layers(frame, encoding.prediction, target),
        };
        needed.then(|| vp9::marker(frame, packet.header.marker, self.spatial))
    }

    fn follow_layers(&mut self, frame: &FrameInfo, prediction: SpatialPrediction, target: Layers) -> bool {
        if frame.starts_key_frame {
            self.start(target);
        } else if frame.starts_frame && frame.spatial == 0 {
            // Down between two pictures; between key pictures, lower layers were not forwarded.
            if prediction == SpatialPrediction::EveryPicture {
                self.spatial = self.spatial.min(target.spatial);
            }
            let may_go_up = std::mem::take(&mut self.may_go_up);
            if may_go_up || target.temporal < self.temporal {
                self.temporal = target.temporal;
            }
        }
        let takes_up = frame.starts_frame && frame.temporal_switch == TemporalSwitch::WithThis;
        // One by one: layers in between may still need frames that were not forwarded.
        let next = self.temporal.saturating_add(1);
        if takes_up && frame.temporal == next && next <= target.temporal {
            self.temporal = frame.temporal;
        }
        let needed = prediction.needs(frame, self.spatial, self.temporal);
        if needed && frame.temporal_switch == TemporalSwitch::AfterThis {
            self.may_go_up = true;
        }
        needed
    }

    /// None if the structure is not known.
    fn follow_descriptor(
        &mut self,
        descriptor: &dependency_descriptor::Descriptor,
        frame: &FrameInfo,
        encoding: &Encoding,
        target: Layers,
    ) -> Option<bool> {
        let structure = encoding.structure.structure()?;
        let active = encoding.structure.active_decode_targets();
        let wanted = structure.best_target(target.spatial, target.temporal, active);
        let wanted = wanted.or(self.decode_target)?;
        let current = self.decode_target.unwrap_or(wanted);
        // Who gets the current target has all that a lower one in it needs.
        let includes =
            structure.included_targets(current) & 1u32.checked_shl(wanted.into()).unwrap_or(0) != 0;
        let may_change = frame.starts_key_frame
            || descriptor.may_switch_to(wanted)
            || frame.starts_frame && frame.spatial == 0 && includes;
        let chosen = if may_change { wanted } else { current };
        self.decode_target = Some(chosen);
        if let Some(layers) = structure.decode_target(chosen) {
            (self.spatial, self.temporal) = (layers.spatial, layers.temporal);
        }
        Some(descriptor.indication(chosen) != Indication::NotPresent)
    }
}
