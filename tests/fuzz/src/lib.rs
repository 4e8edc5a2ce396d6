//! What each fuzz target asserts of an input. The targets themselves are one line each, so that a
//! seed or a found input can be run without a fuzzer too.
#![forbid(unsafe_code)]

mod checks;
pub mod codec;
pub mod contract;
pub mod dtls;
pub mod dtls_fragments;
mod engine;
mod input;
mod keys;
pub mod node;
pub mod ortc;
pub mod retransmission;
pub mod room;
pub mod rtcp;
pub mod rtp;
pub mod srtp;
pub mod stun;
pub mod transport_cc;
