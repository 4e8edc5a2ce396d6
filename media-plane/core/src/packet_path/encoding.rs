//! One stream of a producer: a simulcast layer, or all there is.

use super::layer_rates::LayerRates;
use crate::codec::FrameInfo;
use crate::codec::dependency_descriptor::StructureCache;
use crate::codec::vp9::SpatialPrediction;
use crate::feedback::key_frame_request::KeyFrameRequests;
use crate::feedback::rtx_cache::RtxCache;
use railgun_protocol::ortc::EncodingMapping;
use std::time::{Duration, Instant};

/// One stream of a producer.
#[derive(Debug)]
pub(crate) struct Encoding {
    /// Declared, or learnt from the RID it came with.
    pub(crate) ssrc: Option<u32>,
    pub(crate) rtx_ssrc: Option<u32>,
    pub(crate) rid: Option<String>,
    pub(crate) last_packet: Option<Instant>,
    /// How its spatial layers depend on each other, if it has several.
    pub(crate) prediction: SpatialPrediction,
    /// As declared, inside this encoding.
    pub(super) spatial_layers: u8,
    /// The stream declared layers inside, or was seen to have some; without them there is nothing to choose.
    pub(crate) is_layered: bool,
    /// The highest temporal layer that was ever seen.
    pub(crate) highest_temporal: u8,
    pub(crate) rates: LayerRates,
    /// When each spatial layer was last seen.
    spatial_seen: [Option<Instant>; SPATIAL_LAYERS_MAX],
    /// Template structure by which its dependency descriptors are read.
    pub(crate) structure: StructureCache,
    pub(crate) key_frames: KeyFrameRequests,
    /// The last sender report: NTP time and the timestamp that belongs to it.
    pub(crate) sender_report: Option<(u64, u32)>,
    /// Video's last packets, for consumers that lost some.
    pub(crate) cache: RtxCache,
}

/// A layer without packets for so long is not being sent.
const SILENT_AFTER: Duration = Duration::from_secs(2);
/// Three bits of VP9's descriptor say which one.
const SPATIAL_LAYERS_MAX: usize = 8;

impl Encoding {
    pub(crate) fn new(mapping: &EncodingMapping) -> Self {
        Self {
            ssrc: mapping.ssrc,
            rtx_ssrc: mapping.rtx_ssrc,
            rid: mapping.rid.clone(),
            last_packet: None,
            prediction: match mapping.scalability.key_frames_only {
                true => SpatialPrediction::KeyPictures,
                false => SpatialPrediction::EveryPicture,
            },
            spatial_layers: mapping.scalability.spatial_layers,
            is_layered: mapping.scalability.is_layered(),
            highest_temporal: 0,
            rates: LayerRates::default(),
            spatial_seen: [None; SPATIAL_LAYERS_MAX],
            structure: StructureCache::default(),
            key_frames: KeyFrameRequests::default(),
            sender_report: None,
            cache: RtxCache::default(),
        }
    }

    /// `is_asked`: if it is a key frame, it was asked for.
    pub(crate) fn on_packet(&mut self, frame: &FrameInfo, is_asked: bool, payload: usize, now: Instant) {
        self.rates.on_packet(frame, is_asked, payload, now);
        self.last_packet = Some(now);
        self.highest_temporal = self.highest_temporal.max(frame.temporal);
        self.is_layered |= frame.spatial > 0 || frame.temporal > 0;
        if let Some(seen) = self.spatial_seen.get_mut(usize::from(frame.spatial)) {
            *seen = Some(now);
        }
        if frame.starts_key_frame {
            self.key_frames.on_key_frame();
        }
    }

    /// Bits a second, on the wire, of what a receiver of these layers gets; 0 before it was measured.
    pub(crate) fn bitrate_up_to(&self, spatial: u8, temporal: u8) -> u64 {
        let first = match self.prediction {
            SpatialPrediction::KeyPictures if spatial != u8::MAX => spatial,
            _ => 0,
        };
        self.rates.rate(first..=spatial, temporal)
    }

    pub(crate) fn is_alive(&self, now: Instant) -> bool {
        is_recent(self.last_packet, now)
    }

    /// The highest spatial layer that is being sent.
    pub(crate) fn highest_spatial(&self, now: Instant) -> u8 {
        let highest = self.spatial_seen.iter().rposition(|seen| is_recent(*seen, now));
        highest.and_then(|highest| u8::try_from(highest).ok()).unwrap_or(0)
    }
}

fn is_recent(seen: Option<Instant>, now: Instant) -> bool {
    seen.is_some_and(|seen| now.saturating_duration_since(seen) < SILENT_AFTER)
}
