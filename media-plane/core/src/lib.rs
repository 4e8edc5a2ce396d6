//! The media engine, without I/O: datagrams, commands and the time go in; datagrams, replies and
//! events come out. It opens no socket, reads no clock, starts no task and draws all its
//! randomness from one seed, so a run is a function of its input.
//!
//! The contract of a turn, for whoever drives it:
//!
//! 1. one of [`Engine::handle_datagrams`], [`Engine::handle_command`], [`Engine::handle_timeout`];
//! 2. send everything in [`Engine::sends`], then clear it; the first of the three hands over what is
//!    more than one batch while it works;
//! 3. drain [`Engine::poll_notice`];
//! 4. call [`Engine::handle_timeout`] no later than [`Engine::poll_timeout`] says.
//!
//! A packet's walk is `packet_path`, its files in the order in which a packet meets them.
#![forbid(unsafe_code)]
// No clock, thread, socket or unseeded randomness: the lists are in clippy.toml.
#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod packet;
pub mod srtp;
pub mod transport;
pub mod send_batch;
mod allowance;
mod arena;
mod audio;
mod clock;
mod codec;
mod config;
mod engine;
mod feedback;
mod feedback_path;
mod output;
mod packet_path;
mod random;
mod room;
mod timers;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "steps")]
#[doc(hidden)]
pub use packet_path::steps;

pub use config::{Datagram, EngineConfig};
pub use engine::Engine;
pub use output::{Counters, Notice};
pub use room::reconnecting::Silence;
