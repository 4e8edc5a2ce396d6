//! Whether a user may be in a channel, by the operators' records.

use crate::records::View;
use railgun_shared::ids::{ChannelId, UserId};
use railgun_shared::plan::RoomLimits;
use railgun_shared::signal::{ErrorBody, ErrorCode};

/// How much the channel's room takes, if this user may join it at `now` (Unix seconds).
pub(crate) fn admit(
    view: &View,
    _user: &UserId,
    channel: &ChannelId,
    _now: u64,
) -> Result<RoomLimits, ErrorBody> {
    match view.channel(channel) {
        Some(record) => Ok(RoomLimits::of(record.tier)),
        None => Err(ErrorBody::new(ErrorCode::ChannelNotFound, "there is no such channel")),
    }
}
