//! etcd's messages and services, generated.
#![allow(
    clippy::all,
    missing_debug_implementations,
    unreachable_pub,
    unnameable_types,
    unused_qualifications,
    reason = "generated"
)]

tonic::include_proto!("etcdserverpb");
