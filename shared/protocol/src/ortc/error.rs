//! Why RTP parameters or capabilities were refused.

use crate::signal::{ErrorBody, ErrorCode};

/// The first rule that was broken; parameters are checked in one order, and not further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says which rule was broken")]
pub enum OrtcError {
    #[error("{list} has more than {max} entries")]
    TooMany { list: &'static str, max: usize },
    #[error("{field} is empty, longer than {max} bytes or holds a control character")]
    BadString { field: &'static str, max: usize },
    #[error("mid is not a token of 1 to 8 characters")]
    BadMid,
    #[error("rid is not 1 to 16 letters, digits, '-' or '_'")]
    BadRid,
    #[error("a mime type is not of the kind it is listed under")]
    WrongKind,
    #[error("payload type {0} is not one that RTP may use beside RTCP")]
    PayloadType(u8),
    #[error("payload type {0} is listed twice")]
    DuplicatePayloadType(u8),
    #[error("a clock rate of zero")]
    ClockRate,
    #[error("zero channels")]
    Channels,
    #[error("a parameter of a codec or header extension is a list or an object")]
    ParameterType,
    #[error("no codec but for retransmission")]
    NoMediaCodec,
    #[error("retransmission without a valid apt parameter")]
    RtxWithoutApt,
    #[error("apt {0} is not the payload type of a media codec")]
    RtxForNothing(u8),
    #[error("header extension id {0} is not one of 1 to 14 or 16 to 255")]
    ExtensionId(u8),
    #[error("header extension id {0} is listed twice")]
    DuplicateExtensionId(u8),
    #[error("a header extension is listed twice")]
    DuplicateExtensionUri,
    #[error("SSRC {0} is listed twice")]
    DuplicateSsrc(u32),
    #[error("a rid is listed twice")]
    DuplicateRid,
    #[error("one of several encodings has neither SSRC nor rid")]
    AnonymousEncoding,
    #[error("an encoding's codecPayloadType {0} is not the payload type of a media codec")]
    EncodingPayloadType(u8),
    #[error("an unknown scalability mode")]
    ScalabilityMode,
    /// The router does not take this codec, or not with these parameters.
    #[error("{0} is not supported as offered")]
    Unsupported(String),
    /// The receiver shares no codec with the stream.
    #[error("the receiver has no codec for this stream")]
    NothingToReceive,
}

impl OrtcError {
    /// The contract's code of the refusal.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Unsupported(_) | Self::NothingToReceive => ErrorCode::UnsupportedCodec,
            _ => ErrorCode::InvalidPayload,
        }
    }
}

impl From<OrtcError> for ErrorBody {
    fn from(error: OrtcError) -> Self {
        let body = Self::new(error.code(), error.to_string());
        match error {
            OrtcError::Unsupported(mime_type) => body.with("mimeType", mime_type),
            _ => body,
        }
    }
}
