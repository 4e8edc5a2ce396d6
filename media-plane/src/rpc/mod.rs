//! The control link: commands in, replies and room events out, each room's in the engine's order.
//!
//! A frame walks `server` (read, checked) → `switchboard` (whose it is, which worker has the room)
//! → the worker, past the `gate` if the room is not here yet; replies and events walk back through the switchboard alone, so that every stream
//! sees one order.

mod gate;
mod links;
mod rooms;
mod server;
mod setups;
mod switchboard;
mod users;
mod watches;

pub(crate) use gate::{ASKS_MAX, JoinGate};
#[cfg(feature = "etcd")]
pub(crate) use gate::{Ask, RoomCheck};
pub use links::control_links;
#[cfg(feature = "etcd")]
pub(crate) use rooms::RoomSummary;
pub(crate) use server::{Identity, MediaNodeService};
pub(crate) use setups::{SetupMetrics, Setups};
pub(crate) use switchboard::{Input, Switchboard};
