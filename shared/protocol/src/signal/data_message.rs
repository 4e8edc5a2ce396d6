//! Small messages of clients to each other: reactions, raised hands, and what applications make of them.

use crate::ids::SessionId;
use crate::limits;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;

/// A string of bounded length in UTF-8.
macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $least:literal..=$max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Serialize)]
        #[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// None: too short or too long.
            pub fn new(text: impl Into<String>) -> Option<Self> {
                let text = text.into();
                ($least..=$max).contains(&text.len()).then_some(Self(text))
            }

            /// As it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?)
                    .ok_or_else(|| de::Error::custom(format!("not {} to {} bytes long", $least, $max)))
            }
        }
    };
}

bounded!(
    /// What a message is about, as the application calls it: 1 to 64 bytes.
    DataKind,
    1..=limits::DATA_KIND_BYTES_MAX
);
bounded!(
    /// A message's content, which the servers do not look at: at most 1024 bytes in UTF-8. In a channel that is
    /// encrypted end to end the client encrypts it first.
    DataPayload,
    0..=limits::DATA_PAYLOAD_BYTES_MAX
);

/// A message to everybody else in the room, or to one session of it. The room adds whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct DataMessage {
    /// What it is about.
    pub kind: DataKind,
    /// Its content.
    pub payload: DataPayload,
    /// Absent: everybody else.
    #[serde(default)]
    pub to: Option<SessionId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_is_limited_by_bytes_and_not_by_characters() {
        let read = |kind: &str, payload: &str| {
            serde_json::from_value::<DataMessage>(json!({"kind": kind, "payload": payload})).is_ok()
        };
        assert!(read("k", "") && read(&"k".repeat(64), &"p".repeat(1024)) && read("k", &"é".repeat(512)));
        assert!(!read("", "p") && !read(&"k".repeat(65), "p"));
        assert!(!read("k", &"p".repeat(1025)) && !read("k", &"é".repeat(513)));
    }
}
