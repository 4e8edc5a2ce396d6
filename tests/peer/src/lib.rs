//! Rooms in one thread: an engine, and clients that reach it without a socket. Time is a number
//! that the test moves, the network a list of datagrams, so a whole call is a function of a seed.
#![forbid(unsafe_code)]

mod call;
mod ccfb;
mod feedback;
mod heard;
mod parameters;
mod peer;
mod link;
pub mod simulator;
pub mod turn;
mod video;
mod world;

pub use call::{Call, KEY_FRAME, Sending, TICK};
pub use parameters::{
    AUDIO_LEVEL_ID, MID_ID, Offer, REPAIRED_RID_ID, RID_ID, TRANSPORT_CC_ID, all_capabilities, capabilities,
    ccfb_capabilities,
};
pub use peer::{Arrival, Peer};
pub use video::{DESCRIPTOR_ID, Video};
pub use world::{NODE, RELAY, Sent, World};
