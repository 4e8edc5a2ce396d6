//! A second implementation of end-to-end encryption's keys of a group, by mls-rs. Each line of the input is a request, each
//! line of the output its answer, both in JSON; bytes are in base64. It has no part in any program that is shipped.
//!
//! What the first request asks for decides what it is: one member that does as it is told ([`interop`]), or the members
//! of channels, each of which does by itself what the SDK's do ([`members`]).
#![forbid(unsafe_code)]

use primitives::Failure;
use std::io::BufRead;

mod agent;
mod client;
mod encoding;
mod interop;
mod library;
mod members;
mod names;
mod primitives;
mod profile;
#[cfg(test)]
mod vectors;

fn main() -> Result<(), Failure> {
    let mut lines = std::io::stdin().lock().lines();
    let first = lines.next().ok_or("nothing to do")??;
    let request: serde_json::Value = serde_json::from_str(&first)?;
    if request["do"] == "begin" { interop::serve(&first, lines) } else { members::serve(first, lines) }
}
