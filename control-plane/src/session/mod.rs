//! One socket is one session: whose it is, where it sits, and what it owns there.

mod budget;
mod calls;
mod capabilities;
mod outbox;
mod ownership;
mod rejoin;
mod ringing;
mod room_event;
mod seat;
mod traced;
#[allow(clippy::module_inception, reason = "it holds the session itself")]
mod session;
mod watched;

pub(crate) use budget::Budget;
pub(crate) use outbox::{Ack, Answer, Outbox, RequestMeta};
pub(crate) use ownership::{Owned, OwnedObjects};
pub(crate) use seat::Seat;
pub(crate) use session::{Admitted, Session};
