//! Why this replica refuses a request. [`Refusal::body`] says it in the words of the contract, in one place.

use railgun_protocol::media_rpc::is_room_moved;
use railgun_protocol::ortc::OrtcError;
use railgun_protocol::signal::{ErrorBody, ErrorCode, RequestError, Source};
use std::borrow::Cow;

/// Waits are in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// No request of the contract.
    Unreadable(RequestError),
    TooManyEvents {
        wait: u64,
    },
    /// The socket has too many requests that are not answered yet.
    TooManyRequests,
    /// The user watches as many channels as one may.
    TooManyWatches,
    TooManyRings {
        wait: u64,
    },
    /// Each member of the channel is in it already.
    NobodyToRing,
    /// Another call rings them.
    RungAlready,
    /// Only a DM of few members rings.
    NotADm,
    TooManyJoins {
        wait: u64,
    },
    JoinedTooSoon {
        wait: u64,
    },
    /// An operator or the noise rule put the user out, for so much longer.
    Kicked {
        wait: u64,
    },
    /// `until` in Unix seconds; none: without end.
    Banned {
        until: Option<u64>,
    },
    /// There is none, or the user may not know that there is.
    NoSuchChannel,
    /// A leave names another channel than the one that was joined.
    AnotherChannel,
    NotJoined,
    /// The id is absent, closed or another session's; the client cannot tell which. What it names.
    NoSuch(&'static str),
    /// `kind` of a producer does not fit `appData.source`.
    WrongKind,
    /// The session's grant does not have this source.
    NotGranted(Source),
    /// The channel is encrypted end to end, and the client did not say that it can do so.
    CannotEncrypt,
    UnreadableCapabilities,
    Rtp(OrtcError),
    /// A figure of `voice:stats:report`.
    OutOfRange,
    /// Why a token was refused; always fatal.
    Token(ErrorCode),
    ResumeFailed,
    /// Privacy mode needs a relay; where none is configured.
    NoRelay(&'static str),
    NoMediaNode,
    /// Another try may succeed after the wait: everybody at another time.
    Later {
        why: &'static str,
        wait: u64,
    },
    /// The node's room of this channel has another epoch: it is to be looked up again.
    RoomMoved(ErrorBody),
    /// What the media node said.
    Node(ErrorBody),
    /// The node answered one thing with another, so nobody knows how the session stands.
    UnexpectedReply,
    Internal(String),
}

impl From<ErrorBody> for Refusal {
    fn from(error: ErrorBody) -> Self {
        if is_room_moved(&error) { Self::RoomMoved(error) } else { Self::Node(error) }
    }
}

impl From<OrtcError> for Refusal {
    fn from(error: OrtcError) -> Self {
        Self::Rtp(error)
    }
}

impl Refusal {
    pub(crate) fn code(&self) -> ErrorCode {
        self.words().0
    }

    /// Whether the operators' records are why: a closed channel, or a ban.
    pub(crate) fn is_about_records(&self) -> bool {
        matches!(self, Self::NoSuchChannel | Self::Banned { .. })
    }

    /// A sentence for people.
    pub(crate) fn message(&self) -> String {
        self.words().1.into_owned()
    }

    /// What the client is told.
    pub(crate) fn body(self) -> ErrorBody {
        let (code, message) = self.words();
        let body = ErrorBody::new(code, message);
        match self {
            Self::RoomMoved(error) | Self::Node(error) => error,
            Self::Rtp(error) => error.into(),
            Self::TooManyEvents { wait }
            | Self::TooManyJoins { wait }
            | Self::TooManyRings { wait }
            | Self::JoinedTooSoon { wait }
            | Self::Kicked { wait }
            | Self::Later { wait, .. } => body.with("retryAfterMs", wait),
            Self::Banned { until: Some(until) } => body.with("until", until),
            Self::NotGranted(source) if source != Source::Mic => body.with("capability", source.capability()),
            Self::CannotEncrypt => body.with("capability", "E2EE"),
            Self::UnexpectedReply => body.fatal(),
            _ => body,
        }
    }

    /// The code, and a sentence for people.
    fn words(&self) -> (ErrorCode, Cow<'static, str>) {
        let (code, message) = match self {
            Self::Unreadable(error) => return (ErrorCode::InvalidPayload, error.to_string().into()),
            Self::Rtp(error) => {
                let body = ErrorBody::from(error.clone());
                return (body.code, body.message.into());
            }
            Self::NoSuch(noun) => return (ErrorCode::NotFound, format!("there is no such {noun}").into()),
            Self::NoRelay(missing) => {
                let why = format!("privacy mode needs a TURN relay, and {missing} names none");
                return (ErrorCode::TransportFailed, why.into());
            }
            Self::Internal(why) => return (ErrorCode::Internal, why.clone().into()),
            Self::RoomMoved(error) | Self::Node(error) => return (error.code, error.message.clone().into()),
            Self::TooManyEvents { .. } => (ErrorCode::RateLimited, "too many events"),
            Self::TooManyRequests => (ErrorCode::RateLimited, "too many requests wait already"),
            Self::TooManyWatches => (ErrorCode::RateLimited, "too many channels are watched: unwatch one"),
            Self::TooManyRings { .. } => (ErrorCode::RateLimited, "too many calls in a minute"),
            Self::NobodyToRing => (ErrorCode::InvalidState, "everybody whom the channel lists is there"),
            Self::RungAlready => (ErrorCode::InvalidState, "another call rings them"),
            Self::NotADm => (ErrorCode::InvalidState, "only a DM of few members rings"),
            Self::TooManyJoins { .. } => (ErrorCode::RateLimited, "too many joins in a minute"),
            Self::JoinedTooSoon { .. } => (ErrorCode::RateLimited, "too soon after the last join"),
            Self::Kicked { .. } => (ErrorCode::PermissionDenied, "kicked, and not yet allowed back"),
            Self::Banned { .. } => (ErrorCode::PermissionDenied, "banned from this channel"),
            Self::NoSuchChannel => (ErrorCode::ChannelNotFound, "there is no such channel"),
            Self::AnotherChannel => (ErrorCode::NotFound, "that is not the channel that was joined"),
            Self::NotJoined => (ErrorCode::InvalidState, "join a channel first"),
            Self::WrongKind => (ErrorCode::InvalidPayload, "the kind does not fit appData.source"),
            Self::NotGranted(Source::Mic) => (ErrorCode::PermissionDenied, "may not send audio"),
            Self::NotGranted(_) => (ErrorCode::CapabilityRequired, "this needs Pro"),
            Self::CannotEncrypt => (
                ErrorCode::CapabilityRequired,
                "this channel is encrypted end to end, which this client cannot do",
            ),
            Self::UnreadableCapabilities => (ErrorCode::InvalidPayload, "rtpCapabilities cannot be read"),
            Self::OutOfRange => (ErrorCode::InvalidPayload, "a number is out of its range"),
            Self::Token(code) => (*code, "the token was refused"),
            Self::ResumeFailed => {
                (ErrorCode::ResumeFailed, "there is no such session to take up: join again")
            }
            Self::NoMediaNode => (ErrorCode::NodeUnavailable, "no media node can be reached right now"),
            Self::Later { why, .. } => (ErrorCode::NodeUnavailable, *why),
            Self::UnexpectedReply => (ErrorCode::Internal, "the media node answered something else"),
        };
        (code, message.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_protocol::media_rpc::room_moved;

    #[test]
    fn a_moved_room_is_told_from_a_node_that_is_away() {
        assert!(matches!(Refusal::from(room_moved()), Refusal::RoomMoved(_)));
        let away = ErrorBody::new(ErrorCode::NodeUnavailable, "away");
        assert_eq!(Refusal::from(away.clone()), Refusal::Node(away));
    }

    #[test]
    fn a_refusal_has_its_details() {
        let wait = Refusal::TooManyJoins { wait: 7 }.body();
        assert_eq!((wait.code, &wait.details["retryAfterMs"]), (ErrorCode::RateLimited, &7.into()));
        let banned = Refusal::Banned { until: Some(50) }.body();
        assert_eq!((banned.code, &banned.details["until"]), (ErrorCode::PermissionDenied, &50.into()));
        let camera = Refusal::NotGranted(Source::Camera).body();
        assert_eq!(camera.details["capability"], "VIDEO_CALLING");
        assert!(Refusal::NotGranted(Source::Mic).body().details.is_empty());
        assert!(Refusal::UnexpectedReply.body().fatal);
    }
}
