//! `voice:leave`. Checks: a channel was joined, and it is this one if one is named.
//!
//! Whatever is queued behind it finds the session without a channel and is refused for that.

use crate::media_client::unexpected;
use crate::refusal::Refusal;
use crate::session::{Answer, Seat, Session};
use railgun_protocol::ids::ChannelId;
use railgun_protocol::media_rpc::{Command, LeaveReason, Reply};
use railgun_protocol::signal::{ErrorCode, ServerEvent};

pub(super) async fn leave(session: &mut Session, named: Option<ChannelId>) -> Result<Answer, Refusal> {
    let channel_id = session.seated()?.channel.clone();
    if named.is_some_and(|named| named != channel_id) {
        return Err(Refusal::AnotherChannel);
    }
    leave_current_room(session, LeaveReason::Left).await?;
    Ok(ServerEvent::Left { channel_id }.into())
}

/// Gives the seat back. It is gone on our side whatever the node answers.
pub(super) async fn leave_current_room(session: &mut Session, reason: LeaveReason) -> Result<(), Refusal> {
    // A client whose media was cut off leaves and joins anew: of what the node saw since the last sample, this is the
    // only word.
    session.look_at_media_at_once().await;
    let Some(Seat { node, address, attachment, timeline, .. }) = session.seat.take() else { return Ok(()) };
    session.left = timeline;
    let leave = Command::Leave { session: session.id, reason, attachment: Some(attachment) };
    let left = session.call(&node, address, leave).await;
    session.left = None;
    match left {
        Ok(Reply::Left) => Ok(()),
        Ok(other) => Err(unexpected(&other)),
        // The room does not have this session any more, which is what was asked for.
        Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidState) => Ok(()),
        Err(error) => Err(error),
    }
}
