//! What carries a baseline's packets: the sender's half, with its congestion control, and the viewer's.

use super::super::viewer::Receiver;
use railgun_media_core::packet::rtp::HeaderWriter;
use std::time::{Duration, Instant};

/// Address of the viewer.
pub(super) const VIEWER: ([u8; 4], u16) = ([10, 9, 0, 1], 5_000);
/// A sender's target at the begin of a call, WebRTC's, in bits a second.
pub(super) const START: u32 = 300_000;
/// Between two reports of either side; and how long before a call's end the last speech is sent.
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A call's sender and its viewer. The caller carries their datagrams over the link.
pub(super) trait Wire {
    /// Gives the sender a packet of speech or of a picture. It replaces the header's sequence number and SSRC.
    fn push(&mut self, is_speech: bool, header: HeaderWriter, payload: &[u8], now: Instant);

    /// Target bitrate of the sender's congestion control, in bits a second.
    fn target(&self) -> u64;

    /// Wants padding up to this many bits a second of everything, 0 for none.
    fn pad_to(&mut self, rate: f64, now: Instant);

    /// Datagrams that the sender sends at `now`.
    fn poll(&mut self, now: Instant) -> Vec<Vec<u8>>;

    /// A datagram at the viewer: the RTP packets that it makes of it.
    fn arrive(&mut self, datagram: &[u8], at: Instant) -> Vec<Vec<u8>>;

    /// Datagrams that the viewer sends, each step of 1 ms.
    fn report(&mut self, receiver: &mut Receiver, step: u32, now: Instant) -> Vec<Vec<u8>>;

    /// A datagram of the viewer at the sender: whether the viewer asks for a key frame.
    fn take_report(&mut self, datagram: &[u8], now: Instant) -> bool;
}
