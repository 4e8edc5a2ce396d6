//! What the RTCP packet types share: their numbers, the fields that feedback begins with, and what can be
//! wrong with them.

use super::super::u32_at;
use thiserror::Error;

pub(super) const SENDER_REPORT: u8 = 200;
pub(super) const RECEIVER_REPORT: u8 = 201;
pub(super) const SDES: u8 = 202;
pub(super) const BYE: u8 = 203;
pub(super) const TRANSPORT_FEEDBACK: u8 = 205;
pub(super) const PAYLOAD_FEEDBACK: u8 = 206;
pub(super) const EXTENDED_REPORT: u8 = 207;

pub(super) const FORMAT_NACK: u8 = 1;
pub(super) const FORMAT_CCFB: u8 = 11;
pub(super) const FORMAT_TRANSPORT_CC: u8 = 15;
pub(super) const FORMAT_PLI: u8 = 1;
pub(super) const FORMAT_FIR: u8 = 4;
pub(super) const FORMAT_APPLICATION: u8 = 15;

/// Why a datagram is no well-formed RTCP.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each message says what was wrong")]
pub enum RtcpError {
    #[error("no packet in it")]
    Empty,
    #[error("longer than a datagram may be")]
    TooLong,
    #[error("more sub-packets than allowed")]
    TooManySubPackets,
    #[error("sub-packet shorter than its header")]
    HeaderPastEnd,
    #[error("version is not 2")]
    BadVersion,
    #[error("sub-packet past the end")]
    LengthPastEnd,
    #[error("padding before the last sub-packet")]
    PaddingNotLast,
    #[error("padding is zero or longer than the sub-packet")]
    BadPadding,
    #[error("sender report shorter than its report blocks")]
    SenderReportTooShort,
    #[error("receiver report shorter than its report blocks")]
    ReceiverReportTooShort,
    #[error("source description past the end")]
    SdesPastEnd,
    #[error("BYE shorter than its sources or its reason")]
    ByeTooShort,
    #[error("feedback without sender and media source")]
    FeedbackTooShort,
    #[error("NACK without entries or with a part of one")]
    BadNackLength,
    #[error("PLI with a body")]
    BadPliLength,
    #[error("FIR without entries or with a part of one")]
    BadFirLength,
    #[error("REMB length is not that of its sources")]
    BadRembLength,
    #[error("REMB bitrate above 64 bits")]
    RembOverflow,
    #[error("transport-cc feedback shorter than its header")]
    TransportCcTooShort,
    #[error("transport-cc status count is zero or above the cap")]
    BadTransportCcCount,
    #[error("transport-cc chunks past the end")]
    TransportCcChunksPastEnd,
    #[error("transport-cc reserved status")]
    TransportCcReservedStatus,
    #[error("transport-cc deltas past the end")]
    TransportCcDeltasPastEnd,
    #[error("congestion control feedback without its sender and its time")]
    CcfbTooShort,
    #[error("congestion control feedback on more than 16384 packets of a stream")]
    BadCcfbCount,
    #[error("congestion control feedback blocks past the end")]
    CcfbBlocksPastEnd,
}

/// 32-bit words of `bytes`, a part of one at the end ignored.
pub(super) fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.as_chunks().0.iter().map(|word| u32::from_be_bytes(*word))
}

/// The sender's and the media source's SSRC in front of every feedback message (RFC 4585 6.1).
pub(super) fn feedback_sources(body: &[u8]) -> Result<(u32, u32, &[u8]), RtcpError> {
    let sender = u32_at(body, 0).ok_or(RtcpError::FeedbackTooShort)?;
    let media = u32_at(body, 4).ok_or(RtcpError::FeedbackTooShort)?;
    Ok((sender, media, body.get(8..).unwrap_or_default()))
}
