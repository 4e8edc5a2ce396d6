//! Who may do what: pure functions, without a clock and without I/O.

pub(crate) mod admission;
pub mod entitlement;
