//! The ORTC rules: what a router offers, what of a sender it takes, and what a receiver gets of it.
//!
//! A sender names payload types and header extensions by its own numbers. [`producer_mapping`]
//! says which of the router's numbers they become, [`consumable_parameters`] describes the stream
//! in those numbers, and [`consumer_parameters`] narrows that to what one receiver can take. All
//! of it is pure: both planes get the same answer. What a receiver says of itself may be a message full;
//! [`narrow_capabilities`] leaves what the router can meet.

mod capabilities;
mod codec_match;
mod consumer;
mod error;
mod h264_profile;
mod narrow;
mod producer;
mod scalability;
mod supported;
mod validate;

pub use capabilities::{offer_ccfb, router_rtp_capabilities};
pub use codec_match::{is_rtx, kind_of_mime_type};
pub use consumer::{ConsumerStream, can_consume, consumer_parameters};
pub use error::OrtcError;
pub use narrow::narrow_capabilities;
pub use producer::{
    EncodingMapping, ExtensionMapping, PayloadTypeMapping, ProducerMapping, consumable_parameters,
    producer_mapping,
};
pub use scalability::ScalabilityMode;
pub use supported::{DEFAULT_CODECS, MediaCodec, extension_id};
pub use validate::{validate_capabilities, validate_producer_parameters};
