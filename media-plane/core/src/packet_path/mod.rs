//! A packet's walk, one file a step:
//!
//! 1. [`demux`]: which protocol, which transport?
//! 2. [`ingest`]: which stream and producer; checks from cheap to dear, then SRTP is opened in place;
//! 3. `codec`: which frame is this of; video that may be asked for again is kept;
//! 4. [`fan_out`]: the only loop over consumers;
//! 5. [`select`]: does this consumer get this layer? [`rewrite`]: its own numbers, those of
//!    [`sequence`] among them; [`packet_writer`]: its [`header`], and the seal from the shared plaintext
//!    straight into the send buffer;
//! 6. `send_batch`: laid out for the kernel.
//!
//! Steps 1-3 are taken for the whole burst, then 4-6, audio before video, so that what one consumer
//! gets lies side by side and leaves as one message. `feedback_path::resend` repeats 5 and 6 for packets
//! that a consumer lost.

// What the steps work on.
pub(crate) mod extension_ids;
pub(crate) mod payload_types;
pub(crate) mod layer_rates;
pub(crate) mod encoding;
pub(crate) mod wanted_layers;
pub(crate) mod producer;
pub(crate) mod mid;
pub(crate) mod consumer_extensions;
pub(crate) mod consumer;
pub(crate) mod packet;
pub(crate) mod tables;
// The steps.
pub(crate) mod demux;
pub(crate) mod ingest;
pub(crate) mod policer;
pub(crate) mod fan_out;
pub(crate) mod select;
pub(crate) mod rewrite;
pub(crate) mod sequence;
pub(crate) mod header;
pub(crate) mod packet_writer;
pub(crate) mod mid_binding;
pub(crate) mod probe;
pub(crate) mod padding;
#[cfg(feature = "steps")]
#[allow(missing_docs, reason = "no part of the interface")]
pub mod steps;
