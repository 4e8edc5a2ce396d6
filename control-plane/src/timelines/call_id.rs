//! How calls, and what replicas ask each other for, are named.

use railgun_protocol::ids::ChannelId;
use sha2::{Digest, Sha256};
use std::fmt;
use std::ops::RangeInclusive;

/// Hours since 1970.
pub(crate) type Hours = RangeInclusive<u64>;

/// Digits of a channel's key.
const KEY_DIGITS: usize = 32;
/// Which call: a channel's key, and the minute since 1970 in which it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallId {
    pub(super) key: String,
    pub(super) minute: u64,
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.key, self.minute)
    }
}

impl CallId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (key, minute) = text.split_once('-')?;
        let is_number =
            !minute.is_empty() && minute.len() <= 10 && minute.bytes().all(|byte| byte.is_ascii_digit());
        (is_key(key) && is_number).then_some(Self { key: key.into(), minute: minute.parse().ok()? })
    }
}

fn is_key(text: &str) -> bool {
    text.len() == KEY_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What one replica is asked for by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(super) key: String,
    pub(super) hours: Hours,
}

impl Question {
    /// None: the key is none.
    pub(crate) fn new(key: &str, from: u64, to: u64) -> Option<Self> {
        is_key(key).then(|| Self { key: key.into(), hours: from..=to })
    }
}

/// What files are called by: the channel, which they do not name.
pub(crate) fn key_of(channel: &ChannelId) -> String {
    hex::encode(&Sha256::digest(channel.as_str().as_bytes())[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_call_is_a_key_and_a_minute_and_names_no_other_file() {
        let id = CallId { key: key_of(&ChannelId::new("lobby").unwrap()), minute: 29_000_000 };
        assert_eq!(CallId::parse(&id.to_string()), Some(id));
        for wrong in [
            "",
            "x-1",
            "../../etc/passwd-1",
            &format!("{}-", "a".repeat(32)),
            &format!("{}-1x", "a".repeat(32)),
        ] {
            assert_eq!(CallId::parse(wrong), None, "{wrong}");
        }
        assert!(Question::new("fleet", 0, 1).is_none() && Question::new(&"A".repeat(32), 0, 1).is_none());
    }
}
