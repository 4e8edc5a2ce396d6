//! The control-plane: sockets, sessions and who may do what. It carries no media.
//!
//! A request walks `gateway` (read, checked) → `session` (whose it is, one at a time) → `policy`
//! (may this user) → `placement` (which node) → `media_client` (the node's ordered stream), and its
//! reply walks back through the session, which is the only one that writes to its socket.
#![forbid(unsafe_code)]

pub mod auth;
pub mod certs;
mod clock;
#[cfg(feature = "etcd")]
mod clock_watch;
pub mod config;
mod control;
mod dev_mode;
mod gateway;
mod http;
mod joins;
pub mod media_client;
mod metrics;
mod networks;
mod placement;
mod policy;
mod records;
mod session;
pub mod turn;
mod webhooks;

pub use config::Config;
pub use control::{Control, MediaNodes};
pub use dev_mode::{DevMode, DevModeError};
pub use http::{Scope as OperatorScope, entry as operator_token_entry};
pub use policy::join_history::JoinLimits;
