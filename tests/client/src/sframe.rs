//! Frames that are encrypted end to end: SFrame (RFC 9605) with the keys that clients derive from an epoch's secret
//! (`docs/end-to-end-encryption.md`). Of the codecs those that this client sends: Opus and VP8.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use railgun_protocol::ids::SessionId;
use railgun_protocol::signal::Source;
use sha2::{Digest, Sha256, Sha512};
use std::collections::HashMap;
use std::fmt;

/// Bytes that encryption adds to a frame at most: header with a counter of five bytes, tag.
pub const OVERHEAD_MAX: usize = 1 + KID_LEN + 5 + TAG_LEN;
const TAG_LEN: usize = 16;
/// An epoch's id and 48 random bits.
const KID_LEN: usize = 7;
const SALT_LEN: usize = 12;
const INVITE_PREFIX: &str = "rgi1.";

/// Of the invite and the frames: RFC 9605, section 8.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    Aes128GcmSha256,
    Aes256GcmSha512,
}

/// What cannot be opened, or is no invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SframeError {
    #[error("no invite, or of another version")]
    Invite,
    #[error("an invite to another channel")]
    OtherChannel,
    #[error("a suite that is not known")]
    Suite,
    #[error("no frame of this format")]
    Malformed,
    #[error("not authentic, or of another sender, source, codec or epoch")]
    Forged,
}

/// How a frame's clear part is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameCodec {
    Opus,
    Vp8,
}

impl Suite {
    fn from_number(number: u16) -> Result<Self, SframeError> {
        match number {
            4 => Ok(Self::Aes128GcmSha256),
            5 => Ok(Self::Aes256GcmSha512),
            _ => Err(SframeError::Suite),
        }
    }

    fn number(self) -> u16 {
        match self {
            Self::Aes128GcmSha256 => 4,
            Self::Aes256GcmSha512 => 5,
        }
    }

    /// HKDF (RFC 5869) without a salt.
    fn derive<const N: usize>(self, ikm: &[u8], info: &[u8]) -> [u8; N] {
        let mut out = [0; N];
        let done = match self {
            Self::Aes128GcmSha256 => Hkdf::<Sha256>::new(None, ikm).expand(info, &mut out),
            Self::Aes256GcmSha512 => Hkdf::<Sha512>::new(None, ikm).expand(info, &mut out),
        };
        // 255 hashes are many more bytes than any key has.
        done.map(|()| out).unwrap_or([0; N])
    }
}

impl FrameCodec {
    fn number(self) -> u8 {
        match self {
            Self::Opus => 1,
            Self::Vp8 => 2,
        }
    }

    /// Bytes at the front that packetisers and depacketisers read.
    fn clear(self, frame: &[u8]) -> usize {
        match (self, frame.first()) {
            (Self::Vp8, Some(first)) if first & 1 == 0 => 10,
            (Self::Vp8, Some(_)) => 3,
            _ => 0,
        }
    }
}

/// What everybody in the call has.
#[derive(Clone)]
pub struct Epoch {
    suite: Suite,
    number: u32,
    channel: String,
    secret: [u8; 32],
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoch").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Epoch {
    /// Reads an invite to this channel.
    pub fn from_invite(invite: &str, channel: &str) -> Result<Self, SframeError> {
        let text = invite.strip_prefix(INVITE_PREFIX).ok_or(SframeError::Invite)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| SframeError::Invite)?;
        let bytes: [u8; 56] = bytes.try_into().map_err(|_| SframeError::Invite)?;
        let [1, _, high, low, rest @ ..] = bytes else { return Err(SframeError::Invite) };
        let (number, rest) = rest.split_at(4);
        let (of_channel, secret) = rest.split_at(16);
        if Sha256::digest(channel.as_bytes()).get(..16) != Some(of_channel) {
            return Err(SframeError::OtherChannel);
        }
        Ok(Self {
            suite: Suite::from_number(u16::from_be_bytes([high, low]))?,
            number: u32::from_be_bytes(number.try_into().map_err(|_| SframeError::Invite)?),
            channel: channel.into(),
            secret: secret.try_into().map_err(|_| SframeError::Invite)?,
        })
    }

    /// An invite to an epoch of this secret, with the suite that everybody has.
    pub fn invite(number: u32, channel: &str, secret: [u8; 32]) -> String {
        let mut bytes = vec![1, 0, 0, 4];
        bytes.extend(number.to_be_bytes());
        bytes.extend(Sha256::digest(channel.as_bytes()).iter().take(16));
        bytes.extend(secret);
        format!("{INVITE_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    fn base_key(&self, session: &str, source: Source) -> [u8; 32] {
        let mut info = b"railgun e2ee 1 sender".to_vec();
        info.extend(self.number.to_be_bytes());
        vector(&mut info, &self.channel);
        vector(&mut info, session);
        info.push(number_of(source));
        self.suite.derive(&self.secret, &info)
    }

    /// `1 + (epoch - 1) mod 255`.
    fn id(&self) -> u8 {
        u8::try_from(1 + self.number.wrapping_sub(1) % 255).unwrap_or(1)
    }
}

