//! Browser ↔ control-plane: the socket.io events, their payloads and the error codes.

mod client_event;
mod error_code;
mod server_event;
mod stats;

pub use client_event::{
    ClientEvent, ClientRequest, ConsumerLayers, NetworkType, RequestError, StateUpdate, StatsReport, Token,
    UiEventName,
};
pub use error_code::{ErrorBody, ErrorCode};
pub use server_event::{
    AppData, AudioLevel, ClosedStamp, ConsumerInfo, GrantReason, IceServer, IceTransportPolicy, MuteReason,
    Participant, ProducerInfo, QueuePlace, RejoinReason, RoomStamp, RtcConfig, ServerEvent, Speaker,
};
pub use stats::{ConsumerStats, ProducerStats, ProducerStreamStats, Stats, TrafficStats, TransportStats};

use crate::rtp_parameters::MediaKind;
use serde::{Deserialize, Serialize};

/// What a producer carries; `appData.source` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    Mic,
    Camera,
    Screen,
    ScreenAudio,
}

impl Source {
    pub const ALL: [Self; 4] = [Self::Mic, Self::Camera, Self::Screen, Self::ScreenAudio];

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
#[serde(rename_all = "camelCase")]
pub enum VideoSource {
    Camera,
    Screen,
}

impl VideoSource {
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
