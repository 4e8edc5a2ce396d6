//! SRTP and SRTCP (RFC 3711, RFC 7714) keyed by DTLS (RFC 5764).
//!
//! A transport has one session each way. What a session must remember of a stream is owned by the
//! caller, so a source it does not know never makes state. Ciphers are aws-lc-rs's, keys
//! expanded once; no packet allocates.

mod cipher;
pub mod hmac_sha1;
pub mod keys;
pub mod replay;
pub mod rollover;
pub mod inbound;
pub mod outbound;
pub mod control;

use thiserror::Error;

pub use control::{InboundControl, OutboundControl};
pub use inbound::{InboundSession, InboundStream};
pub use keys::{MasterKey, Suite};
pub use outbound::OutboundSession;

/// Most bytes a protected RTP packet has more than the plain one.
pub const MAX_RTP_OVERHEAD: usize = 16;
/// Most bytes a protected RTCP packet has more than the plain one: tag and index.
pub const MAX_RTCP_OVERHEAD: usize = 20;

/// Why a packet was not protected or not taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SrtpError {
    #[error("keying material has not the suite's length")]
    KeyingMaterialLength,
    #[error("key refused by the cryptographic library")]
    BadKey,
    #[error("shorter than header and authentication tag")]
    TooShort,
    #[error("received before")]
    Replayed,
    #[error("older than the replay window")]
    TooOld,
    #[error("wrong authentication tag")]
    NotAuthentic,
    /// WebRTC peers encrypt all RTCP (RFC 8827 section 6.5).
    #[error("RTCP without encryption")]
    NotEncrypted,
    #[error("no room in the buffer")]
    NoRoom,
    /// RFC 3711 section 9.2: 2^48 RTP or 2^31 RTCP packets.
    #[error("key used up")]
    IndexExhausted,
    #[error("encryption failed")]
    NotSealed,
}

#[cfg(test)]
mod vectors;
