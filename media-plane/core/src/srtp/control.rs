//! SRTCP both ways (RFC 3711 section 3.4, RFC 7714 section 9).
//!
//! GCM: header, ciphertext, tag, index word. Counter mode: header, ciphertext, index word, tag.

use std::fmt;

use aws_lc_rs::aead::Aad;

use super::cipher::{Algorithm, CounterMode, PacketCipher, Purpose, SHA1_80, nonce};
use super::error::SrtpError;
use super::keys::MasterKey;
use super::replay::ReplayWindow;
use crate::packet::u32_at;

/// Sender SSRCs of one peer whose replay windows are kept.
pub const MAX_SENDERS: usize = 16;

/// What stays plain: the first sub-packet's header and its sender's SSRC.
const HEADER: usize = 8;
const INDEX_WORD: usize = 4;
const GCM_TAG: usize = 16;
const ENCRYPTED: u32 = 1 << 31;
const MAX_INDEX: u32 = ENCRYPTED - 1;

/// The peer's SRTCP key, and which of its packets came.
pub struct InboundControl {
    pub(super) cipher: PacketCipher,
    /// The sender heard last is in front.
    pub(super) senders: Vec<(u32, ReplayWindow)>,
}

impl InboundControl {
    /// `master`: SRTP master key under which the peer sends.
    pub fn new(master: &MasterKey) -> Result<Self, SrtpError> {
        Ok(Self { cipher: PacketCipher::new(master, Purpose::Rtcp)?, senders: Vec::new() })
    }

    /// Authenticates and decrypts `packet` in place and returns the length of the plain compound
    /// packet. Only authentic packets change what is remembered.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let (word, body_end) = match self.cipher.algorithm {
            Algorithm::Gcm(_) => (tail(packet, INDEX_WORD)?, tail(packet, GCM_TAG + INDEX_WORD)?),
            Algorithm::Cm(_) => {
                let word = tail(packet, INDEX_WORD + SHA1_80)?;
                (word, word)
            }
        };
        if body_end < HEADER {
            return Err(SrtpError::TooShort);
        }
        let ssrc = u32_at(packet, 4).ok_or(SrtpError::TooShort)?;
        let index_word = u32_at(packet, word).ok_or(SrtpError::TooShort)?;
        if index_word & ENCRYPTED == 0 {
            return Err(SrtpError::NotEncrypted);
        }
        let index = u64::from(index_word & MAX_INDEX);
        let sender = self.senders.iter().position(|sender| sender.0 == ssrc);
        if let Some((_, window)) = sender.and_then(|sender| self.senders.get(sender)) {
            window.check(index)?;
        }
        let iv = self.cipher.iv(ssrc, index);
        match &self.cipher.algorithm {
            Algorithm::Gcm(key) => {
                let (header, body) = packet.split_at_mut_checked(HEADER).ok_or(SrtpError::TooShort)?;
                let aad = Aad::from(associated_data(header, index_word).ok_or(SrtpError::TooShort)?);
                let (body, rest) = body.split_at_mut_checked(body_end - HEADER).ok_or(SrtpError::TooShort)?;
                let tag = rest.get(..GCM_TAG).ok_or(SrtpError::TooShort)?;
                key.open_in_place_separate_tag(nonce(iv), aad, tag, body)
                    .map_err(|_| SrtpError::NotAuthentic)?;
            }
            Algorithm::Cm(key) => open_counter_mode(key, iv, packet, body_end)?,
        }
        self.commit(sender, ssrc, index);
        Ok(body_end)
    }

    /// A sender beyond the cap takes the place of the one not heard for longest. Replayed reports of
    /// that one could then be taken once more, which is harmless; refusing the new sender is not.
    fn commit(&mut self, sender: Option<usize>, ssrc: u32, index: u64) {
        match sender.and_then(|sender| self.senders.get_mut(..=sender)) {
            Some(up_to_it) => up_to_it.rotate_right(1),
            None => {
                self.senders.truncate(MAX_SENDERS - 1);
                self.senders.insert(0, (ssrc, ReplayWindow::default()));
            }
        }
        if let Some((_, window)) = self.senders.first_mut() {
            window.commit(index);
        }
    }
}

