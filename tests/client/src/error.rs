//! What can go wrong between a client and the system it talks to.

use crate::ending::DisconnectReason;
use railgun_protocol::signal::ErrorCode;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The server turned the connection down (`connect_error`); the text is its message.
    #[error("connection refused: {0}")]
    ConnectRefused(String),
    #[error("websocket: {0}")]
    WebSocket(Box<tokio_tungstenite::tungstenite::Error>),
    #[error("the socket is closed: {0:?}")]
    Disconnected(DisconnectReason),
    /// The peer sent what the protocol does not allow here.
    #[error("protocol: {0}")]
    Protocol(String),
    #[error("no answer in time: {0}")]
    Timeout(&'static str),
    #[error("the router has no codec {0}")]
    NoCodec(&'static str),
    #[error("ICE: {0}")]
    Ice(#[from] webrtc_ice::Error),
    #[error("DTLS: {0}")]
    Dtls(#[from] webrtc_dtls::Error),
    #[error("the server's certificate has another fingerprint than signaling announced")]
    Fingerprint,
    #[error("the server chose no SRTP profile that was offered")]
    NoSrtpProfile,
    #[error("SRTP: {0}")]
    Srtp(#[from] webrtc_srtp::Error),
    #[error("RTP: {0}")]
    Rtp(#[from] rtp::Error),
    #[error("RTCP: {0}")]
    Rtcp(#[from] rtcp::Error),
    #[error("network: {0}")]
    Network(#[from] webrtc_util::Error),
    #[error("socket: {0}")]
    Io(#[from] std::io::Error),
    #[error("keys of the group: {0}")]
    Mls(String),
    /// Media needs a connected transport: produce or consume first.
    #[error("the transport is not connected")]
    NotConnected,
}

impl ClientError {
    /// The contract's code, if the server refused the request.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            _ => None,
        }
    }
}

impl From<tokio_tungstenite::tungstenite::Error> for ClientError {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

/// A refused request: the fields of `voice:error`, `voice:rtc:error` and of a failed ack.
#[derive(Clone, Debug, PartialEq, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{event} refused with {code}: {message}")]
pub struct Refusal {
    pub code: ErrorCode,
    #[serde(rename = "error")]
    pub message: String,
    pub details: Map<String, Value>,
    pub event: String,
    pub fatal: bool,
    #[serde(default)]
    pub request_id: Option<String>,
}

/// Reads an answer's payload, of which the contract fixes the shape.
pub(crate) fn read<T: serde::de::DeserializeOwned>(what: &str, value: &Value) -> Result<T, ClientError> {
    T::deserialize(value).map_err(|error| ClientError::Protocol(format!("{what}: {error}")))
}

/// The error that this refusal is; what is wrong with it, if it has another shape than the contract's.
pub(crate) fn refused(payload: &Value) -> ClientError {
    read("a refusal", payload).map_or_else(|wrong| wrong, |refusal| ClientError::Refused(Box::new(refusal)))
}
