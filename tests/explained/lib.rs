//! Faults drawn in simulated calls: `tests/explained` compares them with what the control-plane tells.
//! The network, the engine and the clients are those of `railgun-peer`'s simulator.
#![forbid(unsafe_code)]

mod drawn;
mod judged;
mod tally;

pub use drawn::{Drawn, draw};
pub use judged::{Judged, Named, judge};
pub use tally::Tally;
