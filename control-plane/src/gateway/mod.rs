//! Sockets: how they are opened and admitted, what they send, and the loop that serves each.

mod actor;
mod anonymous;
mod connect;
pub(crate) mod engine_io;
mod intake;
mod socket_io;
mod websocket;

pub(crate) use socket_io::socket_io;
