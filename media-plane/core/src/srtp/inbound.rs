//! Opening SRTP packets.

use std::fmt;

use aws_lc_rs::aead::Aad;

use super::cipher::{Algorithm, PacketCipher, Purpose, nonce, rollover_bytes};
use super::error::SrtpError;
use super::keys::{MasterKey, Suite};
use super::replay::ReplayWindow;
use super::rollover;
use crate::packet::rtp::RtpHeader;

/// What is remembered of one inbound stream: which of its packets came, and so its roll-over count.
/// Start a new one for each SSRC that is let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboundStream {
    replay: ReplayWindow,
}

impl InboundStream {
    /// State of a stream that was let go and comes again: nothing up to this index is taken.
    pub(crate) fn after(highest: u64) -> Self {
        Self { replay: ReplayWindow::after(highest) }
    }

    /// The highest authentic packet index: roll-over counter and sequence number.
    pub fn highest_index(&self) -> Option<u64> {
        self.replay.highest()
    }

    /// The index of a packet that came by another way, in a retransmission, which proved authentic
    /// itself: none if it is here already or too old. It counts as received from now on.
    pub(crate) fn restore(&mut self, sequence: u16) -> Option<u64> {
        let highest = self.replay.highest()?;
        // What was lost lies behind what came since. Anything ahead would move the window, and leave
        // receivers with a gap that their roll-over counters do not follow.
        let index = rollover::estimate(Some(highest), sequence).filter(|index| *index < highest)?;
        self.replay.check(index).ok()?;
        self.replay.commit(index);
        Some(index)
    }
}

/// The peer's SRTP key, ready for use.
pub struct InboundSession {
    pub(super) cipher: PacketCipher,
}

impl InboundSession {
    /// `master`: the key the peer writes with.
    pub fn new(master: &MasterKey) -> Result<Self, SrtpError> {
        Ok(Self { cipher: PacketCipher::new(master, Purpose::Rtp)? })
    }

    /// What the handshake chose.
    pub fn suite(&self) -> Suite {
        self.cipher.suite
    }

    /// Authenticates and decrypts `packet` in place and returns its length without the tag.
    /// `header`: parsed from it; `stream`: that of its SSRC, changed only by an authentic packet.
    /// After an error the packet's payload is of no use.
    #[inline]
    pub fn open_rtp(
        &self,
        stream: &mut InboundStream,
        header: &RtpHeader,
        packet: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let end = packet.len().checked_sub(self.cipher.suite.tag_len()).ok_or(SrtpError::TooShort)?;
        let (message, tag) = packet.split_at_mut_checked(end).ok_or(SrtpError::TooShort)?;
        let index =
            rollover::estimate(stream.replay.highest(), header.sequence).ok_or(SrtpError::IndexExhausted)?;
        stream.replay.check(index)?;
        let iv = self.cipher.iv(header.ssrc, index);
        match &self.cipher.algorithm {
            Algorithm::Gcm(key) => {
                let (header, body) =
                    message.split_at_mut_checked(header.header_len).ok_or(SrtpError::TooShort)?;
                key.open_in_place_separate_tag(nonce(iv), Aad::from(header), tag, body)
                    .map_err(|_| SrtpError::NotAuthentic)?;
            }
            Algorithm::Cm(key) => {
                let body_at = header.header_len;
                if body_at > message.len() {
                    return Err(SrtpError::TooShort);
                }
                key.verify(message, &rollover_bytes(index), tag)?;
                key.apply(iv, message.get_mut(body_at..).unwrap_or_default())?;
            }
        }
        stream.replay.commit(index);
        Ok(end)
    }
}

impl fmt::Debug for InboundSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundSession").field("suite", &self.cipher.suite).finish_non_exhaustive()
    }
}