fn number_of(source: Source) -> u8 {
    match source {
        Source::Mic => 1,
        Source::Camera => 2,
        Source::Screen => 3,
        Source::ScreenAudio => 4,
    }
}

fn vector(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(text.as_bytes());
}

/// One key of SFrame.
struct FrameKey {
    key: Vec<u8>,
    salt: [u8; SALT_LEN],
    suite: Suite,
}

impl FrameKey {
    /// RFC 9605, section 4.4.2.
    fn new(suite: Suite, base_key: &[u8], kid: u64) -> Self {
        let label = |text: &[u8]| [text, &kid.to_be_bytes(), &suite.number().to_be_bytes()].concat();
        let (of_key, of_salt) = (label(b"SFrame 1.0 Secret key "), label(b"SFrame 1.0 Secret salt "));
        let key = match suite {
            Suite::Aes128GcmSha256 => suite.derive::<16>(base_key, &of_key).to_vec(),
            Suite::Aes256GcmSha512 => suite.derive::<32>(base_key, &of_key).to_vec(),
        };
        Self { key, salt: suite.derive(base_key, &of_salt), suite }
    }

    fn nonce(&self, counter: u64) -> [u8; SALT_LEN] {
        let mut nonce = self.salt;
        let counter = counter.to_be_bytes();
        nonce.iter_mut().rev().zip(counter.iter().rev()).for_each(|(byte, of)| *byte ^= of);
        nonce
    }

    fn seal(&self, counter: u64, aad: &[u8], msg: &[u8]) -> Option<Vec<u8>> {
        let (nonce, payload) = (self.nonce(counter), Payload { msg, aad });
        let nonce = Nonce::from_slice(&nonce);
        match self.suite {
            Suite::Aes128GcmSha256 => Aes128Gcm::new_from_slice(&self.key).ok()?.encrypt(nonce, payload).ok(),
            Suite::Aes256GcmSha512 => Aes256Gcm::new_from_slice(&self.key).ok()?.encrypt(nonce, payload).ok(),
        }
    }

    fn open(&self, counter: u64, aad: &[u8], msg: &[u8]) -> Option<Vec<u8>> {
        let (nonce, payload) = (self.nonce(counter), Payload { msg, aad });
        let nonce = Nonce::from_slice(&nonce);
        match self.suite {
            Suite::Aes128GcmSha256 => Aes128Gcm::new_from_slice(&self.key).ok()?.decrypt(nonce, payload).ok(),
            Suite::Aes256GcmSha512 => Aes256Gcm::new_from_slice(&self.key).ok()?.decrypt(nonce, payload).ok(),
        }
    }
}

/// RFC 9605, section 4.3.
fn write_header(kid: u64, counter: u64) -> Vec<u8> {
    let (mut head, mut rest) = (0, Vec::new());
    for (value, shift) in [(kid, 4), (counter, 0)] {
        let bytes = value.to_be_bytes();
        let used = bytes.get((value.leading_zeros() as usize / 8).min(7)..).unwrap_or_default();
        if value < 8 {
            head |= u8::try_from(value).unwrap_or_default() << shift;
        } else {
            head |= (0x08 | u8::try_from(used.len() - 1).unwrap_or_default()) << shift;
            rest.extend(used);
        }
    }
    std::iter::once(head).chain(rest).collect()
}

