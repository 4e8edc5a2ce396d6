//! Control-plane ↔ media node: commands in, replies and room events out, in the node's order.
//!
//! The types here are what both planes work with; the crate `railgun-rpc` carries them over gRPC.

mod command;
mod event;
mod reply;
mod user_order;

use crate::signal::{ErrorBody, ErrorCode};

pub use command::{
    Address, Command, EncryptionRule, Grant, JoinRequest, LeaveReason, ONLY_EPOCH, ResumeRequest, Rights,
    TokenDigest,
};
pub use event::{Audience, Event, RoomEvent, WorkerDied};
pub use reply::{ConsumerDescription, MissedMessage, OwnState, Reply, RoomSnapshot, Slot, SlotState};
pub use user_order::{Replacement, UserAction, UserOrder};

/// The gRPC header of a control stream that tells the node what its replica is called: up to
/// [`REPLICA_NAME_MAX`] letters and digits.
pub const REPLICA_HEADER: &str = "railgun-replica";
/// Longest name of a replica, in characters.
pub const REPLICA_NAME_MAX: usize = 16;

/// The refusal of a command whose epoch is not its room's: where the channel's room is has to be
/// looked up again.
pub fn room_moved() -> ErrorBody {
    ErrorBody::new(ErrorCode::NodeUnavailable, "the room has moved").with("moved", true)
}

/// Whether a refusal is [`room_moved`].
pub fn is_room_moved(error: &ErrorBody) -> bool {
    error.code == ErrorCode::NodeUnavailable && error.details.contains_key("moved")
}
