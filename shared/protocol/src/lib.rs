//! The contract: what the planes say to each other and to the client, and the pure policy both use.
//!
//! Nothing here opens a socket, reads a clock or draws a random number. The control-plane and the
//! media-plane depend on this crate and never on each other.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod host;
pub mod ids;
pub mod limits;
pub mod plan;
pub mod rtp_parameters;
pub mod transport_parameters;
pub mod ortc;
pub mod signal;
pub mod media_rpc;
pub mod directory;
#[cfg(test)]
mod typescript;
