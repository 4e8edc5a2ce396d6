//! A model of etcd: one linearizable store with revisions, transactions, leases and watches, behind etcd's own gRPC
//! API. The planes' client, retries and watches are the shipped ones.

mod proto;
mod serve;
mod store;

pub(crate) use serve::{PORT, serve};
pub(crate) use store::{Etcd, Faults};
