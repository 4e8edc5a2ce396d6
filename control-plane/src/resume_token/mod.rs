//! The tokens with which another socket takes a session up, and where they say that its room was.

mod place_seal;
mod token;

pub(crate) use place_seal::PlaceSeal;
pub(crate) use token::ResumeToken;
