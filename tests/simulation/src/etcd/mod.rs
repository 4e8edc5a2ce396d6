//! A model of etcd: one linearizable store with revisions, transactions, leases and watches, behind etcd's own gRPC
//! API. The planes' client, retries and watches are the shipped ones.

mod serve;
mod store;

pub(crate) use serve::serve;
pub(crate) use store::{Etcd, Faults};

/// Where it listens.
pub(crate) const PORT: u16 = 2379;

#[allow(
    clippy::all,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    reason = "generated"
)]
pub(crate) mod proto {
    tonic::include_proto!("etcdserverpb");
}
