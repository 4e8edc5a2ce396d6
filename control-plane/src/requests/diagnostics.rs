//! The reserved channel `$diagnostics`: a room of its own for each session that joins it, where it
//! may hear and see itself. Nobody can take such a session up again, and it is no call.

use crate::refusal::Refusal;
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::plan::RoomLimits;

use crate::policy::join_history::JoinLimits;

const NAME: &str = "$diagnostics";

pub(super) const LIMITS: RoomLimits = RoomLimits { participants: 1, video_publishers: 2 };

/// Tests a user may make; they do not count as joins.
pub(crate) const RATE: JoinLimits = JoinLimits { per_minute: 5, cooldown: 0 };

pub(super) fn is(channel: &ChannelId) -> bool {
    channel.as_str() == NAME
}

/// What the session's own room is called between us and the nodes.
pub(super) fn room_of(session: SessionId) -> Result<ChannelId, Refusal> {
    ChannelId::new(format!("{NAME}/{session}")).map_err(|error| Refusal::Internal(error.to_string()))
}
