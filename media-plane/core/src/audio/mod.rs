//! What audio levels say, without decoding audio. Pure: levels and times go in.

pub(crate) mod audio_level;
pub(crate) mod active_speaker;
