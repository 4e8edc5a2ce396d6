//! Single fields: identifiers, words of the contract and JSON documents.

use super::error::WireError;
use super::proto;
use railgun_protocol::ids::{ConsumerId, IdError};
use railgun_protocol::signal::ConsumerLayers;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::num::NonZeroU8;
use std::str::FromStr;

/// A random id, or [`WireError::Id`].
pub(super) fn id<T: FromStr<Err = IdError>>(field: &'static str, text: &str) -> Result<T, WireError> {
    text.parse().map_err(|error| WireError::Id { field, error })
}

/// A given name: `read` is the constructor of its type.
pub(super) fn name<T>(
    field: &'static str,
    text: String,
    read: fn(String) -> Result<T, IdError>,
) -> Result<T, WireError> {
    read(text).map_err(|error| WireError::Id { field, error })
}

/// The contract's word for a value without fields, such as a media kind.
pub(super) fn to_word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        // Only unit variants are written as words; an empty one is refused by `from_word`.
        _ => String::new(),
    }
}

pub(super) fn from_word<T: DeserializeOwned>(field: &'static str, word: &str) -> Result<T, WireError> {
    let word: StrDeserializer<'_, WordError> = word.into_deserializer();
    T::deserialize(word).map_err(|_| WireError::UnknownWord(field))
}

/// A document of the signaling contract. Its types have string keys and no fallible serialisers,
/// so nothing is lost here; an empty document would be refused by `from_json`.
pub(super) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) fn from_json<'a, T: Deserialize<'a>>(field: &'static str, text: &'a str) -> Result<T, WireError> {
    serde_json::from_str(text).map_err(|error| WireError::Json { field, error })
}

pub(super) fn encode_layers(consumer: ConsumerId, layers: Option<ConsumerLayers>) -> proto::ConsumerLayers {
    proto::ConsumerLayers {
        consumer: consumer.to_string(),
        spatial: layers.map(|layers| layers.spatial_layer.into()),
        temporal: layers.and_then(|layers| layers.temporal_layer).map(Into::into),
    }
}

pub(super) fn decode_layers(
    of: &proto::ConsumerLayers,
) -> Result<(ConsumerId, Option<ConsumerLayers>), WireError> {
    let temporal_layer = layer("temporal", of.temporal)?;
    let layers =
        layer("spatial", of.spatial)?.map(|spatial_layer| ConsumerLayers { spatial_layer, temporal_layer });
    Ok((id("consumer", &of.consumer)?, layers))
}

/// A layer's number, if there is one.
pub(super) fn layer(field: &'static str, layer: Option<u32>) -> Result<Option<u8>, WireError> {
    layer.map(|layer| u8::try_from(layer).map_err(|_| WireError::OutOfRange(field))).transpose()
}

pub(super) fn encode_priority(consumer: ConsumerId, priority: NonZeroU8) -> proto::Priority {
    proto::Priority { consumer: consumer.to_string(), priority: priority.get().into() }
}

pub(super) fn decode_priority(of: &proto::Priority) -> Result<(ConsumerId, NonZeroU8), WireError> {
    let priority = u8::try_from(of.priority).ok().and_then(NonZeroU8::new);
    Ok((id("consumer", &of.consumer)?, priority.ok_or(WireError::OutOfRange("priority"))?))
}
