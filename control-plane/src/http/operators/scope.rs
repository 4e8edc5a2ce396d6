//! What an operator's token may be good for.

use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What a token is good for. Reading and writing are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    #[serde(rename = "channels:read")]
    ReadChannels,
    #[serde(rename = "channels:write")]
    WriteChannels,
    #[serde(rename = "bans:read")]
    ReadBans,
    #[serde(rename = "bans:write")]
    WriteBans,
    #[serde(rename = "entitlements:read")]
    ReadEntitlements,
    #[serde(rename = "entitlements:write")]
    WriteEntitlements,
    #[serde(rename = "avatars:read")]
    ReadAvatars,
    #[serde(rename = "avatars:write")]
    WriteAvatars,
    #[serde(rename = "rooms:read")]
    ReadRooms,
    #[serde(rename = "rooms:write")]
    WriteRooms,
    #[serde(rename = "nodes:read")]
    ReadNodes,
    #[serde(rename = "nodes:write")]
    WriteNodes,
    #[serde(rename = "calls:read")]
    ReadCalls,
    #[serde(rename = "audit:read")]
    ReadAudit,
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
        Self::deserialize(word).map_err(|error| error.to_string())
    }
}
