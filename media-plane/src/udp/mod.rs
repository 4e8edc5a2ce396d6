//! A worker's UDP socket: bursts in by `recvmmsg` and GRO, whole batches out by `sendmmsg` and GSO.
//!
//! All unsafe code of the media node is in this folder.

mod recv;
mod send;
mod socket;

pub(crate) use recv::Receiver;
pub(crate) use send::{SendCounters, Sender};
pub(crate) use socket::RtcSocket;
