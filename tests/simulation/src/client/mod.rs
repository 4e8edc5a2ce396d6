//! People: clients that keep the contract, and do what the scenario wishes of them.

mod asking;
mod call;
mod chores;
mod kept;
mod line;
mod wishes;
mod hostile;
mod hearing;
mod media;
mod person;
mod polling;
mod relayed;
mod repairs;
mod socket;
mod view;

pub(crate) use call::live;
pub(crate) use chores::{CANCELS, CHORE_KINDS};
pub(crate) use person::{Has, Hostile, Person};
pub(crate) use socket::Carriage;
