//! What is wanted of all the sessions that one user has at a node, whatever room they are in and
//! whether or not they have a socket.

use crate::ids::{ChannelId, DeviceId, SessionId, UserId};
use crate::signal::KickReason;

/// What is to be done with a user's sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserOrder {
    /// The user's id.
    pub user: UserId,
    /// None: in every channel.
    pub channel: Option<ChannelId>,
    /// What.
    pub action: UserAction,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserAction {
    /// Out of their rooms, and told why.
    Kick {
        /// What their owner is told as the reason.
        reason: KickReason,
    },
    /// Out go those that came before.
    Replace(Replacement),
    /// Sessions without a socket send no more video: no replica speaks for them, and whoever takes one up brings a
    /// grant of its own.
    EndLostVideo,
}

/// A session that takes the place of those of its device that came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The device that they share.
    pub device: DeviceId,
    /// The session that takes their place.
    pub by: SessionId,
    /// Unix milliseconds, by its replica's clock.
    pub asked_at: u64,
}

impl Replacement {
    /// Of two of the same moment the one with the higher id comes later: of two that are to replace
    /// each other one is left, in whatever order nodes hear of it.
    pub fn is_later_than(&self, other: &Self) -> bool {
        self.by != other.by && (self.asked_at, self.by) > (other.asked_at, other.by)
    }
}
