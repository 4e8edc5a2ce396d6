//! The media node: sockets, worker threads and the control link around the sans-IO core.
//!
//! A packet's walk starts and ends in `worker`: received by `udp::recv`, through the engine, sent by
//! `udp::send`. A command's walk is `rpc`.

mod check;
mod clock;
#[cfg(feature = "etcd")]
mod cluster;
pub mod config;
mod worker_pool;
// Alone, a node has nothing to ask for.
#[cfg_attr(not(feature = "etcd"), allow(dead_code))]
mod fence;
pub mod worker_host;
mod health;
mod metrics;
mod node;
#[cfg_attr(not(feature = "etcd"), allow(dead_code, unused_imports))]
mod rpc;
mod sleep;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
pub mod tls;
pub mod udp;
mod packet_io;
pub mod worker;

pub use check::{Links, check};
pub use config::Config;
pub use node::Node;
pub use rpc::control_links;
