//! ICE and DTLS parameters of a WebRTC transport, as mediasoup-client reads and sends them.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum TransportDirection {
    Send,
    Recv,
}

/// What `createTransport` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct TransportParameters {
    pub ice_parameters: IceParameters,
    pub ice_candidates: Vec<IceCandidate>,
    pub dtls_parameters: DtlsParameters,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceParameters {
    pub username_fragment: String,
    pub password: String,
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
    pub foundation: String,
    pub priority: u32,
    pub address: IpAddr,
    pub ip: IpAddr,
    pub protocol: String,
    pub port: u16,
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DtlsParameters {
    #[serde(default)]
    pub role: DtlsRole,
    pub fingerprints: Vec<DtlsFingerprint>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsRole {
    #[default]
    Auto,
    Client,
    Server,
}

/// A certificate's digest: `algorithm` by its RFC 4572 name, `value` as colon-separated hex pairs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DtlsFingerprint {
    pub algorithm: String,
    pub value: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum IceState {
    #[default]
    New,
    Connected,
    Completed,
    Disconnected,
    Closed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum DtlsState {
    #[default]
    New,
    Connecting,
    Connected,
    Failed,
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
