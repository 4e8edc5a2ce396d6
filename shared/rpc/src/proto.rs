//! Generated from `proto/media.proto`.
#![allow(
    clippy::all,
    clippy::cast_possible_truncation,
    clippy::or_fun_call,
    clippy::use_self,
    elided_lifetimes_in_paths,
    missing_debug_implementations,
    missing_docs,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code"
)]
tonic::include_proto!("railgun.media.v1");
