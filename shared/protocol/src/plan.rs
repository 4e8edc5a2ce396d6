//! What a tier allows: pure functions from tiers to permissions and limits.

use crate::limits;
use crate::signal::source::Source;
use serde::{Deserialize, Serialize};

/// The tier of a user (what that user may send) or of a channel (how large its room is).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Speech only, in a room of eight.
    #[default]
    Free,
    /// Video and screen sharing too, in a room of 25.
    Pro,
}

/// What a session may send. `maxBitrate` is the audio ceiling in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct Permissions {
    /// A microphone.
    pub audio: bool,
    /// A camera.
    pub video: bool,
    /// A screen, and its sound.
    pub screenshare: bool,
    /// Bitrate of audio, in bits per second.
    pub max_bitrate: u32,
}

/// Most participants, and most videos, of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct RoomLimits {
    /// Who is over them is refused with `CHANNEL_FULL`.
    pub participants: u16,
    /// Cameras and screens together; who is over them waits in a queue.
    pub video_publishers: u16,
}

impl Permissions {
    /// What a user of this tier may send.
    pub const fn of(tier: Tier) -> Self {
        let pro = matches!(tier, Tier::Pro);
        let max_bitrate = if pro { limits::AUDIO_BITRATE_PRO } else { limits::AUDIO_BITRATE_FREE };
        Self { audio: true, video: pro, screenshare: pro, max_bitrate }
    }

    /// Bits per second that this source may take.
    pub const fn bitrate_ceiling(&self, source: Source) -> u32 {
        match source {
            Source::Mic | Source::ScreenAudio => self.max_bitrate,
            Source::Camera => limits::VIDEO_BITRATE,
            Source::Screen => limits::SCREEN_BITRATE,
        }
    }

    /// Whether this source may be sent at all.
    pub const fn allow(&self, source: Source) -> bool {
        match source {
            Source::Mic => self.audio,
            Source::Camera => self.video,
            Source::Screen | Source::ScreenAudio => self.screenshare,
        }
    }
}

impl RoomLimits {
    /// How large a room is in a channel of this tier.
    pub const fn of(tier: Tier) -> Self {
        match tier {
            Tier::Free => Self {
                participants: limits::PARTICIPANTS_FREE,
                video_publishers: limits::VIDEO_PUBLISHERS_FREE,
            },
            Tier::Pro => Self {
                participants: limits::PARTICIPANTS_PRO,
                video_publishers: limits::VIDEO_PUBLISHERS_PRO,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_may_send_a_microphone_and_nothing_else() {
        let free = Permissions::of(Tier::Free);
        let allowed = Source::ALL.map(|source| free.allow(source));
        assert_eq!(allowed, [true, false, false, false]);
        assert_eq!(free.max_bitrate, 32_000);
    }

    #[test]
    fn pro_may_send_every_source() {
        assert!(Source::ALL.iter().all(|source| Permissions::of(Tier::Pro).allow(*source)));
    }
}
