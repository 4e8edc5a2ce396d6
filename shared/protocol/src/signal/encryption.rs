//! End-to-end encryption in the signaling: what a channel asks for, what a client can do, and the messages by
//! which the clients of a room agree on keys. The servers read of those the envelope alone.

use crate::ids::SessionId;
use crate::limits;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// How a channel's media is encrypted. It is one for all who are in the channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Encryption {
    /// From each client to its media node, by DTLS-SRTP.
    #[default]
    Transport,
    /// By SFrame (RFC 9605) from client to client, inside of DTLS-SRTP.
    EndToEnd,
}

/// The version of end-to-end encryption that these servers know.
pub const E2EE_VERSION: u16 = 1;
/// AES_128_GCM_SHA256_128 of SFrame (RFC 9605, section 8.1): every client of version 1 has to have it, so that any two
/// have one in common.
pub const E2EE_SUITE_OF_ALL: u16 = 4;

/// What end-to-end encryption a client can do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct E2eeSupport {
    /// The highest version that it knows; it knows those below as well.
    pub version: u16,
    /// Cipher suites of SFrame by their numbers at IANA (RFC 9605, section 8.1): 4 is AES-128-GCM, which each client
    /// has to have, 5 is AES-256-GCM. At most 16.
    #[serde(deserialize_with = "few_suites")]
    pub suites: Vec<u16>,
}

impl E2eeSupport {
    /// Whether the client can be in a channel that is encrypted end to end.
    pub fn suffices(&self) -> bool {
        self.version >= E2EE_VERSION && self.suites.contains(&E2EE_SUITE_OF_ALL)
    }
}

fn few_suites<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u16>, D::Error> {
    let suites = Vec::<u16>::deserialize(from)?;
    if suites.len() > limits::E2EE_SUITES_MAX {
        return Err(de::Error::custom(format!("more than {} suites", limits::E2EE_SUITES_MAX)));
    }
    Ok(suites)
}

/// What a message of key agreement is, in words of MLS (RFC 9420).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum E2eeMessageKind {
    /// A PublicMessage with a proposal of that epoch.
    Proposal,
    /// A PublicMessage with a commit that ends that epoch. The room takes the first of each epoch.
    Commit,
    /// A Welcome to a later epoch; needs `to`.
    Welcome,
    /// The GroupInfo of that epoch, by which a newcomer makes an external commit.
    GroupInfo,
}

/// One MLSMessage (RFC 9420, section 6) in base64, at most 16 KiB before it.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub struct E2eeData(Vec<u8>);

impl E2eeData {
    /// None: it is longer than [`limits::E2EE_MESSAGE_BYTES_MAX`], or empty.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (1..=limits::E2EE_MESSAGE_BYTES_MAX).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// Before base64.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for E2eeData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E2eeData({} bytes)", self.0.len())
    }
}

impl Serialize for E2eeData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for E2eeData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(|_| de::Error::custom("data is not base64"))?;
        Self::new(bytes).ok_or_else(|| {
            de::Error::custom(format!(
                "data is empty or longer than {} bytes",
                limits::E2EE_MESSAGE_BYTES_MAX
            ))
        })
    }
}

/// A message of key agreement to everybody else in the room, or to one session of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct E2eeMessage {
    /// What `data` is.
    pub kind: E2eeMessageKind,
    /// The epoch of its group that it was made in; of a proposal, a commit and a GroupInfo the one in `data`.
    pub epoch: u64,
    /// Absent: everybody else. A commit and a proposal are for everybody.
    #[serde(default)]
    pub to: Option<SessionId>,
    /// The message itself.
    pub data: E2eeData,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_client_needs_the_suite_that_all_have() {
        let suffices = |version, suites: &[u16]| E2eeSupport { version, suites: suites.into() }.suffices();
        assert!(suffices(1, &[4]) && suffices(2, &[9, 5, 4]));
        assert!(!suffices(0, &[4]) && !suffices(1, &[]) && !suffices(1, &[5]));
        let many = json!({"version": 1, "suites": vec![4; limits::E2EE_SUITES_MAX + 1]});
        assert!(serde_json::from_value::<E2eeSupport>(many).is_err());
    }

    #[test]
    fn a_message_is_base64_of_at_most_its_limit() {
        let read = |data: String| serde_json::from_value::<E2eeData>(data.into()).ok();
        let whole = vec![7; limits::E2EE_MESSAGE_BYTES_MAX];
        let longer = vec![7; limits::E2EE_MESSAGE_BYTES_MAX + 1];
        assert_eq!(read(STANDARD.encode(&whole)).map(E2eeData::into_bytes), Some(whole));
        for wrong in [STANDARD.encode(longer), String::new(), "####".into()] {
            assert_eq!(read(wrong), None);
        }
        let back = serde_json::to_value(E2eeData(vec![0, 255])).unwrap();
        assert_eq!(serde_json::from_value::<E2eeData>(back).unwrap().bytes(), [0, 255]);
    }
}