fn open_counter_mode(
    key: &CounterMode,
    iv: u128,
    packet: &mut [u8],
    body_end: usize,
) -> Result<(), SrtpError> {
    let (message, tag) = packet.split_at_mut_checked(body_end + INDEX_WORD).ok_or(SrtpError::TooShort)?;
    key.verify(message, &[], tag)?;
    key.apply(iv, message.get_mut(HEADER..body_end).unwrap_or_default())
}

/// Where the last `len` bytes start.
fn tail(packet: &[u8], len: usize) -> Result<usize, SrtpError> {
    packet.len().checked_sub(len).ok_or(SrtpError::TooShort)
}

/// RFC 7714 section 9.2: the header, then the index word.
fn associated_data(header: &[u8], index_word: u32) -> Option<[u8; HEADER + INDEX_WORD]> {
    let mut data = [0; HEADER + INDEX_WORD];
    *data.first_chunk_mut::<HEADER>()? = *header.first_chunk()?;
    *data.last_chunk_mut()? = index_word.to_be_bytes();
    Some(data)
}

/// Our SRTCP key towards one peer. One index counts for all our sender SSRCs, so it never repeats.
pub struct OutboundControl {
    pub(super) cipher: PacketCipher,
    pub(super) next_index: u32,
}

impl OutboundControl {
    /// `master`: the key we write with.
    pub fn new(master: &MasterKey) -> Result<Self, SrtpError> {
        Ok(Self { cipher: PacketCipher::new(master, Purpose::Rtcp)?, next_index: 0 })
    }

    /// Bytes by which a sealed packet is longer than the plain one.
    pub fn overhead(&self) -> usize {
        self.cipher.suite.tag_len() + INDEX_WORD
    }

    /// Seals the compound packet in the first `len` bytes of `buffer` in place and returns the sealed
    /// length; the buffer needs [`Self::overhead`] bytes more.
    pub fn seal_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        if self.next_index > MAX_INDEX {
            return Err(SrtpError::IndexExhausted);
        }
        let sealed_len = len.checked_add(self.overhead()).ok_or(SrtpError::NoRoom)?;
        let packet = buffer.get_mut(..sealed_len).ok_or(SrtpError::NoRoom)?;
        if len < HEADER {
            return Err(SrtpError::TooShort);
        }
        let ssrc = u32_at(packet, 4).ok_or(SrtpError::TooShort)?;
        let index_word = self.next_index | ENCRYPTED;
        let iv = self.cipher.iv(ssrc, u64::from(self.next_index));
        let (message, rest) = packet.split_at_mut_checked(len).ok_or(SrtpError::NoRoom)?;
        match &self.cipher.algorithm {
            Algorithm::Gcm(key) => {
                let (header, body) = message.split_at_mut_checked(HEADER).ok_or(SrtpError::TooShort)?;
                let aad = Aad::from(associated_data(header, index_word).ok_or(SrtpError::TooShort)?);
                let tag =
                    key.seal_in_place_separate_tag(nonce(iv), aad, body).map_err(|_| SrtpError::NotSealed)?;
                let (tag_place, word) = rest.split_at_mut_checked(GCM_TAG).ok_or(SrtpError::NoRoom)?;
                tag_place.copy_from_slice(tag.as_ref());
                word.copy_from_slice(&index_word.to_be_bytes());
            }
            Algorithm::Cm(key) => {
                key.apply(iv, message.get_mut(HEADER..).unwrap_or_default())?;
                let (word, tag) = rest.split_at_mut_checked(INDEX_WORD).ok_or(SrtpError::NoRoom)?;
                word.copy_from_slice(&index_word.to_be_bytes());
                tag.copy_from_slice(&key.tag(message, word));
            }
        }
        self.next_index += 1;
        Ok(sealed_len)
    }
}

impl fmt::Debug for InboundControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundControl").field("suite", &self.cipher.suite).finish_non_exhaustive()
    }
}

impl fmt::Debug for OutboundControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundControl").field("suite", &self.cipher.suite).finish_non_exhaustive()
    }
}
