//! How one minute of a call went, and why it went badly: measurements are folded into minutes ([`Meter`]), minutes
//! of several replicas are put together, and [`explain`] names the side and the cause of each bad one.

mod explain;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "a model's counts of one minute")]
mod faults;
mod finding;
mod meter;
mod minute;
mod own;
mod sentence;

pub(crate) use explain::{CallMinute, explain};
pub(crate) use finding::{Cause, Finding, Side};
pub(crate) use meter::Meter;
#[cfg(test)]
pub(crate) use minute::Happened;
pub(crate) use minute::{Common, Exceed, Identity, NodeMinute, ParticipantMinute, Path, What, Work};
pub(crate) use sentence::PARTICIPANT;
