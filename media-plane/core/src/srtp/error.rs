//! What can be wrong with a packet or its keys.

use thiserror::Error;

/// Why a packet was not protected or not taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each message says what was wrong")]
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
