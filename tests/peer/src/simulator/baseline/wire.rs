//! What carries a baseline's packets: the sender's half, with its congestion control, and the viewer's.

use super::super::viewer::Receiver;
use railgun_media_core::packet::rtp::HeaderWriter;
use std::time::Instant;

/// Both halves. Datagrams between them are the caller's to carry.
pub(super) trait Wire {
    /// The sender takes a packet of speech or of a picture; sequence number and SSRC of the header are its own.
    fn push(&mut self, is_speech: bool, header: HeaderWriter, payload: &[u8], now: Instant);

    /// What the sender's congestion control gives, in bits a second.
    fn target(&self) -> u64;

    /// Wants padding up to this many bits a second of everything, 0 for none.
    fn pad_to(&mut self, rate: f64, now: Instant);

    /// Datagrams that the sender puts on the link by now.
    fn poll(&mut self, now: Instant) -> Vec<Vec<u8>>;

    /// A datagram at the viewer: the RTP packets that it makes of it.
    fn arrive(&mut self, datagram: &[u8], at: Instant) -> Vec<Vec<u8>>;

    /// Datagrams that the viewer sends, each step of 1 ms.
    fn report(&mut self, receiver: &mut Receiver, step: u32, now: Instant) -> Vec<Vec<u8>>;

    /// A datagram of the viewer at the sender: whether the viewer asks for a key frame.
    fn take_report(&mut self, datagram: &[u8], now: Instant) -> bool;
}
