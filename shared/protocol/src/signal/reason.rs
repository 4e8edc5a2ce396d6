//! Why something was closed, muted or moved, or somebody was put out.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// Why a producer was closed that its owner did not close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ProducerCloseReason {
    /// The producer kept sending more than its owner may.
    Bitrate,
}

/// How a call that rang ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum RingEndReason {
    /// The user joined the channel, on whichever device.
    Answered,
    /// One of the people who were called declined.
    Declined,
    /// Nobody answered in 45 s.
    Missed,
    /// The caller left, or took it back.
    Cancelled,
}

/// Why a consumer was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ConsumerCloseReason {
    /// The consumer's producer is gone.
    ProducerClosed,
    /// The consumer's transport is gone.
    TransportClosed,
    /// The session consumes the same producer anew.
    Replaced,
}

/// Why somebody's permissions are told anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum GrantReason {
    /// The right to send video ended.
    Expired,
    /// An operator took it away.
    Revoked,
    /// The user has Pro now.
    Upgraded,
    /// A newer token came.
    Refreshed,
}

/// Why a microphone was paused by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum MuteReason {
    /// The microphone sent a steady tone.
    NoiseLoop,
    /// An operator asked for it.
    Admin,
}

/// Why a room is gone from its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum RejoinReason {
    /// The node does not answer.
    NodeLost,
    /// The node is being emptied.
    NodeDraining,
    /// The node's thread that had the room ended.
    WorkerDied,
    /// An operator changed how the channel is encrypted.
    EncryptionChanged,
}

/// Why a session was put out of its room. On the wire it is its word, or the operator's text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub enum KickReason {
    /// The same user joined again on the same device.
    Replaced,
    /// The user was banned.
    Banned,
    /// The channel's record is gone.
    ChannelClosed,
    /// For the third time its microphone sent a steady tone.
    NoiseLoop,
    /// A diagnostics room lives for 60 s.
    DiagnosticsOver,
    /// What an operator wrote.
    Operator(String),
}

impl KickReason {
    /// The word on the wire, or the operator's text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Replaced => "replaced",
            Self::Banned => "banned",
            Self::ChannelClosed => "channel_closed",
            Self::NoiseLoop => "noise_loop",
            Self::DiagnosticsOver => "diagnostics_over",
            Self::Operator(text) => text,
        }
    }
}

impl From<String> for KickReason {
    fn from(text: String) -> Self {
        match text.as_str() {
            "replaced" => Self::Replaced,
            "banned" => Self::Banned,
            "channel_closed" => Self::ChannelClosed,
            "noise_loop" => Self::NoiseLoop,
            "diagnostics_over" => Self::DiagnosticsOver,
            _ => Self::Operator(text),
        }
    }
}

impl From<&str> for KickReason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Display for KickReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for KickReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kick_reason_reads_back_from_its_word() {
        let words = ["replaced", "banned", "channel_closed", "noise_loop", "diagnostics_over"];
        for word in words {
            let reason = KickReason::from(word.to_owned());
            assert!(!matches!(reason, KickReason::Operator(_)), "{word}");
            assert_eq!(reason.as_str(), word);
        }
        assert_eq!(KickReason::from("spam".to_owned()), KickReason::Operator("spam".into()));
    }
}
