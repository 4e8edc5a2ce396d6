//! The refusals of a room, each in the words of the contract.

use railgun_shared::plan::RoomLimits;
use railgun_shared::signal::{ErrorBody, ErrorCode, Source};
use std::time::Duration;

/// Absent, closed, or somebody else's: nobody learns which.
pub(crate) fn not_found() -> ErrorBody {
    ErrorBody::new(ErrorCode::NotFound, "no such object in this session")
}

pub(crate) fn internal() -> ErrorBody {
    ErrorBody::new(ErrorCode::Internal, "the media node could not do this")
}

pub(crate) fn stale_epoch() -> ErrorBody {
    railgun_shared::media_rpc::room_moved()
}

pub(crate) fn invalid_state(why: &str) -> ErrorBody {
    ErrorBody::new(ErrorCode::InvalidState, why)
}

/// Its DTLS association failed or has ended: only another transport helps.
pub(crate) fn transport_failed() -> ErrorBody {
    ErrorBody::new(ErrorCode::TransportFailed, "this transport has failed: create another one")
}

pub(crate) fn invalid_payload(why: impl Into<String>) -> ErrorBody {
    ErrorBody::new(ErrorCode::InvalidPayload, why)
}

pub(crate) fn channel_full(limits: RoomLimits) -> ErrorBody {
    ErrorBody::new(ErrorCode::ChannelFull, "the channel is full").with("max", limits.participants)
}

pub(crate) fn capability_required(source: Source) -> ErrorBody {
    if source == Source::Mic {
        return ErrorBody::new(ErrorCode::PermissionDenied, "this session may not speak");
    }
    ErrorBody::new(ErrorCode::CapabilityRequired, "this needs Pro").with("capability", source.capability())
}

pub(crate) fn video_limit_reached(current: u16, max: u16) -> ErrorBody {
    ErrorBody::new(ErrorCode::VideoLimitReached, "all video slots are taken")
        .with("current", current)
        .with("max", max)
}

/// Whatever was wrong with it: the client joins afresh.
pub(crate) fn resume_failed() -> ErrorBody {
    ErrorBody::new(ErrorCode::ResumeFailed, "this session cannot be resumed")
}

/// The user did it too often; once more is allowed after so long.
pub(crate) fn rate_limited(wait: Duration) -> ErrorBody {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
    ErrorBody::new(ErrorCode::RateLimited, "too often").with("retryAfterMs", millis)
}

pub(crate) fn node_full() -> ErrorBody {
    ErrorBody::new(ErrorCode::NodeUnavailable, "the media node takes no more rooms")
}
