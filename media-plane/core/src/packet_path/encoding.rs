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
        // An encoder that was stopped begins with a key frame; one that has nothing new to show does not.
        if frame.starts_key_frame && !self.is_alive(now) {
            self.rates.begin_window(now);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_protocol::ortc::ScalabilityMode;

    const NONE: EncodingMapping =
        EncodingMapping { ssrc: None, rtx_ssrc: None, rid: None, scalability: ScalabilityMode::NONE };

    /// Frames of 1,174 bytes, 25 a second, in these milliseconds; what they take then.
    fn rate_after(encoding: &mut Encoding, start: Instant, range: std::ops::Range<u64>) -> u64 {
        for ms in range.clone().step_by(40) {
            let frame = FrameInfo { starts_key_frame: ms == range.start, ..FrameInfo::default() };
            encoding.on_packet(&frame, true, 1_174, start + Duration::from_millis(ms));
        }
        encoding.bitrate_up_to(0, 0)
    }

    #[test]
    fn the_time_in_which_a_layer_was_stopped_lowers_no_bitrate() {
        let (mut encoding, start) = (Encoding::new(&NONE), Instant::now());
        let before = rate_after(&mut encoding, start, 0..3_500);
        assert!((240_000..260_000).contains(&before), "{before}");
        // Twenty seconds in which nobody wanted it, twice.
        assert_eq!(rate_after(&mut encoding, start, 23_000..23_600), before);
        let after = rate_after(&mut encoding, start, 50_000..56_000);
        assert!((240_000..260_000).contains(&after), "{after}");
    }

    #[test]
    fn a_screen_that_changes_now_and_then_is_measured_over_the_time_between() {
        let (mut encoding, start) = (Encoding::new(&NONE), Instant::now());
        rate_after(&mut encoding, start, 0..3_500);
        for seconds in 1..20 {
            let at = start + Duration::from_secs(3 + 4 * seconds);
            encoding.on_packet(&FrameInfo::default(), false, 1_174, at);
        }
        let rate = encoding.bitrate_up_to(0, 0);
        assert!((2_000..6_000).contains(&rate), "a frame each four seconds: {rate}");
    }
}
