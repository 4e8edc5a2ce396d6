//! The media nodes as the control-plane sees them: one ordered stream each.

mod ask;
mod connect;
mod link;
mod place;
mod room_table;

pub use connect::media_channel;
#[cfg(feature = "etcd")]
pub(crate) use connect::{named_node_channel, node_channel};
pub use link::NodeLink;
pub(crate) use link::{NodeCall, NodeState, Peer, later, overloaded, unavailable, unexpected};
pub(crate) use place::Place;
pub(crate) use room_table::{Delivery, Route};
