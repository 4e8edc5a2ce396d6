//! Why a room refuses a command. [`ErrorBody`] says it in the words of the contract, in one place.

use railgun_protocol::ortc::OrtcError;
use railgun_protocol::plan::RoomLimits;
use railgun_protocol::signal::{ErrorBody, ErrorCode, Source};
use std::time::Duration;

/// Within this, each replica hears of an operator's change.
const ENCRYPTION_TOLD_WITHIN_MS: u64 = 500;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// The id is absent, closed or another session's; the client cannot tell which.
    NotFound,
    /// A state that no sequence of commands should lead to.
    Internal,
    /// The channel's room has another epoch.
    RoomMoved,
    /// The room is encrypted in another way than the join goes by, and knows better.
    EncryptionChanged,
    /// The room took another commit of that epoch. The one that the next commit has to end.
    LateCommit {
        epoch: u64,
    },
    InvalidState(&'static str),
    InvalidPayload(String),
    /// The transport's DTLS association failed or has ended: only another transport helps.
    TransportFailed,
    ChannelFull(RoomLimits),
    /// The session's grant does not have this source.
    NotGranted(Source),
    VideoLimitReached {
        current: u16,
        max: u16,
    },
    /// Whatever was wrong with the token: the client joins afresh.
    ResumeFailed,
    /// The user did it too often; once more is allowed after so long.
    RateLimited(Duration),
    /// The worker has as many rooms as it takes.
    NodeFull,
    /// A codec that this node does not forward.
    UnsupportedCodec,
    /// RTP parameters or capabilities that do not hold.
    Rtp(OrtcError),
}

impl From<OrtcError> for Refusal {
    fn from(error: OrtcError) -> Self {
        Self::Rtp(error)
    }
}

impl From<Refusal> for ErrorBody {
    fn from(refusal: Refusal) -> Self {
        let body = Self::new;
        match refusal {
            Refusal::NotFound => body(ErrorCode::NotFound, "no such object in this session"),
            Refusal::Internal => body(ErrorCode::Internal, "the media node could not do this"),
            Refusal::RoomMoved => railgun_protocol::media_rpc::room_moved(),
            Refusal::EncryptionChanged => {
                body(ErrorCode::NodeUnavailable, "how this channel is encrypted was changed a moment ago")
                    .with("retryAfterMs", ENCRYPTION_TOLD_WITHIN_MS)
            }
            Refusal::LateCommit { epoch } => {
                body(ErrorCode::InvalidState, "another commit ended that epoch").with("epoch", epoch)
            }
            Refusal::InvalidState(why) => body(ErrorCode::InvalidState, why),
            Refusal::InvalidPayload(why) => Self::new(ErrorCode::InvalidPayload, why),
            Refusal::TransportFailed => {
                body(ErrorCode::TransportFailed, "this transport has failed: create another one")
            }
            Refusal::ChannelFull(limits) => {
                body(ErrorCode::ChannelFull, "the channel is full").with("max", limits.participants)
            }
            Refusal::NotGranted(Source::Mic) => {
                body(ErrorCode::PermissionDenied, "this session may not speak")
            }
            Refusal::NotGranted(source) => {
                body(ErrorCode::CapabilityRequired, "this needs Pro").with("capability", source.capability())
            }
            Refusal::VideoLimitReached { current, max } => {
                body(ErrorCode::VideoLimitReached, "all video slots are taken")
                    .with("current", current)
                    .with("max", max)
            }
            Refusal::ResumeFailed => body(ErrorCode::ResumeFailed, "this session cannot be resumed"),
            Refusal::RateLimited(wait) => {
                let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
                body(ErrorCode::RateLimited, "too often").with("retryAfterMs", millis)
            }
            Refusal::NodeFull => body(ErrorCode::NodeUnavailable, "the media node takes no more rooms"),
            Refusal::UnsupportedCodec => {
                body(ErrorCode::UnsupportedCodec, "this node does not forward that codec")
            }
            Refusal::Rtp(error) => error.into(),
        }
    }
}
