//! A worker's UDP socket: bursts in by `recvmmsg` and GRO, whole batches out by `sendmmsg` and GSO.
//!
//! All unsafe code of the media node is in this folder.

mod lateness;
mod recv;
mod send;
mod socket;

pub use lateness::Lateness;
pub use recv::Receiver;
pub use send::{SendCounters, Sender};
pub use socket::{BUFFER_BYTES, BindError, RtcSocket};
