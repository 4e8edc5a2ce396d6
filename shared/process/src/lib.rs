//! What both planes' processes need alike: metrics of the process, and what may be logged and how often.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod each_minute;
pub mod logging;
pub mod metrics;
pub mod service;
pub mod traces;

use std::time::Duration;

/// CPU time that the calling thread used.
pub fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// The host's name as the kernel has it; empty where there is none to read.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
