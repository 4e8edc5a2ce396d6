//! A packet's walk, one file a step:
//!
//! 1. [`demux`]: what is it, whose is it?
//! 2. [`ingest`]: which stream and producer; checks from cheap to dear, then SRTP is opened in place;
//! 3. `codec`: what frame is this of; and what video may be asked for again is kept;
//! 4. [`fan_out`]: the only loop over consumers;
//! 5. [`select`]: does this consumer get this layer? [`rewrite`]: its own numbers, those of
//!    [`sequence`] among them; [`outlet`]: its [`header`], and the seal from the shared plaintext
//!    straight into the send buffer;
//! 6. `send_batch`: laid out for the kernel.
//!
//! [`resend`] repeats 5 and 6 for packets that a consumer lost.
//!
//! Steps 1-3 are taken for the whole burst, then 4-6, audio before video, so that what one consumer
//! gets lies side by side and leaves as one message.

pub(crate) mod demux;
pub(crate) mod ingest;
pub(crate) mod police;
pub(crate) mod fan_out;
pub(crate) mod select;
pub(crate) mod rewrite;
pub(crate) mod sequence;
pub(crate) mod header;
pub(crate) mod outlet;
pub(crate) mod probe;
pub(crate) mod resend;
#[cfg(feature = "steps")]
pub mod steps;
