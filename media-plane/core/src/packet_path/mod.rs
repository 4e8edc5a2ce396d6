//! A packet's walk, one file a step:
//!
//! 1. [`demux`]: what is it, whose is it?
//! 2. [`ingest`]: which stream and producer; checks from cheap to dear, then SRTP is opened in place;
//! 3. `codec`: does a key frame begin here?
//! 4. [`fan_out`]: the only loop over consumers;
//! 5. [`rewrite`]: the consumer's own header, with [`sequence`] for its numbers, and the seal from
//!    the shared plaintext straight into the send buffer;
//! 6. `send_batch`: laid out for the kernel.
//!
//! Steps 1-3 are taken for the whole burst, then 4-6, audio before video, so that what one consumer
//! gets lies side by side and leaves as one message.

pub(crate) mod demux;
pub(crate) mod ingest;
pub(crate) mod fan_out;
pub(crate) mod rewrite;
pub(crate) mod sequence;
