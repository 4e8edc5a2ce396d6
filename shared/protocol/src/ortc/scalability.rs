//! `scalabilityMode` (W3C webrtc-svc): how many layers one encoding holds.

use super::error::OrtcError;
use std::str::FromStr;

/// Layers of one encoding, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalabilityMode {
    /// 1 to 8.
    pub spatial_layers: u8,
    /// 1 to 8.
    pub temporal_layers: u8,
    /// K-SVC: layers depend on lower ones in key frames only.
    pub key_frames_only: bool,
}

impl ScalabilityMode {
    /// One layer: what an encoding without a mode has.
    pub const NONE: Self = Self { spatial_layers: 1, temporal_layers: 1, key_frames_only: false };

    /// Whether there is a layer to leave out.
    pub const fn is_layered(self) -> bool {
        self.spatial_layers > 1 || self.temporal_layers > 1
    }
}

impl FromStr for ScalabilityMode {
    type Err = OrtcError;

    /// `L` or `S`, spatial layers, `T`, temporal layers, perhaps `h` (ratio 1.5), perhaps `_KEY`
    /// or `_KEY_SHIFT`.
    fn from_str(text: &str) -> Result<Self, OrtcError> {
        parse(text).ok_or(OrtcError::ScalabilityMode)
    }
}

fn parse(text: &str) -> Option<ScalabilityMode> {
    let layers = text.strip_prefix('L').or_else(|| text.strip_prefix('S'))?;
    let (spatial, rest) = layers.split_once('T')?;
    let (temporal, suffix) = rest.split_at_checked(1)?;
    let key_frames_only = match suffix.strip_prefix('h').unwrap_or(suffix) {
        "" => false,
        "_KEY" | "_KEY_SHIFT" => true,
        _ => return None,
    };
    Some(ScalabilityMode {
        spatial_layers: count(spatial)?,
        temporal_layers: count(temporal)?,
        key_frames_only,
    })
}

/// A payload descriptor (VP9) or a dependency descriptor (AV1) has three bits for a layer.
fn count(digit: &str) -> Option<u8> {
    match digit.as_bytes() {
        [digit @ b'1'..=b'8'] => Some(digit - b'0'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modes_of_browsers_are_read() {
        let mode = |spatial_layers, temporal_layers, key_frames_only| {
            Ok(ScalabilityMode { spatial_layers, temporal_layers, key_frames_only })
        };
        assert_eq!("L1T3".parse(), mode(1, 3, false));
        assert_eq!("L3T3_KEY".parse(), mode(3, 3, true));
        assert_eq!("L2T2_KEY_SHIFT".parse(), mode(2, 2, true));
        assert_eq!("S2T1h".parse(), mode(2, 1, false));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "L", "L1", "L1T", "L0T1", "L9T1", "L1T1é", "L1Té", "M1T1", "L1T1_", "L11T1", "l1t1"]
        {
            assert_eq!(text.parse::<ScalabilityMode>(), Err(OrtcError::ScalabilityMode), "{text}");
        }
    }
}
