//! Frames that are encrypted end to end: SFrame (RFC 9605) with the keys that clients derive from an epoch's secret
//! (`docs/end-to-end-encryption.md`). Of the codecs those that this client sends: Opus and VP8.

mod epoch;
mod format;
mod frame;
mod key;
#[cfg(test)]
mod tests;

pub use epoch::Epoch;
pub use format::{FrameCodec, OVERHEAD_MAX, SframeError};
pub(crate) use frame::epoch_id_of;
pub use frame::{FrameOpener, FrameSealer};
pub use key::Suite;
