//! What the node reads of a codec's payload, one RFC a file.

pub(crate) mod vp8;
