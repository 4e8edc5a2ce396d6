//! Sealing and opening the frames of one source.

use super::epoch::Epoch;
use super::format::{FrameCodec, SframeError, number_of, vector};
use super::key::{FrameKey, read_header, write_header};
use railgun_protocol::ids::SessionId;
use railgun_protocol::signal::Source;
use std::collections::HashMap;
use std::fmt;

/// Whose frames these are, and of what.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) session: String,
    pub(super) source: Source,
    pub(super) codec: FrameCodec,
}

impl Sender {
    /// The metadata of a frame with this clear part.
    fn metadata(&self, clear: &[u8]) -> Vec<u8> {
        let mut out = vec![1];
        vector(&mut out, &self.session);
        out.extend([number_of(self.source), self.codec.number()]);
        out.extend(clear);
        out
    }
}

/// Encrypts the frames of one source of this client.
pub struct FrameSealer {
    pub(super) sender: Sender,
    pub(super) key: FrameKey,
    pub(super) kid: u64,
    pub(super) counter: u64,
}

impl FrameSealer {
    pub fn new(epoch: &Epoch, session: SessionId, source: Source, codec: FrameCodec) -> Self {
        let salt = rand::random::<u64>() & 0xffff_ffff_ffff;
        let kid = u64::from(epoch.id()) << 48 | salt;
        let sender = Sender { session: session.to_string(), source, codec };
        let key = FrameKey::new(epoch.suite, &epoch.base_key(&sender.session, source), kid);
        Self { sender, key, kid, counter: 0 }
    }

    /// The frame as it goes to the packetiser.
    pub fn seal(&mut self, frame: &[u8]) -> Vec<u8> {
        let split = self.sender.codec.clear(frame).min(frame.len());
        let (clear, rest) = frame.split_at(split);
        let header = write_header(self.kid, self.counter);
        let aad = [&header[..], &self.sender.metadata(clear)].concat();
        // A frame is far below what AES-GCM takes.
        let sealed = self.key.seal(self.counter, &aad, rest).unwrap_or_default();
        self.counter += 1;
        [clear, &header, &sealed].concat()
    }
}

impl fmt::Debug for FrameSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameSealer").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// Decrypts the frames of one source of another client. It keeps no window of counters: who sends a frame twice is
/// for tests of that to notice.
pub struct FrameOpener {
    pub(super) sender: Sender,
    pub(super) epoch: Epoch,
    pub(super) keys: HashMap<u64, FrameKey>,
}

impl fmt::Debug for FrameOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameOpener").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// Keys that one opener derives: a sender has one an epoch, and another after each reload.
const KEYS_MAX: usize = 16;

impl FrameOpener {
    pub fn new(epoch: &Epoch, session: SessionId, source: Source, codec: FrameCodec) -> Self {
        let sender = Sender { session: session.to_string(), source, codec };
        Self { sender, epoch: epoch.clone(), keys: HashMap::new() }
    }

    /// The frame as its sender's encoder made it.
    pub fn open(&mut self, wire: &[u8]) -> Result<Vec<u8>, SframeError> {
        let split = self.sender.codec.clear(wire);
        let (clear, sframe) = wire.split_at_checked(split).ok_or(SframeError::Malformed)?;
        let (kid, counter, len) = read_header(sframe).ok_or(SframeError::Malformed)?;
        let (header, sealed) = sframe.split_at(len);
        if kid >> 48 != u64::from(self.epoch.id())
            || (!self.keys.contains_key(&kid) && self.keys.len() >= KEYS_MAX)
        {
            return Err(SframeError::Forged);
        }
        let Self { sender, epoch, keys } = self;
        let base_key = || epoch.base_key(&sender.session, sender.source);
        let key = keys.entry(kid).or_insert_with(|| FrameKey::new(epoch.suite, &base_key(), kid));
        let aad = [header, &sender.metadata(clear)].concat();
        let opened = key.open(counter, &aad, sealed).map(|rest| [clear, &rest].concat());
        if opened.is_none() {
            // A key that opened nothing is not kept for whoever made the KID up.
            keys.remove(&kid);
        }
        opened.ok_or(SframeError::Forged)
    }
}

/// Epoch id in the first byte of a frame's KID: `1 + (number - 1) mod 255`. `None`: the frame has no whole header.
pub(crate) fn epoch_id_of(codec: FrameCodec, wire: &[u8]) -> Option<u8> {
    let (kid, _, _) = read_header(wire.get(codec.clear(wire)..)?)?;
    u8::try_from(kid >> 48).ok()
}
