//! What makes a client's UDP address trustworthy: ICE-lite, the DTLS handshake, the address proof.
//!
//! A datagram reaches DTLS only from a tuple that passed an ICE check, and SRTP keys exist only
//! after the peer's certificate matched the digest it signalled.

pub mod address_proof;
pub mod ice_lite;
pub mod dtls;
pub(crate) mod past_streams;
pub(crate) mod stream;
pub(crate) mod address_change;
pub(crate) mod webrtc_transport;
pub(crate) mod unproved_budget;
pub(crate) mod users;
pub(crate) mod table;
pub(crate) mod handshakes;
pub(crate) mod address_changes;
pub(crate) mod address_holds;
pub(crate) mod association;
