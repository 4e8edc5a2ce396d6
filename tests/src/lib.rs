//! What end-to-end tests need: the real binaries as processes of a test's own, clients with tokens
//! for them, and media that says who sent it.
//!
//! A test runs the binaries that `cargo build` left beside it; it builds nothing itself. Every
//! system gets free ports, a temporary directory and tokens of its own, and takes down with it only
//! what it started.
#![forbid(unsafe_code)]

mod cluster;
mod cut;
mod http;
mod link;
mod media;
mod process;
mod readme;
pub mod relay;
mod system;
mod turn_client;

pub use cluster::{Cluster, ClusterOptions};
pub use link::Link;
pub use media::{opus_payload, send_parameters, vp8_payload};
pub use process::{Daemon, Directory, MediaNode, bench, mls_peer, said_by};
pub use readme::Followed;
pub use system::{DEV_SECRET, FREE_CHANNEL, Member, System};
pub use turn_client::{Refused, TurnClient};

use std::time::Duration;

/// The contract's deadline for others to see a change.
pub const SEEN_WITHIN: Duration = Duration::from_secs(2);

/// Waits for something that must happen in time.
///
/// # Panics
/// If it does not.
pub async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {limit:?}"),
    }
}
