//! Sealing SRTP packets.

use std::fmt;

use super::cipher::{Algorithm, PacketCipher, Purpose, nonce_bytes, rollover_bytes};
use super::error::SrtpError;
use super::gcm_sealer::GcmSealer;
use super::keys::{MasterKey, Suite};
use super::rollover::MAX_INDEX;

/// Our SRTP key towards one peer, ready for use.
pub struct OutboundSession {
    pub(super) cipher: PacketCipher<GcmSealer>,
}

impl OutboundSession {
    /// `master`: the key we write with.
    pub fn new(master: &MasterKey) -> Result<Self, SrtpError> {
        Ok(Self { cipher: PacketCipher::new(master, Purpose::Rtp)? })
    }

    /// What the handshake chose.
    pub fn suite(&self) -> Suite {
        self.cipher.suite
    }

    /// Bytes by which a sealed packet is longer than the plain one.
    pub fn overhead(&self) -> usize {
        self.cipher.suite.tag_len()
    }

    /// Seals `payload` into `out` behind the header already written at its start, and returns the
    /// packet's length.
    ///
    /// `index`: roll-over counter and sequence number of the stream `ssrc`, as the caller counts
    /// them; the pair must never repeat under this key.
    #[inline]
    pub fn seal_rtp(
        &self,
        index: u64,
        ssrc: u32,
        header_len: usize,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SrtpError> {
        if index > MAX_INDEX {
            return Err(SrtpError::IndexExhausted);
        }
        let (header, rest) = out.split_at_mut_checked(header_len).ok_or(SrtpError::NoRoom)?;
        let (body, rest) = rest.split_at_mut_checked(payload.len()).ok_or(SrtpError::NoRoom)?;
        let tag = rest.get_mut(..self.overhead()).ok_or(SrtpError::NoRoom)?;
        let iv = self.cipher.iv(ssrc, index);
        let end = header_len + payload.len();
        match &self.cipher.algorithm {
            Algorithm::Gcm(key) => key.seal(nonce_bytes(iv), header, payload, body, tag)?,
            Algorithm::Cm(key) => {
                body.copy_from_slice(payload);
                key.apply(iv, body)?;
                let (message, rest) = out.split_at_mut_checked(end).ok_or(SrtpError::NoRoom)?;
                let tag = key.tag(message, &rollover_bytes(index));
                *rest.first_chunk_mut().ok_or(SrtpError::NoRoom)? = tag;
            }
        }
        Ok(end + self.overhead())
    }
}

impl fmt::Debug for OutboundSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundSession").field("suite", &self.cipher.suite).finish_non_exhaustive()
    }
}