/// KID, counter, and how long the header is.
fn read_header(bytes: &[u8]) -> Option<(u64, u64, usize)> {
    let head = *bytes.first()?;
    let mut at = 1;
    let mut read = |field: u8| {
        if field & 0x08 == 0 {
            return Some(u64::from(field));
        }
        let len = usize::from(field & 0x07) + 1;
        let value = bytes.get(at..at + len)?;
        at += len;
        Some(value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let (kid, counter) = (read(head >> 4)?, read(head & 0x0f)?);
    Some((kid, counter, at))
}

/// Whose frames these are, and of what.
#[derive(Clone, Debug)]
struct Sender {
    session: String,
    source: Source,
    codec: FrameCodec,
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
    sender: Sender,
    key: FrameKey,
    kid: u64,
    counter: u64,
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
    sender: Sender,
    epoch: Epoch,
    keys: HashMap<u64, FrameKey>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn read(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    fn hex(value: &Value) -> Vec<u8> {
        let text = value.as_str().unwrap();
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    fn number(value: &Value) -> u64 {
        u64::from_str_radix(value.as_str().unwrap(), 16).unwrap()
    }

    #[test]
    fn the_vectors_of_rfc_9605_are_met() {
        let vectors = read(include_str!("../../../shared/fixtures/e2ee/rfc9605.json"));
        for vector in vectors["header"].as_array().unwrap() {
            let (kid, counter, encoded) =
                (number(&vector["kid"]), number(&vector["ctr"]), hex(&vector["encoded"]));
            assert_eq!(write_header(kid, counter), encoded);
            assert_eq!(read_header(&encoded), Some((kid, counter, encoded.len())));
        }
        for vector in vectors["sframe"].as_array().unwrap() {
            let suite =
                Suite::from_number(vector["cipher_suite"].as_u64().unwrap().try_into().unwrap()).unwrap();
            let (kid, counter) = (vector["kid"].as_u64().unwrap(), vector["ctr"].as_u64().unwrap());
            let key = FrameKey::new(suite, &hex(&vector["base_key"]), kid);
            assert_eq!(
                (key.key.clone(), key.salt.to_vec()),
                (hex(&vector["sframe_key"]), hex(&vector["sframe_salt"]))
            );
            assert_eq!(key.nonce(counter).to_vec(), hex(&vector["nonce"]));
            let header = write_header(kid, counter);
            let aad = [header.clone(), hex(&vector["metadata"])].concat();
            assert_eq!(aad, hex(&vector["aad"]));
            let sealed = key.seal(counter, &aad, &hex(&vector["pt"])).unwrap();
            assert_eq!([header, sealed.clone()].concat(), hex(&vector["ct"]));
            assert_eq!(key.open(counter, &aad, &sealed), Some(hex(&vector["pt"])));
        }
    }

    /// Of every codec the key schedule and the sealed part; of Opus and VP8 the whole frame.
    #[test]
    fn the_frames_of_the_sdk_are_opened_and_made_alike() {
        let vectors = read(include_str!("../../../shared/fixtures/e2ee/frames.json"));
        let mut whole = 0;
        for vector in vectors.as_array().unwrap() {
            let name = vector["name"].as_str().unwrap();
            let epoch = Epoch {
                suite: Suite::from_number(vector["suite"].as_u64().unwrap().try_into().unwrap()).unwrap(),
                number: vector["epoch"].as_u64().unwrap().try_into().unwrap(),
                channel: vector["channelId"].as_str().unwrap().into(),
                secret: hex(&vector["epochSecret"]).try_into().unwrap(),
            };
            let source: Source = serde_json::from_value(vector["source"].clone()).unwrap();
            let session = vector["sessionId"].as_str().unwrap();
            let base_key = epoch.base_key(session, source);
            assert_eq!(base_key.to_vec(), hex(&vector["baseKey"]), "{name}");
            let (kid, counter) = (number(&vector["kid"]), vector["ctr"].as_u64().unwrap());
            assert_eq!(kid >> 48, u64::from(epoch.id()), "{name}");
            let key = FrameKey::new(epoch.suite, &base_key, kid);
            assert_eq!(
                (key.key.clone(), key.salt.to_vec()),
                (hex(&vector["key"]), hex(&vector["salt"])),
                "{name}"
            );
            let aad = [write_header(kid, counter), hex(&vector["metadata"])].concat();
            let (_, _, len) = read_header(&hex(&vector["sframe"])).unwrap();
            let sealed = &hex(&vector["sframe"])[len..];
            let plain = key.open(counter, &aad, sealed).unwrap();

            let codec = match vector["codec"].as_str().unwrap() {
                "opus" => FrameCodec::Opus,
                "vp8" => FrameCodec::Vp8,
                _ => continue,
            };
            let plain = [hex(&vector["clear"]), plain].concat();
            assert_eq!(plain, hex(&vector["plain"]), "{name}");
            let sender = Sender { session: session.into(), source, codec };
            let mut sealer = FrameSealer { sender: sender.clone(), key, kid, counter };
            assert_eq!(sealer.seal(&plain), hex(&vector["wire"]), "{name}");
            let mut opener = FrameOpener { sender, epoch, keys: HashMap::new() };
            let mut wire = hex(&vector["wire"]);
            assert_eq!(opener.open(&wire).as_ref(), Ok(&plain), "{name}");
            // One bit, wherever it is, and another source, and another codec.
            for at in 0..wire.len() {
                wire[at] ^= 0x10;
                assert!(opener.open(&wire).is_err(), "{name}: byte {at}");
                wire[at] ^= 0x10;
            }
            opener.sender.source = if source == Source::Mic { Source::Camera } else { Source::Mic };
            assert_eq!(opener.open(&wire), Err(SframeError::Forged), "{name}");
            whole += 1;
        }
        assert_eq!(whole, 8);
    }

    #[test]
    fn invites_are_read_for_their_own_channel() {
        let vectors = read(include_str!("../../../shared/fixtures/e2ee/invites.json"));
        for vector in vectors.as_array().unwrap() {
            let (text, channel) = (vector["text"].as_str().unwrap(), vector["channelId"].as_str().unwrap());
            let epoch = Epoch::from_invite(text, channel).unwrap();
            assert_eq!(u64::from(epoch.suite.number()), vector["suite"].as_u64().unwrap());
            assert_eq!(u64::from(epoch.number), vector["epoch"].as_u64().unwrap());
            assert_eq!(epoch.secret.to_vec(), hex(&vector["epochSecret"]));
            assert_eq!(Epoch::from_invite(text, "another").unwrap_err(), SframeError::OtherChannel);
            assert_eq!(Epoch::from_invite(&text[..20], channel).unwrap_err(), SframeError::Invite);
        }
        let made = Epoch::invite(3, "c", [9; 32]);
        let read = Epoch::from_invite(&made, "c").unwrap();
        assert_eq!((read.number, read.secret), (3, [9; 32]));
    }
}
