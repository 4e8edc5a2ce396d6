//! Rooms: who is in them, what they send and what they get. A room is the only writer of its
//! seats, slots, transports, producers and consumers; the control-plane asks, the room decides.
//!
//! [`commands`] names the function of each command. Every id in a command is looked up in the asking
//! session's own tables, so that an id which is absent, closed or somebody else's has one answer.

pub(crate) mod moment;
pub(crate) mod refusal;
mod resume_tokens;
pub(crate) mod slots;
mod mls_envelope;
pub(crate) mod account;
pub(crate) mod seats;
pub(crate) mod table;
mod owned;
mod accounts;
mod bitrate_limits;
mod data_messages;
pub(crate) mod key_agreement;
mod mls_groups;
mod encryption_rule;
mod participant;
mod video_slots;
mod consuming;
mod producing;
mod transports;
mod grants;
mod membership;
pub(crate) mod reconnecting;
mod moderation;
pub(crate) mod audio_levels;
pub(crate) mod epoch;
mod resume;
mod stats;
pub(crate) mod turn;
pub(crate) mod timers;
pub(crate) mod commands;
