//! What a refused request is told.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// What kind of refusal it is, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// No such channel, or none that this user may know of.
    ChannelNotFound,
    /// Every seat is taken.
    ChannelFull,
    /// This user may not.
    PermissionDenied,
    /// Something is needed that the user or the client does not have; `details.capability` names it.
    CapabilityRequired,
    /// ICE or DTLS of the transport failed.
    TransportFailed,
    /// The token is none, or not for this server.
    Unauthorized,
    /// The token's time is over.
    TokenExpired,
    /// No such object, or another session's.
    NotFound,
    /// The payload is not of the request's shape.
    InvalidPayload,
    /// Not now: something has to come first, or has come already.
    InvalidState,
    /// Too often; `details.retryAfterMs` says how long to wait.
    RateLimited,
    /// Every video slot is taken.
    VideoLimitReached,
    /// No codec that both ends know.
    UnsupportedCodec,
    /// The room's node cannot be reached, or none takes rooms.
    NodeUnavailable,
    /// The session cannot be taken up again: join anew.
    ResumeFailed,
    /// A fault of the server's.
    Internal,
}

impl ErrorCode {
    /// Every code, in the order of the contract.
    pub const ALL: [Self; 16] = [
        Self::ChannelNotFound,
        Self::ChannelFull,
        Self::PermissionDenied,
        Self::CapabilityRequired,
        Self::TransportFailed,
        Self::Unauthorized,
        Self::TokenExpired,
        Self::NotFound,
        Self::InvalidPayload,
        Self::InvalidState,
        Self::RateLimited,
        Self::VideoLimitReached,
        Self::UnsupportedCodec,
        Self::NodeUnavailable,
        Self::ResumeFailed,
        Self::Internal,
    ];

    /// The code's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChannelNotFound => "CHANNEL_NOT_FOUND",
            Self::ChannelFull => "CHANNEL_FULL",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::CapabilityRequired => "CAPABILITY_REQUIRED",
            Self::TransportFailed => "TRANSPORT_FAILED",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::NotFound => "NOT_FOUND",
            Self::InvalidPayload => "INVALID_PAYLOAD",
            Self::InvalidState => "INVALID_STATE",
            Self::RateLimited => "RATE_LIMITED",
            Self::VideoLimitReached => "VIDEO_LIMIT_REACHED",
            Self::UnsupportedCodec => "UNSUPPORTED_CODEC",
            Self::NodeUnavailable => "NODE_UNAVAILABLE",
            Self::ResumeFailed => "RESUME_FAILED",
            Self::Internal => "INTERNAL",
        }
    }

    /// The code of this name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a request was refused: a code for programs, a sentence for people, and details by code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "Refusal"))]
#[error("{code}: {message}")]
pub struct ErrorBody {
    /// For programs.
    pub code: ErrorCode,
    /// For people: one sentence in English.
    #[serde(rename = "error")]
    pub message: String,
    /// What a program may need beside the code.
    #[cfg_attr(test, ts(type = "Record<string, unknown>"))]
    pub details: Map<String, Value>,
    /// The session cannot go on.
    pub fatal: bool,
}

impl ErrorBody {
    /// A refusal without details after which the session goes on.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Map::new(), fatal: false }
    }

    /// This refusal with one more detail.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }

    /// This refusal, after which the session cannot go on.
    pub fn fatal(mut self) -> Self {
        self.fatal = true;
        self
    }

    /// This refusal as the answer to `event`: fatal if asking again cannot help without another token,
    /// another channel or a person.
    pub fn of_request(mut self, event: &str) -> Self {
        self.fatal |= match self.code {
            ErrorCode::Unauthorized | ErrorCode::TokenExpired => true,
            ErrorCode::ChannelNotFound | ErrorCode::PermissionDenied | ErrorCode::CapabilityRequired => {
                event == "voice:join"
            }
            _ => false,
        };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_fatal_where_asking_again_cannot_help() {
        use ErrorCode::*;
        let always = [Unauthorized, TokenExpired];
        let at_a_join = [ChannelNotFound, PermissionDenied, CapabilityRequired];
        for code in ErrorCode::ALL {
            let is_fatal = |event| ErrorBody::new(code, "").of_request(event).fatal;
            assert_eq!(is_fatal("voice:join"), always.contains(&code) || at_a_join.contains(&code), "{code}");
            assert_eq!(is_fatal("voice:rtc:produce"), always.contains(&code), "{code}");
        }
        assert!(ErrorBody::new(Internal, "").fatal().of_request("voice:ping").fatal);
    }

    #[test]
    fn the_names_are_those_on_the_wire() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert_eq!(ErrorCode::from_name(code.as_str()), Some(code));
        }
    }
}
