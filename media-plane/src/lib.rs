//! The media node: sockets, worker threads and the control link around the sans-IO core.
//!
//! A packet's walk starts and ends in `worker`: received by `udp::recv`, through the engine, sent by
//! `udp::send`. A command's walk is `rpc`.

pub mod config;
mod health;
mod metrics;
mod node;
mod rpc;
pub mod tls;
pub mod udp;
pub mod worker;

pub use config::Config;
pub use node::Node;
