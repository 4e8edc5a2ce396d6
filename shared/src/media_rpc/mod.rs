//! Control-plane ↔ media node: commands in, replies and room events out, in the node's order.
//!
//! The types here are what both planes work with; [`wire`] carries them over gRPC.

mod command;
mod event;
mod reply;
pub mod wire;

pub use command::{Address, Command, Grant, JoinRequest, LeaveReason, ResumeRequest, TokenDigest};
pub use event::{Audience, Event, RoomEvent};
pub use reply::{ConsumerDescription, OwnState, Reply, RoomSnapshot, Slot, SlotState};
