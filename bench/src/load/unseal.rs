//! What a receiver of an encrypted channel does with packets: a frame is put together, and opened.

use super::payload;
use super::sealing::Opener;
use railgun_client::{MediaKind, RtpPacket, SframeError, Source};
use std::sync::{Mutex, PoisonError};

/// Of one consumer.
pub(super) struct Unsealer {
    kind: MediaKind,
    state: Mutex<State>,
}

struct State {
    opener: Opener,
    /// Parts of a picture, and whose time stamp and last sequence number they have.
    picture: Vec<u8>,
    timestamp: u32,
    sequence: u16,
}

impl Unsealer {
    pub(super) fn new(opener: Opener, source: Source) -> Self {
        let kind = source.kind();
        let state = Mutex::new(State { opener, picture: Vec::new(), timestamp: 0, sequence: 0 });
        Self { kind, state }
    }

    /// The packet with the frame that it completes; `None`: there is no key for it, as for what was sent before one came
    /// into the group. What is not authentic has no payload: it is misread.
    pub(super) fn open(&self, packet: &RtpPacket) -> Option<RtpPacket> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { opener, picture, timestamp, sequence } = &mut *state;
        let frame = if self.kind == MediaKind::Audio {
            opener.open(&packet.payload)
        } else {
            let header = &packet.header;
            let goes_on =
                *timestamp == header.timestamp && sequence.wrapping_add(1) == header.sequence_number;
            if !goes_on {
                picture.clear();
            }
            (*timestamp, *sequence) = (header.timestamp, header.sequence_number);
            picture.extend_from_slice(payload::vp8_part(&packet.payload));
            if !header.marker {
                return Some(packet.clone());
            }
            opener.open(picture)
        };
        if frame == Err(SframeError::NoKey) {
            return None;
        }
        Some(RtpPacket { payload: frame.unwrap_or_default().into(), ..packet.clone() })
    }
}
