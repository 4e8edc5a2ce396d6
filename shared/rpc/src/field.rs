//! How a value of the contract is written into a field of a message, and read from it.

use super::error::WireError;
use railgun_protocol::ids::{ChannelId, ConsumerId, DeviceId, ProducerId, SessionId, TransportId, UserId};
use railgun_protocol::media_rpc::TokenDigest;
use railgun_protocol::rtp_parameters::{RtpCapabilities, RtpParameters};
use railgun_protocol::signal::{DataKind, DataPayload, E2eeData, KickReason};
use railgun_protocol::transport_parameters::{DtlsParameters, IceParameters, TransportParameters};
use serde_json::{Map, Value};
use std::num::NonZeroU8;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A value that travels as a field of type `W`. `name` is the field's, for the error.
pub(super) trait Field<W>: Sized {
    fn to_wire(self) -> W;
    fn from_wire(wire: W, name: &'static str) -> Result<Self, WireError>;
}

/// An optional field; a message that may be absent is one too.
impl<T: Field<W>, W> Field<Option<W>> for Option<T> {
    fn to_wire(self) -> Option<W> {
        self.map(T::to_wire)
    }

    fn from_wire(wire: Option<W>, name: &'static str) -> Result<Self, WireError> {
        wire.map(|wire| T::from_wire(wire, name)).transpose()
    }
}

impl<T: Field<W>, W> Field<Vec<W>> for Vec<T> {
    fn to_wire(self) -> Vec<W> {
        self.into_iter().map(T::to_wire).collect()
    }

    fn from_wire(wire: Vec<W>, name: &'static str) -> Result<Self, WireError> {
        wire.into_iter().map(|wire| T::from_wire(wire, name)).collect()
    }
}

impl<T: Field<W>, W> Field<W> for Box<T> {
    fn to_wire(self) -> W {
        T::to_wire(*self)
    }

    fn from_wire(wire: W, name: &'static str) -> Result<Self, WireError> {
        T::from_wire(wire, name).map(Self::new)
    }
}

/// Values that every field of their type may hold.
macro_rules! as_it_is {
    ($($type:ty),*) => {$(
        impl Field<$type> for $type {
            fn to_wire(self) -> $type {
                self
            }

            fn from_wire(wire: $type, _: &'static str) -> Result<Self, WireError> {
                Ok(wire)
            }
        }
    )*};
}
as_it_is!(bool, u32, u64, i32, String);

/// JSON, in which a client gets it, has no NaN and no infinity.
impl Field<Self> for f64 {
    fn to_wire(self) -> Self {
        self
    }

    fn from_wire(wire: Self, name: &'static str) -> Result<Self, WireError> {
        if wire.is_finite() { Ok(wire) } else { Err(WireError::OutOfRange(name)) }
    }
}

/// Protobuf has no numbers of fewer than 32 bits.
macro_rules! narrow {
    ($($type:ty: $wire:ty),*) => {$(
        impl Field<$wire> for $type {
            fn to_wire(self) -> $wire {
                self.into()
            }

            fn from_wire(wire: $wire, name: &'static str) -> Result<Self, WireError> {
                Self::try_from(wire).map_err(|_| WireError::OutOfRange(name))
            }
        }
    )*};
}
narrow!(u8: u32, u16: u32, i8: i32);

impl Field<u32> for NonZeroU8 {
    fn to_wire(self) -> u32 {
        self.get().into()
    }

    fn from_wire(wire: u32, name: &'static str) -> Result<Self, WireError> {
        u8::try_from(wire).ok().and_then(Self::new).ok_or(WireError::OutOfRange(name))
    }
}

/// 32 hexadecimal digits.
macro_rules! random_ids {
    ($($type:ty),*) => {$(
        impl Field<String> for $type {
            fn to_wire(self) -> String {
                self.to_string()
            }

            fn from_wire(wire: String, field: &'static str) -> Result<Self, WireError> {
                wire.parse().map_err(|error| WireError::Id { field, error })
            }
        }
    )*};
}
random_ids!(SessionId, TransportId, ProducerId, ConsumerId);

/// Names given from outside.
macro_rules! name_ids {
    ($($type:ty),*) => {$(
        impl Field<String> for $type {
            fn to_wire(self) -> String {
                self.to_string()
            }

            fn from_wire(wire: String, field: &'static str) -> Result<Self, WireError> {
                Self::new(wire).map_err(|error| WireError::Id { field, error })
            }
        }
    )*};
}
name_ids!(UserId, DeviceId, ChannelId);

/// Shapes of WebRTC, and objects of any shape. Their types have string keys and no fallible serialisers, so
/// nothing is lost at writing; an empty document would be refused at reading.
macro_rules! json {
    ($($type:ty),*) => {$(
        impl Field<String> for $type {
            fn to_wire(self) -> String {
                serde_json::to_string(&self).unwrap_or_default()
            }

            fn from_wire(wire: String, field: &'static str) -> Result<Self, WireError> {
                serde_json::from_str(&wire).map_err(|error| WireError::Json { field, error })
            }
        }
    )*};
}
json!(RtpCapabilities, RtpParameters, DtlsParameters, IceParameters, TransportParameters, Map<String, Value>);

/// Carries the reason's word, or what an operator wrote.
impl Field<String> for KickReason {
    fn to_wire(self) -> String {
        self.to_string()
    }

    fn from_wire(wire: String, _: &'static str) -> Result<Self, WireError> {
        Ok(wire.into())
    }
}

/// Bounded on both sides of the wire.
macro_rules! bounded {
    ($($type:ty: $wire:ty => $out:expr),*) => {$(
        impl Field<$wire> for $type {
            fn to_wire(self) -> $wire {
                $out(self)
            }

            fn from_wire(wire: $wire, name: &'static str) -> Result<Self, WireError> {
                Self::new(wire).ok_or(WireError::OutOfRange(name))
            }
        }
    )*};
}
bounded!(
    DataKind: String => |kind: Self| kind.as_str().to_owned(),
    DataPayload: String => |payload: Self| payload.as_str().to_owned(),
    E2eeData: Vec<u8> => E2eeData::into_bytes
);

impl Field<Vec<u8>> for TokenDigest {
    fn to_wire(self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn from_wire(wire: Vec<u8>, name: &'static str) -> Result<Self, WireError> {
        wire.try_into().map(TokenDigest).map_err(|_| WireError::OutOfRange(name))
    }
}

/// Whole milliseconds.
impl Field<u64> for Duration {
    fn to_wire(self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }

    fn from_wire(wire: u64, _: &'static str) -> Result<Self, WireError> {
        Ok(Self::from_millis(wire))
    }
}

/// Unix milliseconds. A time before 1970 is long past, and so is 1970.
impl Field<u64> for SystemTime {
    fn to_wire(self) -> u64 {
        self.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).to_wire()
    }

    fn from_wire(wire: u64, name: &'static str) -> Result<Self, WireError> {
        UNIX_EPOCH.checked_add(Duration::from_millis(wire)).ok_or(WireError::OutOfRange(name))
    }
}
