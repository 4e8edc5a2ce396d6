//! Participants, their producers, and what a session has in its room, as replies and events carry them.

use super::source::{Source, VideoSource};
use crate::ids::{ConsumerId, ProducerId, SessionId, UserId};
use crate::rtp_parameters::MediaKind;
use serde::{Deserialize, Serialize};

/// `appData`: of what the client sent, only the source is relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct AppData {
    /// What is captured: microphone, camera, screen or the screen's sound.
    pub source: Source,
}

/// A producer as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ProducerInfo {
    /// The producer's id.
    pub producer_id: ProducerId,
    /// `audio` or `video`.
    pub kind: MediaKind,
    /// The source of the media.
    pub app_data: AppData,
    /// True while nothing of it is forwarded.
    pub paused: bool,
}

/// A participant as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "ParticipantInfo", optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    /// The user's id, from the `sub` of the token.
    pub user_id: UserId,
    /// The session's id: one join of one device.
    pub session_id: SessionId,
    /// The name to show, from the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the picture to show is, from the token: a path on the page's origin, or an `https:` URL of a host
    /// that the operator listed. Nobody in privacy mode is told of one, or has one told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// The user turned the microphone off.
    pub muted: bool,
    /// The user hears nobody, by choice.
    pub deafened: bool,
    /// The user's voice is heard now.
    pub speaking: bool,
    /// The session lost its socket longer than 15 s ago and its media goes on. Written only if so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>", optional))]
    pub reconnecting: bool,
    /// Producers of the participant.
    pub producers: Vec<ProducerInfo>,
}

/// A user who is in a channel, as whoever watches it is told: on several devices the user is one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ChannelPerson {
    /// The user's id, from the `sub` of the token.
    pub user_id: UserId,
    /// The name to show, from the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Path or URL of the picture to show, as in [`Participant`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// On every device.
    pub muted: bool,
    /// The same.
    pub deafened: bool,
}

/// A consumer as its owner left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ConsumerInfo {
    /// The consumer's id.
    pub consumer_id: ConsumerId,
    /// The producer's id.
    pub producer_id: ProducerId,
    /// `audio` or `video`.
    pub kind: MediaKind,
    /// True while its client has it paused.
    pub paused: bool,
    /// True while the producer is paused, so that nothing comes whatever the consumer does.
    pub producer_paused: bool,
}

/// A video slot held and not yet used, or a place in the queue for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct QueuePlace {
    /// `camera` or `screen`.
    pub source: VideoSource,
    /// True if a slot is held for the session.
    pub granted: bool,
    /// Until when a grant is held, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// In the queue, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u16>,
    /// Video slots that are taken.
    pub current: u16,
    /// Video slots that the room has.
    pub max: u16,
}

/// Who is heard most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct Speaker {
    /// The user's id, from the `sub` of the token.
    pub user_id: UserId,
    /// The session's id: one join of one device.
    pub session_id: SessionId,
}

/// How loud someone is, in dBov: 0 is the loudest, -127 silence (RFC 6464).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct AudioLevel {
    /// The session's id: one join of one device.
    pub session_id: SessionId,
    /// dBov, -127 to 0.
    pub level: i8,
}
