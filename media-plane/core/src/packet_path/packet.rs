//! A packet between [`super::ingest`] and [`super::fan_out`].

use super::header::PassedElements;
use crate::arena::ProducerKey;
use crate::codec::{FrameInfo, dependency_descriptor, vp8};
use crate::packet::rtp::RtpHeader;
use std::ops::Range;

/// An authentic, decrypted RTP packet that is to be forwarded. Its bytes stay in the datagram.
#[derive(Clone, Debug)]
pub(crate) struct RtpPacket {
    pub(crate) is_video: bool,
    pub(crate) producer: ProducerKey,
    /// Index among the producer's encodings.
    pub(crate) encoding: u8,
    /// Index of its datagram in the burst.
    pub(crate) order: usize,
    /// As it arrived; of a retransmission, the original's sequence number is in `index` alone.
    pub(crate) header: RtpHeader,
    /// Bytes of the datagram.
    pub(crate) payload: Range<usize>,
    /// The sender's roll-over counter and sequence number.
    pub(crate) index: u64,
    /// The router's payload type.
    pub(crate) payload_type: u8,
    /// In Hz.
    pub(crate) clock_rate: u32,
    pub(crate) frame: FrameInfo,
    pub(crate) vp8: Option<vp8::Descriptor>,
    /// The AV1 dependency descriptor, which says more than the payload.
    pub(crate) descriptor: Option<dependency_descriptor::Descriptor>,
    /// Header extension elements as laid out for the consumer that the packet was last sent to, which
    /// serve all consumers that get the same ones.
    pub(crate) passed: PassedElements,
}
