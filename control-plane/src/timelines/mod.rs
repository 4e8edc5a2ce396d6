//! What becomes of calls, minute by minute, for operators: kept in files of this replica's own, and put together
//! with what other replicas kept when somebody asks. Never in etcd.
//!
//! A session's seat measures ([`SeatTimeline`]); a keeper writes (`keeper.rs`) into bounded files (`files.rs`), on a thread
//! of its own (`host.rs`); `query.rs` reads them, asks the other replicas for theirs (`peers.rs`), and has each bad minute explained.

mod assemble;
mod call_id;
mod document;
mod files;
mod host;
mod keeper;
mod peers;
mod query;
#[cfg(feature = "testing")]
mod record;
mod seat;
mod service;

pub(crate) use call_id::{CallId, Question};
pub(crate) use document::{CallDocument, CallSummary, Records};
pub use host::{TimelineHost, TimelineThreads};
pub use keeper::Keeper;
pub(crate) use keeper::TimelineMetrics;
#[cfg(feature = "testing")]
pub use record::CallRecord;
pub(crate) use seat::SeatTimeline;
pub(crate) use service::{Timelines, check};
