//! Identifiers as types of their own, so that one can never be passed for another.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// An identifier that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says which rule was broken")]
pub enum IdError {
    #[error("not 32 lower-case hexadecimal digits")]
    NotHex,
    #[error("empty")]
    Empty,
    #[error("longer than {0} bytes")]
    TooLong(usize),
    #[error("holds a control character")]
    ControlCharacter,
}

/// 128 random bits, written as 32 hexadecimal digits. Whoever makes one brings the randomness.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
        pub struct $name(u128);

        impl $name {
            /// The id of these bits, known or random.
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            /// All 128.
            pub const fn to_bits(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:032x})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
                if text.len() != 32 || !text.bytes().all(digit) {
                    return Err(IdError::NotHex);
                }
                u128::from_str_radix(text, 16).map(Self).map_err(|_| IdError::NotHex)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

random_id!(
    /// One authenticated socket: a user on a device, until it leaves or its resume window closes.
    SessionId
);
random_id!(
    /// A WebRTC transport of a session: one ICE and DTLS association with the media node.
    TransportId
);
random_id!(
    /// A media source that a session sends into its room.
    ProducerId
);
random_id!(
    /// One producer as forwarded to one session.
    ConsumerId
);
random_id!(
    /// One run of a process: a media node's, or a replica's. A restart makes a new one.
    BootId
);

/// A name given from outside: bounded, not empty, without control characters.
macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// In UTF-8.
            pub const MAX_BYTES: usize = $max;

            /// Checks length and characters.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                if text.is_empty() {
                    return Err(IdError::Empty);
                }
                if text.len() > Self::MAX_BYTES {
                    return Err(IdError::TooLong(Self::MAX_BYTES));
                }
                if text.chars().any(char::is_control) {
                    return Err(IdError::ControlCharacter);
                }
                Ok(Self(text))
            }

            /// As it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    };
}

name_id!(
    /// A voice channel of the product. A room is its live instance on one media node.
    ChannelId,
    128
);
name_id!(
    /// The token's `sub`.
    UserId,
    128
);
name_id!(
    /// Chosen by the client; tells one user's devices apart and buys nothing.
    DeviceId,
    128
);
name_id!(
    /// A media node, as named in its configuration.
    NodeId,
    64
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_id_reads_back_what_it_prints_and_nothing_else() {
        let id = SessionId::from_bits(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "12", "+123456789abcdef0011223344556677", "0123456789ABCDEF0011223344556677"] {
            assert_eq!(wrong.parse::<SessionId>(), Err(IdError::NotHex), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_bounded_and_printable() {
        assert_eq!(ChannelId::new(""), Err(IdError::Empty));
        assert_eq!(ChannelId::new("a".repeat(129)), Err(IdError::TooLong(128)));
        assert_eq!(UserId::new("a\nb"), Err(IdError::ControlCharacter));
        assert!(serde_json::from_str::<UserId>("\"\"").is_err());
    }
}
