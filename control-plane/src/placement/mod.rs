//! Which node serves which channel, and which incarnation of its room that is: one node and one
//! incarnation, or whatever etcd says.

mod backend;
#[cfg(feature = "etcd")]
mod cluster;
#[cfg(feature = "etcd")]
mod follow;
mod fleet;
mod found;
mod overview;
#[cfg(feature = "etcd")]
mod state;

pub(crate) use backend::{Changes, Placement};
#[cfg(feature = "etcd")]
pub(crate) use cluster::Cluster;
pub(crate) use found::Found;
pub(crate) use overview::{NodeView, OverviewError};
