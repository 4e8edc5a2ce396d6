//! What the client's `RTCPeerConnection` is made with (W3C WebRTC section 4.2).

use serde::{Deserialize, Serialize};

/// What the client's `RTCPeerConnection` is to be made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct RtcConfig {
    /// STUN and TURN servers, for an `RTCPeerConnection`.
    pub ice_servers: Vec<IceServer>,
    /// Whether media may take only the relays.
    pub ice_transport_policy: IceTransportPolicy,
}

/// An entry of `RTCConfiguration.iceServers` (W3C WebRTC section 4.2.4).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct IceServer {
    /// `stun:` and `turn:` addresses.
    pub urls: Vec<String>,
    /// TURN user name; absent for STUN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// TURN password; absent for STUN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// `RTCConfiguration.iceTransportPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum IceTransportPolicy {
    /// Every kind of candidate.
    #[default]
    All,
    /// Only candidates of relays (privacy mode).
    Relay,
}
