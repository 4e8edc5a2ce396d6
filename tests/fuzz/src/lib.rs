//! What each fuzz target asserts of an input. The programs in `fuzz_targets/` are one line each, so that
//! `tests/corpus` and a debugger run the same functions without a fuzzer.
#![forbid(unsafe_code)]
#![cfg(feature = "targets")]

mod checks;
pub mod codec;
mod congestion_feedback;
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

/// What a target does with an input; it panics if a property does not hold.
pub type Check = fn(&[u8]);

/// Each target by the name of its program in `fuzz_targets/`.
pub const TARGETS: &[(&str, Check)] = &[
    ("stun_parse", stun::parse),
    ("stun_integrity", stun::integrity),
    ("dtls_records", dtls::records),
    ("dtls_fragments", dtls_fragments::sequence),
    ("rtp_parse", rtp::parse),
    ("rtp_rewrite", rtp::rewrite),
    ("rtcp_compound", rtcp::compound),
    ("transport_cc", transport_cc::feedback),
    ("retransmission", retransmission::operations),
    ("srtp_unprotect", srtp::unprotect),
    ("payload_descriptors", codec::payload_descriptors),
    ("dependency_descriptor", codec::dependency_descriptor),
    ("client_event", contract::client_event),
    ("media_rpc", contract::media_rpc),
    ("rtp_parameters", ortc::rtp_parameters),
    ("room", room::operations),
    ("node", node::sequence),
];
