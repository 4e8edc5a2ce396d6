//! The control-plane: sockets, sessions and who may do what. It carries no media.
//!
//! A request walks `gateway` (the socket, its intake, and the session's loop, which takes one request at
//! a time) → `requests` (one file an event: what is checked, and what is asked of whom) → `session` (what
//! the session owns, its seat, and `ask`) → `media_client` (the node's ordered stream). Its reply comes
//! back to the session, which is the only one that writes to its socket. Below them, and asked by
//! `requests`: `policy` (may this user), `placement` (which node), `services`, `registry`, `records`.
#![forbid(unsafe_code)]

pub mod auth;
pub mod certs;
mod check;
mod clock;
#[cfg(feature = "etcd")]
mod clock_watch;
pub mod commands;
pub mod config;
mod control;
mod dev_mode;
mod ending;
mod gateway;
mod http;
mod joins;
mod lines;
pub mod media_client;
mod metrics;
mod networks;
mod placement;
mod policy;
mod records;
mod refusal;
mod registry;
mod requests;
mod resume_token;
mod rings;
mod services;
mod session;
mod timelines;
pub mod turn;
mod watches;
mod webhooks;

pub use check::{Links, check};
pub use config::Config;
pub use control::{Control, MediaNodes};
pub use dev_mode::{DevMode, DevModeError};
pub use http::{Scope as OperatorScope, entry as operator_token_entry};
pub use policy::avatars::AvatarHosts;
pub use policy::join_history::JoinLimits;
#[cfg(feature = "testing")]
pub use timelines::CallRecord;
pub use timelines::{Keeper, TimelineHost, TimelineThreads};
