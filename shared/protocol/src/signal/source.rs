//! What a producer carries.

use crate::rtp_parameters::MediaKind;
use serde::{Deserialize, Serialize};

/// What a producer carries; `appData.source` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The user's voice.
    Mic,
    /// The user's camera.
    Camera,
    /// A shared screen, window or tab.
    Screen,
    /// The sound of what is shared.
    ScreenAudio,
}

impl Source {
    /// Each once.
    pub const ALL: [Self; 4] = [Self::Mic, Self::Camera, Self::Screen, Self::ScreenAudio];

    /// Audio or video.
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::Mic | Self::ScreenAudio => MediaKind::Audio,
            Self::Camera | Self::Screen => MediaKind::Video,
        }
    }

    /// Which capability a refused source asks for (`details.capability`).
    pub const fn capability(self) -> &'static str {
        match self {
            Self::Mic | Self::Camera => "VIDEO_CALLING",
            Self::Screen | Self::ScreenAudio => "SCREEN_SHARE",
        }
    }
}

/// A source that takes a video slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum VideoSource {
    /// The user's camera.
    Camera,
    /// A shared screen, window or tab.
    Screen,
}

impl VideoSource {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Camera, Self::Screen];

    /// None: such a source takes no slot.
    pub const fn of(source: Source) -> Option<Self> {
        match source {
            Source::Camera => Some(Self::Camera),
            Source::Screen => Some(Self::Screen),
            Source::Mic | Source::ScreenAudio => None,
        }
    }
}

impl From<VideoSource> for Source {
    fn from(source: VideoSource) -> Self {
        match source {
            VideoSource::Camera => Self::Camera,
            VideoSource::Screen => Self::Screen,
        }
    }
}
