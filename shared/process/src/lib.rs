//! What both planes' processes need alike: metrics of the process, and what may be logged and how often.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod each_minute;
pub mod logging;
pub mod metrics;
