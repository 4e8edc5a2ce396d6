//! What is wanted of all the sessions that one user has at a node, whatever room they are in and
//! whether or not they have a socket.

use crate::ids::{ChannelId, DeviceId, SessionId, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserOrder {
    pub user: UserId,
    /// None: in every channel.
    pub channel: Option<ChannelId>,
    pub action: UserAction,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserAction {
    /// Out of their rooms, and told why.
    Kick { reason: String },
    /// Out go those on this device that were asked for before `by` was (Unix milliseconds, by the
    /// replicas' clocks). Of two of the same moment the one with the higher id stays, so that of two
    /// that are to replace each other one is left, in whatever order nodes hear of it.
    Replace { device: DeviceId, by: SessionId, asked_at: u64 },
    /// Those without a socket send no more video: nobody else speaks for them, and whoever takes one
    /// up brings a grant of its own.
    EndLostVideo,
}
