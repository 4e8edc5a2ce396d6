//! ICE and DTLS parameters of a WebRTC transport, as mediasoup-client reads and sends them.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// As the client sees it. A transport carries media one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum TransportDirection {
    /// From the client to the node.
    Send,
    /// From the node to the client.
    Recv,
}

/// What `createTransport` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct TransportParameters {
    /// ICE credentials of the node, which is ICE-lite.
    pub ice_parameters: IceParameters,
    /// All that the node has; it sends no more later.
    pub ice_candidates: Vec<IceCandidate>,
    /// DTLS fingerprints of the node, whose role is `auto`.
    pub dtls_parameters: DtlsParameters,
}

/// Credentials of one side's ICE (RFC 8445). Never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceParameters {
    /// The first half of a check's USERNAME, that is sent to this side.
    pub username_fragment: String,
    /// The key of a check's MESSAGE-INTEGRITY.
    pub password: String,
    /// Whether this side answers checks and begins none.
    pub ice_lite: bool,
}

impl std::fmt::Debug for IceParameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceParameters").finish_non_exhaustive()
    }
}

/// A host candidate of the node. `ip` repeats `address` for clients of before 2024.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// Alike for candidates of one kind (RFC 8445 §5.1.1.3).
    pub foundation: String,
    /// Higher is tried first (RFC 8445 §5.1.2).
    pub priority: u32,
    /// Where to send checks and media.
    pub address: IpAddr,
    /// The IP address again, under the name that mediasoup-client reads.
    pub ip: IpAddr,
    /// `udp`.
    pub protocol: String,
    /// A worker has one port.
    pub port: u16,
    /// `host`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl IceCandidate {
    /// The `index`th listening address of a node. RFC 8445 §5.1.2 with a local preference of
    /// 10000 less 100 per further address.
    pub fn udp_host(address: IpAddr, port: u16, index: u16) -> Self {
        let local_preference = 10_000u32.saturating_sub(100 * u32::from(index));
        let priority = (64 << 24) + (local_preference << 8) + 255;
        Self {
            foundation: "udpcandidate".into(),
            priority,
            address,
            ip: address,
            protocol: "udp".into(),
            port,
            kind: "host".into(),
        }
    }
}

/// DTLS role and certificate fingerprints of one side (RFC 5763).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DtlsParameters {
    /// The node says `auto` and takes the role that the client leaves; a client's `auto` is `client`.
    #[serde(default)]
    pub role: DtlsRole,
    /// Fingerprints of its certificate; one that matches suffices.
    pub fingerprints: Vec<DtlsFingerprint>,
}

/// Who begins the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsRole {
    /// Whichever role the other side leaves.
    #[default]
    Auto,
    /// This side begins.
    Client,
    /// The other side begins.
    Server,
}

/// A certificate's digest: `algorithm` by its RFC 4572 name, `value` as colon-separated hex pairs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DtlsFingerprint {
    /// Hash function, such as `sha-256`.
    pub algorithm: String,
    /// Upper or lower case.
    pub value: String,
}

/// How far ICE is, by the checks that came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum IceState {
    /// No valid check came yet.
    #[default]
    New,
    /// A valid check came, from an address that was not nominated.
    Connected,
    /// The client nominated an address.
    Completed,
    /// Consent has ended (RFC 7675): nothing is sent.
    Disconnected,
    /// The transport is gone.
    Closed,
}

/// How far DTLS is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum DtlsState {
    /// No handshake has begun.
    #[default]
    New,
    /// A handshake is in progress.
    Connecting,
    /// SRTP keys are there.
    Connected,
    /// The handshake failed, and no other begins.
    Failed,
    /// The other side closed the connection, or the transport is gone.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_candidate_has_the_priority_clients_know() {
        let candidate = IceCandidate::udp_host(IpAddr::from([192, 0, 2, 1]), 40_000, 0);
        assert_eq!(candidate.priority, 1_076_302_079);
    }
}
