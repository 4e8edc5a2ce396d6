//! Who may do what: pure functions, without a clock and without I/O.

pub(crate) mod admission;
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
