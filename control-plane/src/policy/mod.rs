//! Who may do what: pure functions, without a clock and without I/O.
// No clock, thread, socket or unseeded randomness: the lists are in clippy.toml.
#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

pub(crate) mod admission;
pub(crate) mod avatars;
pub(crate) mod call_quality;
#[cfg(feature = "etcd")]
pub(crate) mod clock_skew;
pub(crate) mod connect_failures;
pub(crate) mod entitlement;
pub(crate) mod event_budget;
pub(crate) mod join_history;
pub(crate) mod join_trace;
#[cfg(feature = "etcd")]
pub(crate) mod placement;
pub(crate) mod rejoin_spread;
pub(crate) mod resume_tries;
pub(crate) mod secret_guesses;
pub(crate) mod strangers;
