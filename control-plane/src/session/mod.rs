//! One socket is one session: whose it is, where it sits, and what it owns there.

mod actor;
mod outbox;
mod ownership;
mod registry;

pub(crate) use actor::{Incoming, REJOIN_SPREAD_MS, Seat, Session};
pub(crate) use outbox::{Ack, Answer, Asked, Outbox};
pub(crate) use ownership::{Owned, Possessions};
pub(crate) use registry::{Registered, Registry};
