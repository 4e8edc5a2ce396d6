//! SRTP and SRTCP (RFC 3711, RFC 7714) keyed by DTLS (RFC 5764).
//!
//! A transport has one session each way. What a session must remember of a stream is owned by the
//! caller, so a source it does not know never makes state. Ciphers are aws-lc-rs's, and `railgun-gcm`'s where
//! a packet is sealed; keys are expanded once, and no packet allocates.

mod error;
mod cipher;
mod gcm_sealer;
pub mod hmac_sha1;
pub mod keys;
pub mod replay;
pub mod rollover;
pub mod inbound;
pub mod outbound;
pub mod control;

pub use control::{InboundControl, OutboundControl};
pub use error::SrtpError;
pub use inbound::{InboundSession, InboundStream};
pub use keys::{MasterKey, Suite};
pub use outbound::OutboundSession;

/// Most bytes a protected RTP packet has more than the plain one.
pub const MAX_RTP_OVERHEAD: usize = 16;
/// Most bytes a protected RTCP packet has more than the plain one: tag and index.
pub const MAX_RTCP_OVERHEAD: usize = 20;

#[cfg(test)]
mod vectors;
