//! One socket is one session: whose it is, where it sits, and what it owns there.

mod actor;
mod budget;
mod calls;
mod capabilities;
mod end;
mod outbox;
mod ownership;
mod registry;
mod resume_place;
mod resume_token;
mod seat;

pub(crate) use actor::{Admitted, Incoming, Session, over, rejoin_after};
pub(crate) use budget::Budget;
pub(crate) use capabilities::{CapabilitiesDigest, ReceiverCapabilities};
pub(crate) use end::{End, Ending};
pub(crate) use outbox::{Ack, Answer, Asked, Outbox};
pub(crate) use ownership::{Owned, Possessions};
pub(crate) use registry::{Newcomer, Registered, Registry};
pub(crate) use resume_place::{Place, PlaceSeal};
pub(crate) use resume_token::ResumeToken;
pub(crate) use seat::Seat;
