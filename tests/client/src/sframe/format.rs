//! What a frame looks like, but for its keys.

use railgun_protocol::signal::Source;

/// Bytes that encryption adds to a frame at most: header with a counter of five bytes, tag.
pub const OVERHEAD_MAX: usize = 1 + KID_LEN + 5 + TAG_LEN;
const TAG_LEN: usize = 16;
/// An epoch's id and 48 random bits.
const KID_LEN: usize = 7;
pub(super) const SALT_LEN: usize = 12;

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
    /// Of an epoch that is not here, or not any more, or of somebody who is no member of it.
    #[error("no key for it")]
    NoKey,
}

/// How a frame's clear part is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameCodec {
    Opus,
    Vp8,
}

impl FrameCodec {
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Opus => 1,
            Self::Vp8 => 2,
        }
    }

    /// Bytes at the front that packetisers and depacketisers read.
    pub(super) fn clear(self, frame: &[u8]) -> usize {
        match (self, frame.first()) {
            (Self::Vp8, Some(first)) if first & 1 == 0 => 10,
            (Self::Vp8, Some(_)) => 3,
            _ => 0,
        }
    }
}

pub(super) fn number_of(source: Source) -> u8 {
    match source {
        Source::Mic => 1,
        Source::Camera => 2,
        Source::Screen => 3,
        Source::ScreenAudio => 4,
    }
}

pub(super) fn vector(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(text.as_bytes());
}
