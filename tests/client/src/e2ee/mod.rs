//! Keys of a group (`docs/end-to-end-encryption.md`): who is in a channel that is encrypted end to end agrees on them with
//! the others by MLS. What MLS takes is in a process of its own (`tests/mls-peer`); here are the messages to and from the
//! server, the time, and which epoch frames are sealed and opened with.

mod group;
mod inbox;
mod key_ring;
mod members;
mod mls_peer;
mod profile;
mod sockets;
mod streams;

pub use members::GroupKeys;
pub use mls_peer::MlsPeer;
pub use profile::Profile;
pub use streams::{GroupOpener, GroupSealer};
