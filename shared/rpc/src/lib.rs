//! The media RPC over gRPC: total, checked conversions between the generated messages and the
//! types that both planes work with.
//!
//! Encoding cannot fail. Decoding refuses what it does not understand and never panics, whatever
//! the other side sent; the bounds inside RTP parameters are `ortc`'s to check.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod error;
pub mod heartbeat;
pub mod proto;
mod command;
mod event;
mod field;
mod reply;
mod shapes;
mod user_order;
mod variants;

pub use command::{decode_command, encode_command};
pub use error::WireError;
pub use event::encode_event;
pub use reply::encode_reply;
pub use user_order::{decode_replacement, decode_user_order, encode_replacement, encode_user_order};

use railgun_protocol::media_rpc::{Reply, RoomEvent, WorkerDied};
use railgun_protocol::signal::ErrorBody;

/// What a node says on its control stream.
#[derive(Clone, Debug, PartialEq)]
pub enum FromNode {
    /// The answer to a command that came on this stream.
    Reply {
        /// The command's number.
        request: u64,
        /// What was done, or why it was refused.
        reply: Result<Reply, ErrorBody>,
    },
    /// Something happened in a room; events of a room come in the order of their `room_seq`.
    Event(RoomEvent),
    /// A worker's thread ended, and its rooms with it.
    WorkerDied(WorkerDied),
}

/// Reads a frame of the node's stream.
pub fn decode_node_frame(frame: proto::NodeFrame) -> Result<FromNode, WireError> {
    match frame.frame.ok_or(WireError::Missing("frame"))? {
        proto::node_frame::Frame::Reply(reply) => {
            let (request, reply) = reply::decode_answer(reply)?;
            Ok(FromNode::Reply { request, reply })
        }
        proto::node_frame::Frame::Event(event) => Ok(FromNode::Event(event::decode_room_event(event)?)),
        proto::node_frame::Frame::WorkerDied(died) => {
            let proto::WorkerDied { worker, rooms, deaths } = died;
            Ok(FromNode::WorkerDied(WorkerDied { worker, rooms, deaths }))
        }
    }
}

/// What a node tells on every stream when a worker died.
pub fn encode_worker_died(died: WorkerDied) -> proto::NodeFrame {
    let WorkerDied { worker, rooms, deaths } = died;
    let died = proto::WorkerDied { worker, rooms, deaths };
    proto::NodeFrame { frame: Some(proto::node_frame::Frame::WorkerDied(died)) }
}
